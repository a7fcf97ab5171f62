"""Preflights and dry runs of a job: asked for, watched, looked at."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.models import User
from accounts.views import SignedInRequest
from portal.sessions import asked_by_page
from transfers.jobs import permissions, trials
from transfers.jobs.permissions import Action
from transfers.models import Inventory, Trial
from transfers.views.inventories import changes_of, file_of, page_context, wish_of
from transfers.views.live import live, version_of_facts
from transfers.views.staff import for_staff, open_job

PREFLIGHT, DRY_RUN = Trial.Kind.PREFLIGHT, Trial.Kind.DRY_RUN


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def preflight(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The last checklist; POST asks for a new one."""
    is_asked = request.method == "POST"
    job = open_job(request, pk, Action.RUN if is_asked else Action.SEE)
    if is_asked:
        trials.ask(job, PREFLIGHT, by=request.user)
        return redirect("transfers:preflight", pk)
    trial = trials.latest(job, PREFLIGHT)
    context = {
        "job": job,
        "trial": trial,
        "outdated": trial is not None and trial.inputs != job.inputs(),
        "version": version_of_trial(trial) if trial else "",
    }
    return render(request, "transfers/jobs/preflight.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def dry_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The last dry run; POST asks for a new one."""
    is_asked = request.method == "POST"
    job = open_job(request, pk, Action.RUN if is_asked else Action.SEE)
    if is_asked:
        trials.ask(job, DRY_RUN, by=request.user)
        return redirect("transfers:dry_run", pk)
    trial = trials.latest(job, DRY_RUN)
    context = {
        "job": job,
        "trial": trial,
        "outdated": trial is not None and trial.inputs != job.inputs(),
        "has_one": job.destination_collection is not None,
    }
    if trial is not None:
        context |= of_dry_run(request, trial)
    return render(request, "transfers/jobs/dry_run.html", context)


def of_dry_run(request: SignedInRequest, trial: Trial) -> dict[str, object]:
    sides = sides_of(trial)
    found: dict[str, object] = {
        "version": version_of_trial(trial, sides),
        "sides": sides,
    }
    source = next((each for each in sides if each.part == Inventory.Part.SOURCE), None)
    if trial.state == Trial.State.DONE and source is not None:
        found["changes"] = changes_of(source)
        found |= page_context(request, source)
    return found


def sides_of(trial: Trial) -> list[Inventory]:
    if trial.kind != DRY_RUN:
        return []
    sides = trial.inventories.select_related("job").order_by("created_at")
    return list(sides)


@asked_by_page
@require_safe
@for_staff
def progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The moving part of either page; asks the database, never Globus."""
    trial = get_object_or_404(_trials(request.user), pk=pk)
    sides = sides_of(trial)
    context = {"trial": trial, "sides": sides, "is_alone": True}
    return live(
        request,
        "transfers/jobs/_trial.html",
        context,
        version_of_trial(trial, sides),
        ends=trial.is_finished,
    )


@require_POST
@for_staff
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    trial = get_object_or_404(_trials(request.user), pk=pk)
    assert trial.job is not None  # by ``_trials``
    permissions.check(request.user, Action.RUN, trial.job)
    trials.cancel(trial, by=request.user)
    messages.success(request, "It is being stopped.")
    way = "transfers:preflight" if trial.kind == PREFLIGHT else "transfers:dry_run"
    return redirect(way, trial.job_id)


@require_safe
@for_staff
def download(request: SignedInRequest, pk: UUID, form: str) -> HttpResponseBase:
    """What a dry run found, as a file."""
    sides = Inventory.objects.select_related("job").filter(
        part=Inventory.Part.SOURCE, job__in=permissions.jobs_open_to(request.user)
    )
    return file_of(get_object_or_404(sides, trial=pk), wish_of(request), form)


def _trials(user: User) -> QuerySet[Trial]:
    seen = Trial.objects.filter(job__in=permissions.jobs_open_to(user))
    return seen.select_related("job__service_account", "job__owner")


def version_of_trial(trial: Trial, sides: list[Inventory] | None = None) -> str:
    """Changes with everything that ``_trial.html`` shows."""
    listed = [
        (each.part, each.state, each.folders_read, each.entries) for each in sides or ()
    ]
    return version_of_facts(trial.pk, trial.state, trial.says, listed)
