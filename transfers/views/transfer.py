"""The page of one transfer, and what can be done with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import pending
from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import GlobusFailure, globus_errors
from portal.globus.requirements import Kind, Requirement
from portal.sessions import asked_by_page
from transfers import (
    details,
    editing,
    estimating,
    history,
    monitoring,
    option_words,
    places,
    repeating,
    stalls,
    submission,
)
from transfers.forms import AgainForm, TaskForm
from transfers.jobs import permissions
from transfers.models import Run, Transfer, TransferQuerySet
from transfers.views.activity import HEAVY
from transfers.views.live import (
    VERSION_COLUMNS,
    live,
    version_of,
    version_of_facts,
)

ITEMS_SHOWN = 100


def visible_to(user: User) -> TransferQuerySet:
    """A person's own; for staff also what service accounts did for jobs they see."""
    seen = Q(user=user)
    if permissions.is_staff(user):
        runs = Run.objects.exclude(job__in=permissions.jobs_open_to(user))
        of_hidden_job = runs.filter(transfer=OuterRef("pk"))
        seen |= Q(service_account__isnull=False) & ~Q(Exists(of_hidden_job))
    return Transfer.objects.filter(seen)


def found(request: SignedInRequest, pk: UUID) -> Transfer:
    """With all that its page says.

    :raises Http404: there is none, for this person
    """
    rows = visible_to(request.user).select_related(
        "user", "service_account", "asked_by", "run__job", "again_of", "details"
    )
    return get_object_or_404(rows, pk=pk)


@require_safe
def detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    transfer = found(request, pk)
    details.ask_for(transfer)
    if not transfer.is_finished:
        monitoring.look(transfer.principal)
    transfer = found(request, pk)
    return render(request, "transfers/detail.html", _facts(transfer))


@asked_by_page
@require_safe
def progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """All that changes on a transfer's page; asks the database, never Globus.

    One query while nothing has changed.
    """
    rows = visible_to(request.user).select_related("details").only(*_OF_A_VERSION)
    brief = get_object_or_404(rows, pk=pk)
    if not brief.is_finished:
        is_own = brief.user_id == request.user.pk
        monitoring.look(request.user if is_own else brief.principal)
    known = details.ask_for(brief)
    version = _version(brief, known and known.fetched_at)
    return live(
        request,
        "transfers/_detail.html",
        lambda: _facts(found(request, pk)),
        version,
        ends=brief.is_finished and not details.is_coming(known),
    )


#: what ``progress`` reads while nothing has changed: a third of the columns
_OF_A_VERSION = (
    *VERSION_COLUMNS,
    "user",
    "service_account",
    "task_id",
    "finished_at",
    "details__asked_at",
    "details__fetched_at",
)


def _version(transfer: Transfer, fetched_at: Any) -> str:
    return version_of_facts(version_of([transfer]), fetched_at)


def _facts(transfer: Transfer) -> dict[str, Any]:
    now = timezone.now()
    items = transfer.document.get("DATA", [])
    samples = history.samples_of(transfer.pk) if transfer.task_id else []
    known = details.known_of(transfer)
    speeds = estimating.speeds(transfer.began_at, samples)
    return {
        "transfer": transfer,
        "version": _version(transfer, known and known.fetched_at),
        "items": items[:ITEMS_SHOWN],
        "items_left": max(0, len(items) - ITEMS_SHOWN),
        "options": option_words.of(transfer.document),
        "stall": stalls.stall_of(transfer, now),
        "blocker": _blocker(transfer),
        "before": places.before(transfer),
        "needs_sign_in": transfer.requirement.kind != Kind.CONSENT,
        "time_left": estimating.time_left(transfer, samples, now),
        "speeds": speeds if len(speeds) > 1 else [],
        "details": known,
        "details_coming": details.is_coming(known),
        "can_be_edited": repeating.can_be_edited(transfer),
    }


