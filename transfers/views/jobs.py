"""Jobs of staff and their runs. Other people get a page that says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.models import ServiceAccount
from accounts.views import SignedInRequest
from transfers.forms import JobForm, RunNowForm
from transfers.jobs import runs
from transfers.models import Job, Run
from transfers.views.live import live, version_of, version_of_facts

RUNS_BESIDE_A_JOB = 8
RUNS_OF_A_JOB = 25
#: What a list of runs needs not; both may be large.
HEAVY = ("inputs", "result")

Args = ParamSpec("Args")
View = Callable[Concatenate[SignedInRequest, Args], HttpResponseBase]


def for_staff(view: View[Args]) -> View[Args]:
    @wraps(view)
    def checked(
        request: SignedInRequest, /, *args: Args.args, **kwargs: Args.kwargs
    ) -> HttpResponseBase:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


@require_safe
@for_staff
def jobs(request: SignedInRequest) -> HttpResponse:
    rows = list(Job.objects.select_related("service_account", "owner"))
    latest = latest_runs([job.pk for job in rows])
    context = {
        "rows": [(job, latest.get(job.pk, [])) for job in rows],
        "has_accounts": ServiceAccount.objects.filter(enabled=True).exists(),
    }
    return render(request, "transfers/jobs/jobs.html", context)


def latest_runs(job_ids: list[UUID]) -> dict[UUID, list[Run]]:
    """``{job: its last runs}``, the oldest first, in one query."""
    numbered = (
        Run.objects.filter(job_id__in=job_ids)
        .defer(*HEAVY)
        .annotate(
            age=Window(
                RowNumber(),
                partition_by=[F("job_id")],
                order_by=F("created_at").desc(),
            )
        )
        .filter(age__lte=RUNS_BESIDE_A_JOB)
        .order_by("created_at")
    )
    found: dict[UUID, list[Run]] = {}
    for run in numbered:
        found.setdefault(run.job_id, []).append(run)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def job_new(request: SignedInRequest) -> HttpResponse:
    given = {
        name: request.GET[name] for name in JobForm.Meta.fields if name in request.GET
    }
    instance = Job(owner=request.user)
    form = JobForm(request.POST or None, initial=given, instance=instance)
    if form.is_valid():
        job = form.save()
        messages.success(request, f"The job “{job.name}” is saved.")
        return redirect("transfers:job", job.pk)
    return render(request, "transfers/jobs/job_new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def job(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The job, its runs, and the form that changes it."""
    found = get_object_or_404(
        Job.objects.select_related("service_account", "owner"), pk=pk
    )
    form = JobForm(request.POST or None, instance=found)
    if form.is_valid():
        form.save()
        messages.success(request, "The job is changed. Runs under way are not.")
        return redirect("transfers:job", pk)
    return _job_page(request, Job.objects.get(pk=pk), form, RunNowForm())


def _job_page(
    request: SignedInRequest, found: Job, form: JobForm, run_form: RunNowForm
) -> HttpResponse:
    of_job = found.runs.defer(*HEAVY).select_related("triggered_by")[:RUNS_OF_A_JOB]
    context = {
        "job": found,
        "form": form,
        "run_form": run_form,
        "runs": of_job,
    }
    return render(request, "transfers/jobs/job.html", context)


@require_POST
@for_staff
def run_now(request: SignedInRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(Job, pk=pk)
    form = RunNowForm(request.POST)
    if not form.is_valid():
        return _job_page(request, found, JobForm(instance=found), form)
    run = runs.run_now(found, by=request.user, reason=form.cleaned_data["reason"])
    messages.success(request, "The run is on its way.")
    return redirect("transfers:run", run.pk)


@require_safe
@for_staff
def run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    found = get_object_or_404(_runs(), pk=pk)
    context = {
        "run": found,
        "version": version_of_run(found),
        "steps": found.steps.all(),
    }
    return render(request, "transfers/jobs/run.html", context)


@require_safe
@for_staff
def run_progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The moving part of a run's page; asks the database, never Globus."""
    found = get_object_or_404(_runs(), pk=pk)
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
    found = get_object_or_404(_runs(), pk=pk)
    if found.is_finished:
        messages.info(request, "The run has ended already.")
        return redirect("transfers:run", pk)
    if request.method != "POST":
        return render(request, "transfers/jobs/run_cancel.html", {"run": found})

    runs.cancel(found, by=request.user)

    messages.success(request, "The run is being stopped.")
    return redirect("transfers:run", pk)


def _runs() -> QuerySet[Run]:
    return Run.objects.select_related(
        "job", "service_account", "triggered_by", "transfer", "inventory"
    )


def version_of_run(found: Run) -> str:
    """Changes with everything that ``_run_state.html`` shows."""
    moving = version_of([found.transfer] if found.transfer else [])
    inventory = getattr(found, "inventory", None)
    listed = inventory and (inventory.state, inventory.folders_read, inventory.entries)
    return version_of_facts(found.state, found.says, moving, listed)
