"""The staff desk: the list of jobs, one job, and its runs."""

from __future__ import annotations

import contextlib
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.views import SignedInRequest
from portal.sessions import asked_by_page
from transfers import option_words
from transfers.forms import RunNowForm
from transfers.jobs import (
    describing,
    first_run,
    form_checks,
    pausing,
    permissions,
    previews,
    runs,
    schedules,
    searching,
)
from transfers.jobs.holds import Holds
from transfers.jobs.models import Hold, Job, Run, Schedule
from transfers.jobs.permissions import Action
from transfers.jobs.searching import HEAVY, PAUSED, STATES, Search
from transfers.views.live import live, version_of, version_of_facts
from transfers.views.staff import for_staff, open_job, open_run

ROWS = 50
RUNS_OF_A_JOB = 25
WAITING_SHOWN = 10
VERSIONS_SHOWN = 50
MOST_AT_ONCE = 200
#: of a form that was sent again after a sign-in on the way, without its button
NOTHING_PRESSED = "Nothing was done yet. Press the button once more."


@require_safe
@for_staff
def jobs(request: SignedInRequest) -> HttpResponse:
    search = Search.of(request.GET)
    rows = searching.found(request.user, search)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    latest = searching.latest_runs([job.pk for job in page])
    waiting = searching.waiting(request.user)
    context = {
        "search": search,
        "page": page,
        "rows": [(job, latest.get(job.pk, [])) for job in page],
        "kinds": Job.Kind.choices,
        "states": STATES.items(),
        "paused": PAUSED.items(),
        "choices": searching.choices(request.user),
        "waiting": waiting[:WAITING_SHOWN],
        "waiting_more": waiting[WAITING_SHOWN : WAITING_SHOWN + 1].count(),
        "everything": Hold.objects.in_force().filter(
            job__isnull=True, service_account__isnull=True
        ),
        "has_accounts": permissions.accounts_open_to(request.user)
        .filter(enabled=True)
        .exists(),
    }
    return render(request, "transfers/jobs/jobs.html", context)


@require_safe
@for_staff
def waiting(request: SignedInRequest) -> HttpResponse:
    """All that waits, with its reason."""
    page = Paginator(searching.waiting(request.user), ROWS).get_page(
        request.GET.get("page")
    )
    return render(request, "transfers/jobs/waiting.html", {"page": page})


@require_POST
@for_staff
def bulk(request: SignedInRequest) -> HttpResponse:
    """Pauses or resumes the picked jobs, with a reason."""
    ids = [
        pk for text in request.POST.getlist("job")[:MOST_AT_ONCE] if (pk := _id(text))
    ]
    picked = permissions.jobs_open_to(request.user, Action.EDIT).filter(pk__in=ids)
    rows = list(picked.select_related("service_account"))
    reason = request.POST.get("reason", "").strip()
    if not rows:
        messages.error(request, "Pick jobs that you may change first.")
    elif request.POST.get("do") == "resume":
        done = pausing.resume(rows, by=request.user, reason=reason)
        _say_of(request, rows, done, f"{_jobs(done)} resumed.", "not paused")
        in_force = Holds.in_force()
        if held := [each for each in rows if in_force.holding(each)]:
            says = f"{_jobs(held)} still held back, by more than a pause of the job."
            messages.warning(request, says)
    elif request.POST.get("do") != "pause":
        messages.info(request, NOTHING_PRESSED)
    elif not reason:
        messages.error(request, "Say why, so that others know what to wait for.")
    else:
        done = pausing.pause(rows, by=request.user, reason=reason)
        says = f"{_jobs(done)} paused. Runs under way go on."
        _say_of(request, rows, done, says, "paused already, and why stays as it was")
    if len(rows) < len(ids):
        messages.warning(
            request, f"{len(ids) - len(rows)} of them you may not change; they stay."
        )
    query = request.POST.get("query", "")
    address = reverse("transfers:jobs")
    return redirect(f"{address}?{query}" if query else address)


def _say_of(
    request: SignedInRequest, rows: list[Job], done: list[Job], says: str, was: str
) -> None:
    if done:
        messages.success(request, says)
    if others := len(rows) - len(done):
        verb = "was" if others == 1 else "were"
        messages.info(request, f"{describing.counted(others, 'job')} {verb} {was}.")


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _jobs(rows: list[Job]) -> str:
    return describing.counted(len(rows), "job")


@require_safe
@for_staff
def job(request: SignedInRequest, pk: UUID) -> HttpResponse:
    found = open_job(request, pk)
    if found.service_account.enabled:
        form_checks.learn_names(found)
    return _job_page(request, found, RunNowForm())


