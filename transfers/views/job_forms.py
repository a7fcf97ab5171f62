"""Making, changing and copying a job, in steps that are looked at as one goes.

It works without script: finding a collection and looking at Globus are buttons of the
same form, which comes back with everything that was in it. With script they fetch that
page and put in its step and its summary.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.clients import transfer_client
from accounts.models import ServiceAccount
from accounts.views import SignedInRequest
from portal.globus.errors import PortalError
from transfers import collections
from transfers.jobs import describing, form_checks, permissions, saving, schedules
from transfers.jobs.exchange import Parts
from transfers.jobs.form import JobForm
from transfers.jobs.form_checks import Finding
from transfers.jobs.form_filters import FiltersForm
from transfers.jobs.form_options import OptionsForm
from transfers.jobs.form_schedule import ScheduleForm
from transfers.jobs.models import Job, Schedule
from transfers.jobs.path_fields import FIELDS, example_of
from transfers.jobs.permissions import Action
from transfers.jobs.templates import BadTemplate
from transfers.views.staff import for_staff, open_job

ROWS = 12
#: The fields of each step; what is wrong with them is said when the step is looked at.
STEPS = {
    "account": ("name", "service_account"),
    "source": ("service_account", "source_collection", "source_path"),
    "destination": ("service_account", "destination_collection", "destination_path"),
    "work": (
        "kind",
        "recursive",
        "batch",
        "delete_extra",
        "delete_confirm",
        "depth",
        "include",
        "exclude",
        "label",
        "sync_level",
        "filter_rules",
    ),
    "when": (
        "when",
        "cron",
        "interval_minutes",
        "rule",
        "zone",
        "start_at",
        "end_at",
        "days_off",
        "blackouts",
    ),
}
SIDES = ("source", "destination")


class Forms:
    """The forms of the page, as one."""

    def __init__(
        self,
        data: QueryDict | None,
        *,
        job: Job,
        schedule: Schedule | None,
        by: Any,
        initial: dict[str, Any] | None = None,
    ) -> None:
        self.row = job
        self.options = OptionsForm(data, options=job.options)
        self.filters = FiltersForm(data, filters=job.filters)
        self.when = ScheduleForm(data, schedule=schedule)
        self.job = JobForm(data, instance=job, by=by, initial=initial)
        self._kind = data.get("kind", "") if data is not None else job.kind

    @property
    def all(self) -> tuple[Form | JobForm, ...]:
        return self.job, self.options, self.filters, self.when

    @property
    def errors(self) -> dict[str, Any]:
        return {name: said for form in self.all for name, said in form.errors.items()}

    def is_valid(self) -> bool:
        """The options first: the job's own rules look at them."""
        moves = self._kind in Job.MOVING
        if self.options.is_valid() and moves:
            self.row.options = self.options.options()
        elif not moves:
            self.row.options = {}
        if moves:
            self.row.filters = {}
        elif self.filters.is_valid():
            self.row.filters = self.filters.filters()
        if self._kind == Job.Kind.MIRROR and self.row.options.get("sync_level") is None:
            self.options.add_error(
                "sync_level", "Say how a mirror tells which files differ."
            )
            self.row.options = {**self.row.options, "sync_level": 1}
        return not self.errors  # of all, not only of the first that has some

    def keep_errors_of(self, step: str) -> None:
        """A form that is still being filled in is not blamed for what is to come."""
        for form in self.all:
            for name in set(form.errors) - set(STEPS.get(step, ())):
                del form.errors[name]

    def parts(self, others: list[Schedule]) -> Parts:
        first = self.when.schedule()
        return Parts(self.row, self.job.roles(), [*([first] if first else []), *others])


@dataclass
class Step:
    """What the last look at a step brought."""

    text: str = ""
    found: tuple[collections.Collection, ...] | None = None
    findings: list[Finding] = field(default_factory=list)
    due: list[schedules.Due] = field(default_factory=list)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def new(request: SignedInRequest) -> HttpResponse:
    names = {*JobForm.Meta.fields}
    given = {name: request.GET[name] for name in names if name in request.GET}
    given |= {
        name: request.GET[old]
        for old, name in _DEEP_LINKS.items()
        if old in request.GET
    }
    return _page(request, Job(), "New job", initial=given)


