"""Running a run again: the same, only what failed, or with edited input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.views import SignedInRequest
from portal.globus.errors import PortalError
from transfers import batch
from transfers.forms import LookMixin, PathField
from transfers.jobs import rerunning, templates
from transfers.jobs.form_batch import read_lines, with_known_fields
from transfers.jobs.form_options import OptionsForm
from transfers.jobs.models import Job, Run
from transfers.jobs.permissions import Action
from transfers.views.staff import for_staff, open_run


class EditedInput(LookMixin, forms.Form):
    """What one run may have otherwise than its job; where and as whom stays."""

    source_path = PathField(label="Source path", max_length=4096)
    destination_path = PathField(
        label="Destination path", max_length=4096, required=False
    )
    recursive = forms.BooleanField(label="With all folders below", required=False)
    label = forms.CharField(label="Label at Globus", max_length=128, required=False)
    batch = forms.CharField(
        label="Batch",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="A line per file or folder; empty: the whole source path.",
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        help_text="Stays with the run, for whoever looks at it later.",
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, inputs: dict[str, Any]
    ) -> None:
        """:param inputs: of the run that is repeated"""
        inputs = templates.unfilled(inputs)
        initial = {name: inputs.get(name) for name in self.base_fields}
        initial["batch"] = batch.written(inputs.get("items") or [])
        super().__init__(data, initial=initial)
        if inputs["kind"] == Job.Kind.LIST:
            for name in ("destination_path", "label", "batch"):
                del self.fields[name]
        else:
            self.fields["destination_path"].required = True
        self.dress()

    def clean_source_path(self) -> str:
        return with_known_fields(self.cleaned_data["source_path"])

    def clean_destination_path(self) -> str:
        return with_known_fields(self.cleaned_data["destination_path"])

    def clean_batch(self) -> list[dict[str, Any]]:
        lines = read_lines(self.cleaned_data["batch"])
        for line in lines:
            for side in ("source_path", "destination_path"):
                folder = self.cleaned_data.get(side) or "/"
                line[side] = batch.below(folder, line[side])
        return lines

    def changes(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        data.pop("reason")
        if "batch" in data:
            data["items"] = data.pop("batch")
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def rerun(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The form for edited input; a POST with ``do`` repeats it at once."""
    found = open_run(request, pk, Action.RUN)
    verb = request.POST.get("do", "") if request.method == "POST" else ""
    if verb in (Run.Lineage.SAME, Run.Lineage.FAILED_ONLY):
        return _start(request, found, Run.Lineage(verb), None)
    # Without a button it only opens: what was filled in, or another form of the run.
    data = request.POST if "source_path" in request.POST else None
    form = EditedInput(data, inputs=found.inputs)
    options = OptionsForm(data, options=found.inputs.get("options", {}))
    moves = found.inputs["kind"] in Job.MOVING
    problem = ""
    is_sent = verb == Run.Lineage.EDITED
    if is_sent and form.is_valid() and (not moves or options.is_valid()):
        changes = form.changes()
        if moves:
            changes["options"] = options.options()
        try:
            return _start(request, found, Run.Lineage.EDITED, changes)
        except PortalError as err:
            problem = err.advice
    context = {
        "run": found,
        "form": form,
        "options": options if moves else None,
        "problem": problem,
    }
    return render(request, "transfers/jobs/rerun.html", context)


def _start(
    request: SignedInRequest,
    parent: Run,
    lineage: Run.Lineage,
    changes: dict[str, Any] | None,
) -> HttpResponse:
    run = rerunning.rerun(
        parent,
        by=request.user,
        lineage=lineage,
        changes=changes,
        reason=request.POST.get("reason", "").strip(),
    )
    messages.success(request, "The run is on its way.")
    return redirect("transfers:run", run.pk)
