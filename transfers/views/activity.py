"""The home page, the list of all transfers, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.views import SignedInRequest
from portal.downloads import csv_response
from portal.sessions import asked_by_page
from transfers import attention, monitoring, searching, volumes, wishes
from transfers.models import Transfer, TransferQuerySet, Watch
from transfers.views.live import live, version_of, version_of_facts
from transfers.views.reading import whole
from transfers.views.sending import recent_places

ROWS = 25
RUNNING_SHOWN = 10
FINISHED_SHOWN = 6
#: rows of a CSV file
MOST_EXPORTED = 50_000
#: What a list needs not; they may be large.
HEAVY = ("document", "task_document", "error_detail", "pause_message")


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    monitoring.look(request.user)
    weeks = volumes.by_week(request.user, now=timezone.now())
    context = {
        **_overview(request.user),
        "matters": attention.matters(request.user),
        "places": recent_places(request.user),
        "weeks": weeks,
        "has_moved": any(week.size_bytes for week in weeks),
    }
    return render(request, "transfers/home.html", context)


@asked_by_page
@require_safe
def overview(request: SignedInRequest) -> HttpResponse:
    """What runs and what ended, for a home page that is open."""
    monitoring.look(request.user)
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
    waiting = Transfer.Status.WAITING
    under_way = mine.unfinished().exclude(status=waiting)
    running = list(under_way[:RUNNING_SHOWN])
    is_all = len(running) < RUNNING_SHOWN
    count = len(running) if is_all else under_way.order_by().count()
    recent = list(mine.finished().order_by("-finished_at")[:FINISHED_SHOWN])
    return {
        "running": running,
        "running_count": count,
        "recent": recent,
        "version": version_of_facts(count, version_of([*running, *recent])),
    }


@require_safe
def activity(request: SignedInRequest) -> HttpResponse:
    monitoring.look(request.user)
    mine = Transfer.objects.owned_by(request.user)
    search = searching.Search.of(request.GET)
    rows = _found(search, mine)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "transfers": page.object_list,
        "version": version_of(page.object_list),
        "is_live": _is_live(request.user, page.object_list),
        "search": search,
        "states": searching.STATES.items(),
        "origins": searching.ORIGINS.items(),
        "times": [(key, words) for key, (words, _) in searching.TIMES.items()],
        "sorts": [(key, words) for key, (words, _) in searching.SORTS.items()],
        "places": searching.places(mine),
        "collection": str(search.collection or ""),
    }
    return render(request, "transfers/activity.html", context)


@asked_by_page
@require_safe
def rows(request: SignedInRequest) -> HttpResponse:
    """The rows of a page of the list that is open: one query, and ``304``."""
    monitoring.look(request.user)
    mine = Transfer.objects.owned_by(request.user)
    found = _found(searching.Search.of(request.GET), mine)
    first = (max(1, whole(request, "page")) - 1) * ROWS
    shown = list(found[first : first + ROWS])
    is_live = _is_live(request.user, shown)
    version = version_of(shown)
    return live(
        request,
        "transfers/_activity_rows.html",
        {"transfers": shown, "is_live": is_live},
        version,
        ends=not is_live,
    )


def _found(search: searching.Search, mine: TransferQuerySet) -> TransferQuerySet:
    return search.among(mine, timezone.now()).defer(*HEAVY)


def _is_live(user: User, shown: Any) -> bool:
    """Whether something may still change, or be found that was begun elsewhere."""
    if any(not each.is_finished for each in shown):
        return True
    return Watch.objects.filter(user=user, next_poll_at__isnull=False).exists()


CSV_HEADER = (
    "ID",
    "Label",
    "Kind",
    "Status",
    "Says",
    "Started by",
    "Source",
    "Source path",
    "Destination",
    "Destination path",
    "Asked for",
    "Finished",
    "Files",
    "Skipped files",
    "Bytes",
    "Bytes per second",
    "Faults",
    "Globus task",
)


@require_safe
def activity_csv(request: SignedInRequest) -> StreamingHttpResponse:
    """All that the filters leave, not only one page of it."""
    mine = Transfer.objects.owned_by(request.user)
    found = _found(searching.Search.of(request.GET), mine)[:MOST_EXPORTED]
    return csv_response("transfers.csv", CSV_HEADER, _cells(found))


def _cells(found: TransferQuerySet) -> Iterator[list[str]]:
    for each in found.iterator(chunk_size=500):
        yield [
            str(each.pk),
            each.label,
            each.get_kind_display(),
            each.status,
            each.says,
            each.get_origin_display(),
            each.source_name or str(each.source_id),
            each.source_path,
            each.destination_name or str(each.destination_id or ""),
            each.destination_path,
            each.created_at.isoformat(timespec="seconds"),
            each.finished_at.isoformat(timespec="seconds") if each.finished_at else "",
            str(each.files_transferred),
            str(each.files_skipped),
            str(each.bytes_transferred),
            str(each.bytes_per_second),
            str(each.faults),
            str(each.task_id or ""),
        ]


@require_POST
def cancel_many(request: SignedInRequest) -> HttpResponse:
    """Asks first; then workers do it, so that no page waits for Globus."""
    picked = _picked(request)
    able = [each for each in picked if each.can_be_cancelled]
    if not able:
        messages.info(request, "Nothing was picked that can still be cancelled.")
        return redirect("transfers:list")
    if request.POST.get("sure") != "yes":
        return render(request, "transfers/cancel_many.html", {"transfers": able})
    count = wishes.want_cancelled(able, now=timezone.now())
    words = "1 transfer is" if count == 1 else f"{count} transfers are"
    messages.success(request, f"{words} being cancelled.")
    return redirect("transfers:list")


def _picked(request: SignedInRequest) -> list[Transfer]:
    found = []
    for text in request.POST.getlist("transfer")[:200]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    mine = Transfer.objects.owned_by(request.user).unfinished()
    return list(mine.filter(pk__in=found).defer(*HEAVY))


@require_safe
def needs_me(request: SignedInRequest) -> HttpResponse:
    context = {"matters": attention.matters(request.user)}
    return render(request, "transfers/attention.html", context)
