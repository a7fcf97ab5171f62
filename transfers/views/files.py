"""Walking through the folders of a collection, and picking what to transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.globus.errors import (
    NotADirectory,
    NotFound,
    PermissionDenied,
    PortalError,
)
from portal.middleware import failure_context
from transfers import browsing, collections
from transfers.paths import BadPath, normalised, parent, parents
from transfers.views.collections import name_of
from transfers.views.reading import collection_id_of, whole

#: What another path may mend.
PATH_FAILURES = (BadPath, NotADirectory, NotFound, PermissionDenied)
#: Few enough for all picks of a page to fit into one form (security.md W08).
ROWS = 150


@dataclass(frozen=True)
class Column:
    """A head of the table that sorts by it.

    :ivar order: what a click asks for
    :ivar direction: of ``aria-sort``, when the table is sorted by this
    """

    name: str
    order: str
    direction: str = ""
    classes: str = ""


@require_safe
def files(request: SignedInRequest) -> HttpResponse:
    """A folder; a folder that cannot be shown keeps the form to name another."""
    asked = request.GET.get("origin_id", "").strip()
    if not asked:
        return _places(request)
    collection_id = collection_id_of(asked)
    context = {
        "collection_id": collection_id,
        "collection_name": name_of(request.user, collection_id),
        "path": request.GET.get("origin_path", ""),
        "shows_hidden": request.GET.get("hidden") == "1",
        "order": request.GET.get("sort", "name"),
        "destination_id": request.GET.get("destination_id", ""),
        "destination_path": request.GET.get("destination_path", ""),
    }
    try:
        context |= _folder(request, collection_id)
    except PortalError as failure:
        context |= _where(request) | failure_context(request, failure)
        context["path_is_wrong"] = isinstance(failure, PATH_FAILURES)
        return render(request, "transfers/files.html", context, status=failure.status)
    return render(request, "transfers/files.html", context)


def _places(request: SignedInRequest) -> HttpResponse:
    recent = collections.search(
        transfer_client(request.user), scope="recently-used", limit=12
    )
    context = {"recent": recent.collections}
    return render(request, "transfers/files_start.html", context)


def _folder(request: SignedInRequest, collection_id: UUID) -> dict[str, Any]:
    order = request.GET.get("sort", "name")
    offset = whole(request, "offset")
    listing = browsing.listing(
        transfer_client(request.user),
        collection_id,
        request.GET.get("origin_path", ""),
        show_hidden=request.GET.get("hidden") == "1",
        order=order,
        limit=ROWS,
        offset=offset,
    )
    end = offset + len(listing.entries)
    return {
        "listing": listing,
        "path": listing.path,
        "crumbs": listing.parents,
        "parent": listing.parent,
        "columns": columns(order),
        "offset": offset,
        "first": offset + 1,
        "last": end,
        "before": max(0, offset - ROWS),
        "following": end if listing.entries and end < listing.total else None,
    }


def _where(request: SignedInRequest) -> dict[str, Any]:
    """The way up from a folder that could not be listed."""
    try:
        path = normalised(request.GET.get("origin_path", "") or "/", folder=True)
    except BadPath:
        return {}
    return {"crumbs": parents(path), "parent": parent(path)}


def columns(order: str) -> list[Column]:
    """The heads of the table; a second click turns the order round."""
    return [
        _column("Name", "name", order, classes="grow"),
        Column("Type", ""),
        _column("Size", "size", order, classes="num"),
        _column("Changed", "modified", order),
    ]


def _column(name: str, key: str, order: str, classes: str = "") -> Column:
    if order == key:
        return Column(name, f"-{key}", "ascending", classes)
    if order == f"-{key}":
        return Column(name, key, "descending", classes)
    return Column(name, key, "", classes)