def _job_page(
    request: SignedInRequest, found: Job, run_form: RunNowForm, status: int = 200
) -> HttpResponse:
    rows = list(found.schedules.select_related("paused_by").order_by("created_at"))
    of_job = found.runs.defer(*HEAVY).select_related("triggered_by", "job_version")
    context = {
        "job": found,
        "paragraph": describing.paragraph(found, rows),
        "schedules": [(row, describing.when(row)) for row in rows],
        "due": _next(rows),
        "holds": found.holds.in_force().select_related("by"),
        "wider_holds": Hold.objects.in_force()
        .beyond(found)
        .select_related("by", "service_account"),
        "run_form": run_form,
        "page": Paginator(of_job, RUNS_OF_A_JOB).get_page(request.GET.get("page")),
        "versions": found.versions.select_related("made_by")[:VERSIONS_SHOWN],
        "roles": found.roles.select_related("group"),
        "may_run": permissions.may(request.user, Action.RUN, found),
        "may_edit": permissions.may(request.user, Action.EDIT, found),
        "has_runs": found.runs.exists(),
    }
    return render(request, "transfers/jobs/job.html", context, status=status)


def _next(rows: list[Schedule]) -> list[schedules.Due]:
    rhythms = []
    for row in rows:
        if row.next_run_at is not None:
            # What is wrong with a schedule stands in its own sentence.
            with contextlib.suppress(schedules.BadSchedule):
                rhythms.append(schedules.rhythm_of(row))
    return previews.next_of_all(rhythms, timezone.now())


@require_POST
@for_staff
def run_now(request: SignedInRequest, pk: UUID) -> HttpResponse:
    found = open_job(request, pk, Action.RUN)
    form = RunNowForm(request.POST)
    if not form.is_valid():
        return _job_page(request, found, form)
    run = runs.run_now(found, by=request.user, reason=form.cleaned_data["reason"])
    messages.success(request, "The run is on its way.")
    return redirect("transfers:run", run.pk)


@require_POST
@for_staff
def hold(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Pauses one job, or lets it go on."""
    found = open_job(request, pk, Action.EDIT)
    reason = request.POST.get("reason", "").strip()
    if request.POST.get("do") == "resume":
        _resume_one(request, found, reason)
    elif request.POST.get("do") != "pause":
        messages.info(request, NOTHING_PRESSED)
    elif not reason:
        messages.error(request, "Say why, so that others know what to wait for.")
    else:
        _pause_one(request, found, reason)
    return redirect("transfers:job", pk)


def _resume_one(request: SignedInRequest, found: Job, reason: str) -> None:
    done = pausing.resume([found], by=request.user, reason=reason)
    if held := Holds.in_force().holding(found):
        messages.warning(request, f"It still waits. {held}")
    elif done:
        messages.success(request, "The job goes on.")
    else:
        messages.info(request, "The job was not paused.")


def _pause_one(request: SignedInRequest, found: Job, reason: str) -> None:
    if pausing.pause([found], by=request.user, reason=reason):
        messages.success(request, "The job is paused. A run under way goes on.")
    else:
        messages.info(
            request, "The job was paused already; by whom and why stays as it was."
        )


@require_safe
@for_staff
def run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    found = open_run(request, pk)
    context = {
        "run": found,
        "version": version_of_run(found),
        "steps": found.steps.all(),
        "children": found.children.defer(*HEAVY).order_by("created_at"),
        "may_run": permissions.may(request.user, Action.RUN, found.job),
        "may_edit": permissions.may(request.user, Action.EDIT, found.job),
        "options": options_of(found),
        "was_stopped_by_preflight": found.says.startswith(first_run.STOPPED),
    }
    return render(request, "transfers/jobs/run.html", context)


def options_of(found: Run) -> list[str]:
    given = found.inputs
    if given.get("kind") == Job.Kind.LIST:
        words = describing.part_of_tree(
            given["recursive"], given.get("depth"), given.get("filters") or {}
        )
        part = words.strip(" ,")
        return [f"{part[:1].upper()}{part[1:]}"] if part else []
    return option_words.of(found.inputs.get("options", {}))


@asked_by_page
@require_safe
@for_staff
def run_progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The moving part of a run's page; asks the database, never Globus."""
    found = open_run(request, pk)
    return live(
        request,
        "transfers/jobs/_run_state.html",
        {"run": found},
        version_of_run(found),
        ends=found.is_finished,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def run_cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Asks first; a finished run leads back to its page."""
    found = open_run(request, pk, Action.RUN)
    if found.is_finished:
        messages.info(request, "The run has ended already.")
        return redirect("transfers:run", pk)
    if request.method != "POST":
        return render(request, "transfers/jobs/run_cancel.html", {"run": found})

    runs.cancel(found, by=request.user)

    messages.success(request, "The run is being stopped.")
    return redirect("transfers:run", pk)


def version_of_run(found: Run) -> str:
    """Changes with everything that ``_run_state.html`` shows."""
    moving = version_of([found.transfer] if found.transfer else [])
    inventory = getattr(found, "inventory", None)
    listed = inventory and (inventory.state, inventory.folders_read, inventory.entries)
    return version_of_facts(found.state, found.says, moving, listed)
