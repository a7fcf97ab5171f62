"""Making, changing and copying a job, in steps that are looked at as one goes.

It works without script: finding a collection and looking at Globus are buttons of the
same form, which comes back with everything that was in it. With script they fetch that
page and put in its step and its summary.
"""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.views import SignedInRequest
from transfers.batch_form import LONGEST_TEXT
from transfers.jobs import describing, drafts, form_checks, permissions, saving
from transfers.jobs.form import JobForm
from transfers.jobs.form_looks import Step, look
from transfers.jobs.form_page import (
    MOST_FURTHER,
    SIDES,
    STEPS,
    Forms,
    add_schedule,
    drop_schedule,
)
from transfers.jobs.inventory_models import Trial
from transfers.jobs.models import Job, JobVersion, Schedule
from transfers.jobs.path_fields import FIELDS, example_of
from transfers.jobs.permissions import Action
from transfers.jobs.templates import BadTemplate
from transfers.views.staff import for_staff, open_job


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
    try:
        job = open_job(request, pk, Action.EDIT)
        return _page(request, job, f"Change {job.name}")
    except (Http404, Job.DoesNotExist):
        return _gone(request)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def duplicate(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The form, filled in as another job is; nothing is stored before it is saved."""
    try:
        original = open_job(request, pk, Action.SEE)
    except Http404:
        return _gone(request)
    copy = Job.objects.get(pk=original.pk)
    copy.pk = Job._meta.pk.get_default()
    copy._state.adding = True
    copy.name = ""
    copy.owner = request.user
    copy.version = copy.webhook = copy.watermark = copy.archived_at = None
    rows = list(original.schedules.order_by("created_at"))
    for row in rows:
        row.pk = Schedule._meta.pk.get_default()
        row._state.adding = True
    return _page(
        request,
        copy,
        f"Copy of {original.name}",
        rows=rows,
        initial={"name": f"{original.name} (copy)"[:100]},
    )


def _gone(request: SignedInRequest) -> HttpResponse:
    """What was filled in goes on as a new job; the browser sends it there itself."""
    if "name" not in request.POST:
        raise Http404
    return redirect("transfers:job_new", preserve_request=True)


def _page(
    request: SignedInRequest,
    job: Job,
    title: str,
    *,
    rows: list[Schedule] | None = None,
    initial: dict[str, Any] | None = None,
) -> HttpResponse:
    is_new = job._state.adding
    if rows is None:
        rows = [] if is_new else list(job.schedules.order_by("created_at"))
    data = request.POST.copy() if request.method == "POST" else None
    #: the version that the person changes, also after a look at a step
    seen = str(job.version_id or "") if data is None else data.get("version")
    too_long = data is not None and _take_file(request, data)
    action = _apply_choice(data) if data is not None else ""
    forms = Forms(data, job=job, schedules=rows, by=request.user, initial=initial)
    steps = {name: Step() for name in STEPS}
    if data is None:
        summary = describing.paragraph(job, rows) if not is_new else ""
    else:
        is_valid = forms.is_valid()
        if too_long:
            forms.job.add_error("batch", _TOO_LONG)
            is_valid = False
        if action == "save" and seen not in (None, str(job.version_id or "")):
            seen = _say_what_changed(forms, is_new=is_new)
            is_valid = False
        if is_valid and action == "save":
            try:
                _store(request, forms, seen)
            except saving.ChangedMeanwhile:
                seen = _say_what_changed(forms)
            except saving.InArchive as err:
                forms.job.add_error(None, f"{err.title}. {err.advice}")
            else:
                return redirect("transfers:job", job.pk)
        if action == "try":
            asked = drafts.ask(request.user, forms, data, page=request.path)
            if isinstance(asked, Trial):
                return redirect("transfers:own_dry_run", asked.pk)
            steps["preflight"].findings = [asked]
        _learn_names(forms)
        summary = _summary(forms)
        if action != "save":
            verb, _, name = action.partition("-")
            look(verb, name, forms, data, steps)
            looked_at = name if verb == "check" else ""
            forms.keep_errors_of("preflight" if action == "try" else looked_at)
    context = {
        "title": title,
        "job": None if is_new else Job.objects.get(pk=job.pk),
        "version": seen or "",
        "forms": forms,
        "steps": steps,
        "summary": summary,
        "failed": action == "save",
        "names": {side: getattr(forms.row, f"{side}_name") for side in SIDES},
        "examples": _examples(forms, data),
        "fields": FIELDS,
        "may_add_schedule": len(forms.further) < MOST_FURTHER,
        "has_accounts": permissions.accounts_open_to(request.user).exists(),
    }
    return render(request, "transfers/jobs/form.html", context)


_TOO_LONG = (
    f"This is more than the {LONGEST_TEXT:,} characters that a batch may have, and "
    "only those stand here. Put what follows into another job, or name a folder."
)


def _take_file(request: SignedInRequest, data: QueryDict) -> bool:
    """A file takes the place of the lines; what is no UTF-8 is marked in its line.

    :returns: whether it is too long
    """
    given = request.FILES.get("batch_file")
    if not isinstance(given, UploadedFile):
        return False
    content = given.read(LONGEST_TEXT * 4 + 1)
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    data["batch"] = text[:LONGEST_TEXT]
    return len(text) > LONGEST_TEXT


_DELETED = (
    "The job that you were changing has been deleted meanwhile. Save again to make a "
    "new one of what stands here."
)


def _say_what_changed(forms: Forms, *, is_new: bool = False) -> str:
    """Since the form was opened.

    :returns: the id of the version that the person has been told of now
    """
    if is_new:
        forms.job.add_error(None, _DELETED)
        return ""
    version = forms.row.versions.select_related("made_by").first()
    forms.job.add_error(None, _meanwhile(version))
    return str(version.pk) if version else ""


def _meanwhile(version: JobVersion | None) -> str:
    if version is None:
        return "The job has changed meanwhile. Save again if yours should stand."
    changes = " ".join(version.changes) or "Everything."
    return (
        f"{version.made_by or 'Somebody'} has changed this job since you opened it. "
        f"{changes} Save again if yours should stand."
    )


def _apply_choice(data: QueryDict) -> str:
    """Puts what a button chose into the data; what is still to be done.

    Without a button the form only opens, as it does after a sign-in on the way.
    """
    action, _, value = data.get("do", "").partition(":")
    if action == "add-schedule":
        add_schedule(data)
    elif action == "drop-schedule":
        drop_schedule(data, value)
    side = action.partition("-")[2]
    if side not in SIDES:
        return action
    if action.startswith("choose-"):
        data[f"{side}_collection"] = value
        data[f"find_{side}"] = ""
        return f"check-{side}"
    return action


def _store(request: SignedInRequest, forms: Forms, seen: str | None) -> None:
    job = forms.row
    _keep_names(job)
    is_new = job._state.adding
    saving.store(forms.parts(), by=request.user, seen=seen)
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
    return describing.paragraph(forms.row, forms.schedules())


def _learn_names(forms: Forms) -> None:
    """What the chosen collections are called, as the service account sees them."""
    account = forms.job.cleaned_data.get("service_account")
    for side in SIDES:
        chosen = forms.job.cleaned_data.get(f"{side}_collection")
        name = ""
        if account is not None and chosen is not None:
            name = form_checks.name_at_a_glance(account, chosen)
        setattr(forms.row, f"{side}_name", name[:255])


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
    if verb in ("archive", "bring-back"):
        _put(request, job, verb)
    elif verb == "delete":
        name = job.name
        saving.delete(job, by=request.user)
        messages.success(request, f"“{name}” is deleted.")
        return redirect("transfers:jobs")
    return redirect("transfers:job", pk)


def _put(request: SignedInRequest, job: Job, verb: str) -> None:
    """:raises Http404: it was deleted at this moment"""
    try:
        if verb == "archive":
            saving.archive(job, by=request.user)
            messages.success(request, f"“{job.name}” is in the archive.")
        else:
            saving.bring_back(job, by=request.user)
            messages.success(request, f"“{job.name}” is back, and switched off.")
    except Job.DoesNotExist as err:
        raise Http404 from err