def _blocker(transfer: Transfer) -> Transfer | None:
    if not transfer.is_blocked or transfer.blocked_by is None:
        return None
    rows = Transfer.objects.acted_by(transfer.principal).defer(*HEAVY)
    return rows.filter(task_id=transfer.blocked_by).first()


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Asks first; a finished transfer leads back to its page."""
    transfer = found(request, pk)
    if not transfer.can_be_cancelled:
        messages.info(request, "There is nothing left to cancel.")
        return redirect("transfers:detail", pk=pk)
    if request.method != "POST":
        return render(request, "transfers/cancel.html", {"transfer": transfer})
    run = getattr(transfer, "run", None)
    if run is not None:
        permissions.check(request.user, permissions.Action.RUN, run.job)

    submission.cancel(transfer_client(transfer.principal), transfer)

    messages.success(request, "The transfer is being cancelled.")
    return redirect("transfers:detail", pk=pk)


@require_POST
def resume(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Sends on what waited, e.g. after the person gave a consent."""
    waiting = Transfer.objects.owned_by(request.user).waiting()
    transfer = get_object_or_404(waiting, pk=pk)
    submission.resume(transfer)
    words = (
        "It is sent as soon as the other one has ended."
        if transfer.is_blocked
        else "The transfer is on its way again."
    )
    messages.success(request, words)
    return redirect("transfers:detail", pk=pk)


@require_POST
def instead(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Cancels the task that is in the way, and sends this one then."""
    waiting = Transfer.objects.owned_by(request.user).unfinished()
    blocked = waiting.filter(blocked_at__isnull=False, task_id=None)
    transfer = get_object_or_404(blocked, pk=pk)
    submission.cancel_blocker(transfer_client(request.user), transfer)
    messages.success(
        request, "The other one is being cancelled; this one is sent when it has ended."
    )
    return redirect("transfers:detail", pk=pk)


@require_POST
def way_on(request: SignedInRequest, pk: UUID) -> HttpResponseBase:
    """To Globus, for what a transfer waits for, and back to its page."""
    mine = Transfer.objects.owned_by(request.user)
    waiting = mine.waiting() | mine.filter(status=Transfer.Status.INACTIVE)
    transfer = get_object_or_404(waiting.filter(blocked_at=None), pk=pk)
    page = reverse("transfers:detail", args=[pk])
    action = pending.remember_for_later(request, _requirement(transfer), path=page)
    return redirect(
        pending.way_to_globus(action), preserve_request=pending.goes_to_globus(action)
    )


def _requirement(transfer: Transfer) -> Requirement:
    """Of an inactive task Globus does not say what it lacks, so both ends are tried."""
    if transfer.status == Transfer.Status.WAITING:
        return transfer.requirement
    client = transfer_client(transfer.principal)
    for collection_id in filter(None, (transfer.source_id, transfer.destination_id)):
        try:
            with globus_errors():
                client.operation_ls(collection_id, limit=1)
        except GlobusFailure as err:
            if err.requirement is not None:
                return err.requirement
    return Requirement()


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Its label, and its deadline at Globus."""
    rows = visible_to(request.user).unfinished()
    transfer = get_object_or_404(rows, pk=pk)
    form = TaskForm(request.POST or None, transfer=transfer)
    if request.method == "POST" and form.is_valid():
        client = transfer_client(transfer.principal)
        values = {name: form.cleaned_data[name] for name in ("label", "deadline")}
        try:
            editing.change(client, transfer, **values)
        except editing.BeingSent as failure:
            form.add_error(None, failure.advice)
        else:
            messages.success(request, "The change is stored.")
            return redirect("transfers:detail", pk=pk)
    return render(request, "transfers/edit.html", {"form": form, "transfer": transfer})


@require_http_methods(["GET", "HEAD", "POST"])
def again(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The same, what is left of it, or changed: a transfer of its own."""
    transfer = get_object_or_404(Transfer.objects.owned_by(request.user), pk=pk)
    form = AgainForm(request.POST or None, transfer=transfer)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["what"] == "changed":
            return redirect(f"{reverse('transfers:new')}?again_of={pk}")
        return _send_again(request, transfer, form)
    context = {"form": form, "transfer": transfer}
    return render(request, "transfers/again.html", context)


def _send_again(
    request: SignedInRequest, transfer: Transfer, form: AgainForm
) -> HttpResponse:
    if form.cleaned_data["what"] == "rest":
        document = repeating.rest(transfer_client(request.user), transfer)
    else:
        document = repeating.same(transfer)
    repeat = submission.ask(
        request.user,
        document,
        asked_by=request.user,
        source_name=transfer.source_name,
        destination_name=transfer.destination_name,
        transfer_id=form.cleaned_data["transfer_id"],
        again_of=transfer,
        cancel_if_stalled=transfer.cancel_if_stalled,
    )
    messages.success(request, "It is stored and goes to Globus now. You can leave.")
    return redirect("transfers:detail", repeat.pk)
