"""The home page, and everything about transfers that were asked for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
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
from portal.globus.requirements import Kind
from portal.sessions import asked_by_page
from transfers import attention, submission
from transfers.jobs import permissions
from transfers.models import Run, Transfer
from transfers.models import TransferQuerySet as Transfers
from transfers.storable import storable_text
from transfers.views.live import live, version_of
from transfers.views.sending import recent_places

ROWS = 25
ITEMS_SHOWN = 100
RUNNING_SHOWN = 10
FINISHED_SHOWN = 6

FILTERS: dict[str, tuple[str, Q]] = {
    "": ("All", Q()),
    "running": (
        "Running",
        ~Q(status__in=[*Transfer.FINISHED, Transfer.Status.WAITING]),
    ),
    "waiting": ("Waits for me", Q(status=Transfer.Status.WAITING)),
    "succeeded": ("Succeeded", Q(status=Transfer.Status.SUCCEEDED)),
    "failed": ("Failed", Q(status=Transfer.Status.FAILED)),
}
#: What a list needs not; both may be large.
HEAVY = ("document", "task_document")


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    context = {
        **_overview(request.user),
        "matters": attention.matters(request.user),
        "places": recent_places(request.user),
    }
    return render(request, "transfers/home.html", context)


@asked_by_page
@require_safe
def overview(request: SignedInRequest) -> HttpResponse:
    """What runs and what ended, for a home page that is open."""
    context = _overview(request.user)
    return live(
        request,
        "transfers/_overview.html",
        context,
        context["version"],
        ends=not context["running"],
    )


def _overview(user: User) -> dict[str, Any]:
    mine = Transfer.objects.owned_by(user).defer(*HEAVY)
    running = list(mine.filter(FILTERS["running"][1])[:RUNNING_SHOWN])
    recent = list(mine.finished().order_by("-finished_at")[:FINISHED_SHOWN])
    return {
        "running": running,
        "recent": recent,
        "version": version_of([*running, *recent]),
    }


@require_safe
def activity(request: SignedInRequest) -> HttpResponse:
    status, text = (
        request.GET.get("status", ""),
        storable_text(request.GET.get("q", "").strip()),
    )
    status = status if status in FILTERS else ""
    rows = Transfer.objects.owned_by(request.user).filter(FILTERS[status][1])
    if text:
        rows = rows.filter(
            Q(label__icontains=text)
            | Q(source_name__icontains=text)
            | Q(destination_name__icontains=text)
        )
    page = Paginator(rows.defer(*HEAVY), ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "text": text,
        "status": status,
        "filters": [(key, words) for key, (words, _) in FILTERS.items()],
    }
    return render(request, "transfers/activity.html", context)


def visible_to(user: User) -> Transfers:
    """A person's own; for staff also what service accounts did for jobs they see."""
    seen = Q(user=user)
    if permissions.is_staff(user):
        runs = Run.objects.exclude(job__in=permissions.jobs_open_to(user))
        of_hidden_job = runs.filter(transfer=OuterRef("pk"))
        seen |= Q(service_account__isnull=False) & ~Q(Exists(of_hidden_job))
    return Transfer.objects.filter(seen).select_related(
        "user", "service_account", "run__job"
    )


@require_safe
def detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    transfer = get_object_or_404(visible_to(request.user), pk=pk)
    return render(request, "transfers/detail.html", _facts(transfer))


@asked_by_page
@require_safe
def progress(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """All that changes on a transfer's page; asks the database, never Globus."""
    transfer = get_object_or_404(visible_to(request.user), pk=pk)
    return live(
        request,
        "transfers/_detail.html",
        _facts(transfer),
        version_of([transfer]),
        ends=transfer.is_finished,
    )


def _facts(transfer: Transfer) -> dict[str, Any]:
    items = transfer.document.get("DATA", [])
    return {
        "transfer": transfer,
        "version": version_of([transfer]),
        "items": items[:ITEMS_SHOWN],
        "items_left": max(0, len(items) - ITEMS_SHOWN),
        "options": options_in_words(transfer.document),
        "is_stalled": transfer.is_stalled(timezone.now()),
        "needs_sign_in": transfer.requirement.kind != Kind.CONSENT,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Asks first; a finished transfer leads back to its page."""
    transfer = get_object_or_404(visible_to(request.user), pk=pk)
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
    submission.resume(get_object_or_404(waiting, pk=pk))
    messages.success(request, "The transfer is on its way again.")
    return redirect("transfers:detail", pk=pk)


@require_POST
def way_on(request: SignedInRequest, pk: UUID) -> HttpResponseBase:
    """To Globus, for what a transfer waits for, and back to its page."""
    waiting = Transfer.objects.owned_by(request.user).waiting()
    transfer = get_object_or_404(waiting, pk=pk)
    page = reverse("transfers:detail", args=[pk])
    action = pending.remember_for_later(request, transfer.requirement, path=page)
    return redirect(
        pending.way_to_globus(action), preserve_request=pending.goes_to_globus(action)
    )


@require_safe
def needs_me(request: SignedInRequest) -> HttpResponse:
    context = {"matters": attention.matters(request.user)}
    return render(request, "transfers/attention.html", context)


SYNC_WORDS = {
    0: "only files that were not there yet",
    1: "only files whose size differed",
    2: "only files that were newer, or whose size differed",
    3: "only files whose checksum differed",
}
OPTION_WORDS = {
    "encrypt_data": "Encrypted on the way",
    "preserve_timestamp": "The time of the last change is kept",
    "skip_source_errors": "What cannot be read is left out",
    "fail_on_quota_errors": "Fails when the destination is full",
}


def options_in_words(document: dict[str, Any]) -> list[str]:
    if document.get("DATA_TYPE") == "delete":
        return ["Folders with all that is in them"] if document.get("recursive") else []
    level = document.get("sync_level")
    checked = document.get("verify_checksum")
    return [
        f"Copies {SYNC_WORDS.get(level, 'every file')}"
        if isinstance(level, int)
        else "Copies every file",
        "Checksums are verified" if checked else "Checksums are not verified",
        *(words for name, words in OPTION_WORDS.items() if document.get(name)),
    ]
