"""What runs found: an inventory as a page, and as files to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.views import SignedInRequest
from portal.downloads import csv_response, streamed
from transfers.jobs import inventories, permissions
from transfers.jobs.chunks import CHANGED, GONE, NEW, NOT_COMPARED, SAME, Row
from transfers.jobs.inventories import CHANGES, ORDERS, Wish
from transfers.models import Inventory, InventoryFolder
from transfers.paths import parents
from transfers.views.staff import for_staff, open_job

INVENTORIES_OF_A_PAGE = 25
SHOWN_UNREAD = 50
LONGEST_WORDS = 200
#: types whose bars stand beside the entries
SHOWN_TYPES = 12

COLUMNS = (
    "path",
    "name",
    "type",
    "size",
    "modified",
    "permissions",
    "user",
    "group",
    "link_target",
    "change",
)
CHANGE_WORDS = {
    NEW: "new",
    CHANGED: "changed",
    GONE: "gone",
    SAME: "same",
    NOT_COMPARED: "",
}


@require_safe
@for_staff
def of_job(request: SignedInRequest, pk: UUID) -> HttpResponse:
    job = open_job(request, pk)
    ready = (
        Inventory.objects.filter(
            job=job, part=Inventory.Part.RUN, state=Inventory.State.READY
        )
        .defer("summary")
        .order_by("-created_at")
    )
    page = Paginator(ready, INVENTORIES_OF_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "job": job,
        "page": page,
        "most_bytes": max((each.bytes for each in page), default=0),
        "request": request,
    }
    return render(request, "transfers/jobs/inventories.html", context)


@require_safe
@for_staff
def of_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    seen = _inventories(request.user).select_related("run", "compared_with__run")
    inventory = get_object_or_404(seen, run=pk)
    context = page_context(request, inventory)
    return render(request, "transfers/jobs/inventory.html", context)


@require_safe
@for_staff
def download(request: SignedInRequest, pk: UUID, form: str) -> HttpResponseBase:
    found = get_object_or_404(_inventories(request.user), run=pk)
    return file_of(found, wish_of(request), form)


@require_safe
@for_staff
def unread(request: SignedInRequest, pk: UUID) -> HttpResponseBase:
    inventory = get_object_or_404(_inventories(request.user), run=pk)
    rows = inventory.tree.exclude(says="").order_by("path").iterator(chunk_size=200)
    return csv_response(
        f"{_named(inventory)}-not-read.csv",
        ["folder", "why"],
        ([each.path_text, each.says] for each in rows),
    )


def _inventories(user: User) -> QuerySet[Inventory]:
    seen = Inventory.objects.filter(job__in=permissions.jobs_open_to(user))
    return seen.select_related("job")


def page_context(request: SignedInRequest, inventory: Inventory) -> dict[str, Any]:
    """What ``_inventory.html`` needs; a bounded number of chunks is opened for it."""
    wish = wish_of(request)
    top = f"{inventory.path.rstrip('/')}/"
    here = wish.folder or top
    context: dict[str, Any] = {
        "inventory": inventory,
        "wish": wish,
        "request": request,
        "here": here,
        "crumbs": [each for each in parents(here) if each[1].startswith(top)],
    }
    if not inventory.is_ready:
        return context
    types = inventory.summary.get("types", [])
    unread_folders = inventory.tree.exclude(says="").order_by("path")
    return context | {
        "page": inventories.page(inventory, wish, request.GET.get("from", "")),
        "parts": inventories.parts_of(inventory, here),
        "types": types[:SHOWN_TYPES],
        "other_types": max(0, len(types) - SHOWN_TYPES),
        "most_of_a_type": max((each[2] for each in types), default=0),
        "unread": _first_unread(inventory, unread_folders[:SHOWN_UNREAD]),
        "changes": changes_of(inventory),
    }


def _first_unread(inventory: Inventory, folders: Any) -> list[InventoryFolder]:
    return [] if inventory.is_complete else list(folders)


def changes_of(inventory: Inventory) -> list[tuple[str, str, int, int]]:
    """``(key, words, entries, bytes)``"""
    words = ("New", "Changed", "Gone")
    if inventory.part != Inventory.Part.RUN:
        words = ("To be copied", "To be overwritten", "Only at the destination")
    return [
        ("new", words[0], inventory.new, inventory.bytes_new),
        ("changed", words[1], inventory.changed, inventory.bytes_changed),
        ("gone", words[2], inventory.gone, inventory.bytes_gone),
    ]


def wish_of(request: SignedInRequest) -> Wish:
    asked = request.GET
    folder = asked.get("folder", "")
    change, order = asked.get("change", ""), asked.get("order", "")
    return Wish(
        words=asked.get("q", "").strip()[:LONGEST_WORDS],
        folder=folder if folder.startswith("/") and folder.endswith("/") else "",
        change=change if change in CHANGES else "",
        type=asked.get("type"),
        order=order if order in ORDERS else "",
    )


def file_of(inventory: Inventory, wish: Wish, form: str) -> StreamingHttpResponse:
    """All that fits, as a file that is sent while the chunks are read."""
    if not inventory.is_ready:
        raise Http404
    name = f"{_named(inventory)}-{inventory.created_at:%Y-%m-%d}"
    rows = inventories.everything(inventory, wish)
    if form == "csv":
        return csv_response(f"{name}.csv", COLUMNS, map(_cells, rows))
    return streamed(f"{name}.jsonl", "application/jsonl", _json_lines(rows))


def _named(inventory: Inventory) -> str:
    """The beginning of a file's name."""
    if inventory.job is None:
        return "dry-run"
    return slugify(inventory.job.name) or "job"


def _values(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "name": row.name,
        "type": row.type,
        "size": row.size,
        "modified": _moment(row.modified),
        "permissions": row.permissions,
        "user": row.user,
        "group": row.group,
        "link_target": row.link_target,
        "change": CHANGE_WORDS[row.change],
    }


def _moment(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def _cells(row: Row) -> list[str]:
    return ["" if each is None else str(each) for each in _values(row).values()]


def _json_lines(rows: Iterator[Row]) -> Iterator[str]:
    """ASCII, so that also names that are no text stand there exactly."""
    for row in rows:
        yield f"{json.dumps(_values(row))}\n"
