"""The dry run of what a person is about to send, or of a job that they are about to
save: watched, looked at, gone on from.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.views import SignedInRequest
from portal.sessions import asked_by_page
from transfers.jobs import trials
from transfers.jobs.permissions import accounts_open_to, is_staff
from transfers.models import Inventory, Trial
from transfers.views.inventories import file_of, wish_of
from transfers.views.live import live
from transfers.views.trials import of_dry_run, sides_of, version_of_trial


def _mine(request: SignedInRequest, pk: UUID) -> Trial:
    """What a service account sees is for those who may use it."""
    trials_here = Trial.objects.select_related("user", "service_account")
    trial = get_object_or_404(trials_here, pk=pk, user=request.user)
    account = trial.service_account
    if account is not None and not (
        is_staff(request.user)
        and accounts_open_to(request.user).filter(pk=account.pk).exists()
    ):
        raise Http404
    return trial


@require_safe
def shown(request: SignedInRequest, pk: UUID) -> HttpResponse:
    trial = _mine(request, pk)
    fields = [
        (name, value)
        for name, values in trial.inputs["form"].items()
        for value in values
    ]
    context = {
        "trial": trial,
        "fields": fields,
        "form_url": trial.inputs.get("page") or reverse("transfers:new"),
        **of_dry_run(request, trial),
    }
    return render(request, "transfers/dry_run.html", context)


@asked_by_page
@require_safe
def progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The moving part; asks the database, never Globus."""
    trial = _mine(request, pk)
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
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    trials.cancel(_mine(request, pk), by=request.user)
    messages.success(request, "It is being stopped.")
    return redirect("transfers:own_dry_run", pk)


@require_safe
def download(request: SignedInRequest, pk: UUID, form: str) -> HttpResponseBase:
    """What it found, as a file."""
    sides = Inventory.objects.filter(part=Inventory.Part.SOURCE)
    source = get_object_or_404(sides, trial=_mine(request, pk))
    return file_of(source, wish_of(request), form)