#: the Globus web app's names, which our other pages have too
_DEEP_LINKS = {
    "origin_id": "source_collection",
    "origin_path": "source_path",
    "destination_id": "destination_collection",
}


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def edit(request: SignedInRequest, pk: UUID) -> HttpResponse:
    job = open_job(request, pk, Action.EDIT)
    return _page(request, job, f"Change {job.name}")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def duplicate(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The form, filled in as another job is; nothing is stored before it is saved."""
    original = open_job(request, pk, Action.SEE)
    copy = Job.objects.get(pk=original.pk)
    copy.pk = Job._meta.pk.get_default()
    copy._state.adding = True
    copy.name = ""
    copy.owner = request.user
    copy.version = copy.webhook = copy.watermark = copy.archived_at = None
    schedule = original.schedules.order_by("created_at").first()
    if schedule is not None:
        schedule.pk = Schedule._meta.pk.get_default()
        schedule._state.adding = True
    return _page(
        request,
        copy,
        f"Copy of {original.name}",
        schedule=schedule,
        initial={"name": f"{original.name} (copy)"[:100]},
    )


def _page(
    request: SignedInRequest,
    job: Job,
    title: str,
    *,
    schedule: Schedule | None = None,
    initial: dict[str, Any] | None = None,
) -> HttpResponse:
    is_new = job._state.adding
    rows = [] if is_new else list(job.schedules.order_by("created_at"))
    schedule = schedule or (rows[0] if rows else None)
    data = request.POST.copy() if request.method == "POST" else None
    action = _apply_choice(data) if data is not None else ""
    forms = Forms(data, job=job, schedule=schedule, by=request.user, initial=initial)
    steps = {name: Step() for name in STEPS}
    if data is None:
        summary = describing.paragraph(job, rows) if not is_new else ""
    else:
        is_valid = forms.is_valid()
        if action == "save" and _changed_meanwhile(data, job, is_new=is_new):
            forms.job.add_error(None, _meanwhile(job))
            is_valid = False
        if is_valid and action == "save":
            _store(request, forms, rows[1:])
            return redirect("transfers:job", job.pk)
        summary = _summary(forms)
        if action != "save":
            verb, _, name = action.partition("-")
            _look(request, verb, name, forms, data, steps)
            forms.keep_errors_of(name if verb in ("check", "find") else "")
    context = {
        "title": title,
        "job": None if is_new else Job.objects.get(pk=job.pk),
        "forms": forms,
        "steps": steps,
        "summary": summary,
        "failed": action == "save",
        "names": _names(forms),
        "examples": _examples(forms, data),
        "fields": FIELDS,
        "more_schedules": rows[1:],
        "has_accounts": permissions.accounts_open_to(request.user).exists(),
    }
    return render(request, "transfers/jobs/form.html", context)


def _changed_meanwhile(data: QueryDict, job: Job, *, is_new: bool) -> bool:
    """Whether the form was opened before somebody else saved the job."""
    seen = data.get("version", "")
    return not is_new and bool(seen) and seen != str(job.version_id or "")


def _meanwhile(job: Job) -> str:
    version = job.versions.select_related("made_by").first()
    if version is None:
        return "The job has changed meanwhile. Save again if yours should stand."
    changes = " ".join(version.changes) or "Everything."
    return (
        f"{version.made_by or 'Somebody'} has changed this job since you opened it. "
        f"{changes} Save again if yours should stand."
    )


def _apply_choice(data: QueryDict) -> str:
    """Puts what a button chose into the data; what is still to be done."""
    action, _, value = data.get("do", "save").partition(":")
    side = action.partition("-")[2]
    if side not in SIDES:
        return action
    if action.startswith("choose-"):
        data[f"{side}_collection"] = value
        data[f"find_{side}"] = ""
        return f"check-{side}"
    return action


def _store(request: SignedInRequest, forms: Forms, others: list[Schedule]) -> None:
    job = forms.row
    _keep_names(job)
    is_new = job._state.adding
    saving.store(forms.parts(others), by=request.user)
    messages.success(
        request,
        f"The job “{job.name}” is saved."
        if is_new
        else "The job is changed. Runs under way are not.",
    )


def _keep_names(job: Job) -> None:
    """Looks up what the collections are called, where that is not known."""
    before = Job.objects.filter(pk=job.pk).first()
    known: dict[UUID, str] = {}
    if before is not None:
        known[before.source_collection] = before.source_name
        if before.destination_collection:
            known[before.destination_collection] = before.destination_name
    ids = [each for each in (job.source_collection, job.destination_collection) if each]
    found = form_checks.names_of(job.service_account, ids, known)
    job.source_name = found.get(job.source_collection, "")[:255]
    goal = job.destination_collection
    job.destination_name = found.get(goal, "")[:255] if goal else ""


def _summary(forms: Forms) -> str:
    """Of a form that is filled in far enough to say something; else nothing."""
    needed = {*STEPS["account"], *STEPS["source"], *STEPS["work"], *STEPS["when"]}
    if needed & set(forms.errors):
        return ""
    row = forms.when.schedule()
    return describing.paragraph(forms.row, [row] if row else [])


def _look(
    request: SignedInRequest,
    verb: str,
    name: str,
    forms: Forms,
    data: QueryDict,
    steps: dict[str, Step],
) -> None:
    step = steps.get(name)
    if step is None:
        return
    if name == "when":
        step.due = _due(forms)
        return
    account = forms.job.cleaned_data.get("service_account")
    if verb == "find":
        step.text = data.get(f"find_{name}", "").strip()
        _find(step, account)
    elif account is not None:
        step.findings = _findings(name, account, forms)


def _find(step: Step, account: ServiceAccount | None) -> None:
    if account is None:
        step.findings = [Finding("bad", "Choose the service account first.")]
        return
    try:
        step.found = collections.search(
            transfer_client(account), step.text, limit=ROWS
        ).collections
    except PortalError as err:
        step.findings = [Finding("bad", err.advice)]


def _findings(name: str, account: ServiceAccount, forms: Forms) -> list[Finding]:
    works = form_checks.account_works(account)
    if name == "account" or works.tone == "bad":
        return [works]
    data = forms.job.cleaned_data
    collection_id, path = data.get(f"{name}_collection"), data.get(f"{name}_path")
    if not collection_id or not path:
        return []
    try:
        example = example_of(path, timezone.now())
    except BadTemplate as err:
        return [Finding("bad", err.advice)]
    look = (
        form_checks.source_reads if name == "source" else form_checks.destination_takes
    )
    return [look(account, collection_id, example)]


def _due(forms: Forms) -> list[schedules.Due]:
    if forms.when.errors:
        return []
    row = forms.when.schedule()
    if row is None:
        return []
    return schedules.preview(schedules.rhythm_of(row), timezone.now())


def _names(forms: Forms) -> dict[str, str]:
    """What the chosen collections are called, as far as that is stored."""
    row = forms.row
    found = {"source": row.source_name, "destination": row.destination_name}
    stored = Job.objects.filter(pk=row.pk).first()
    for side in SIDES:
        is_same = stored is not None and getattr(
            stored, f"{side}_collection"
        ) == getattr(row, f"{side}_collection")
        if stored is not None and not is_same:
            found[side] = ""
    return found


def _examples(forms: Forms, data: QueryDict | None) -> dict[str, str]:
    """Paths with fields as a run that is due now would have them."""
    now = timezone.now()
    found = {}
    for side in SIDES:
        name = f"{side}_path"
        path = data.get(name, "") if data is not None else getattr(forms.row, name)
        if "{" in path:
            # What is wrong with it is said when it is looked at, or saved.
            with contextlib.suppress(BadTemplate):
                found[side] = example_of(path, now)
    return found


@require_POST
@for_staff
def remove(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Archives a job, brings it back, or deletes one that has never run."""
    job = open_job(request, pk, Action.EDIT)
    verb = request.POST.get("do", "")
    if verb == "archive":
        saving.archive(job, by=request.user)
        messages.success(request, f"“{job.name}” is in the archive.")
    elif verb == "bring-back":
        saving.bring_back(job, by=request.user)
        messages.success(request, f"“{job.name}” is back, and switched off.")
    elif verb == "delete":
        name = job.name
        saving.delete(job, by=request.user)
        messages.success(request, f"“{name}” is deleted.")
        return redirect("transfers:jobs")
    return redirect("transfers:job", pk)
