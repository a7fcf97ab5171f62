"""The files page: one folder, or two side by side, and their rows for a script."""

from __future__ import annotations

from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.globus.errors import (
    NotADirectory,
    NotFound,
    PermissionDenied,
    PortalError,
)
from portal.middleware import failure_context
from transfers import collections, folders, keeping
from transfers.folders import PAGE_ROWS, Asked, open_folder
from transfers.paths import BadPath, normalised
from transfers.viewing import View
from transfers.views import collections as collection_pages
from transfers.views.addresses import COLUMNS, SIDES, Address
from transfers.views.choosing import Choosing, finding
from transfers.views.panes import ROWS, Pane, back
from transfers.views.reading import collection_id_of, whole

#: What another path may mend.
PATH_FAILURES = (BadPath, NotADirectory, NotFound, PermissionDenied)
#: where an empty pane leads besides its search
WAYS_TO_FIND: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Your bookmarks", "transfers:bookmarks", {}),
    ("Your collections", "transfers:collections", {"scope": "my-endpoints"}),
    ("Shared with you", "transfers:collections", {"scope": "shared-with-me"}),
)
KINDS = {
    "": "All types",
    "folders": "Folders",
    "files": "Files",
    "links": "Links",
    "others": "Others",
}


@require_safe
def files(request: SignedInRequest) -> HttpResponse:
    """Two panes, of which the second may be closed."""
    address = Address.of(request.GET)
    panes = [Pane(side, address) for side in SIDES]
    if not address.get("destination_id") and address.get("panes") != "2":
        del panes[1]
    status = max(_fill(request, pane) for pane in panes)
    _offer(request, panes)
    context = {
        "panes": panes,
        "is_double": len(panes) == 2,
        "address": address,
        "here": address.to(),
        "kinds": KINDS,
        "columns": COLUMNS,
        "two_panes": address.to(panes="2"),
    }
    return render(request, "transfers/files.html", context, status=status)


def _fill(request: SignedInRequest, pane: Pane) -> int:
    """Puts the folder, or why there is none, into the pane; the status of the page."""
    asked = pane.of("id").strip()
    if not asked:
        return 200
    try:
        pane.collection_id = collection_id_of(asked)
        pane.name = collection_pages.name_of(request.user, pane.collection_id)
        # What was kept says nothing about whether the person may still look.
        is_protected = collection_pages.is_protected(request.user, pane.collection_id)
        look = folders.ask_globus if is_protected else open_folder
        folder = look(_asked(request, pane, pane.collection_id))
        found = folder.found(pane.view)
        pane.rows = folder.rows(found[pane.offset : pane.offset + ROWS])
        pane.found, pane.found_bytes = len(found), folder.weight(pane.view)
        pane.folder = folder
    except PortalError as failure:
        pane.failure = failure_context(request, failure)
        pane.path_is_wrong = isinstance(failure, PATH_FAILURES)
        return failure.status
    return 200


def _asked(request: SignedInRequest, pane: Pane, collection_id: UUID) -> Asked:
    return Asked(
        request.user,
        request.session.session_key or "",
        collection_id,
        pane.of("path"),
        pane.hidden,
    )


def _offer(request: SignedInRequest, panes: list[Pane]) -> None:
    """Where to begin, in a pane without a collection."""
    empty = [pane for pane in panes if not pane.of_id]
    if not empty:
        return
    for pane in empty:
        choosing = Choosing(pane.side, pane.address)
        pane.finding_fields = choosing.fields
        pane.ways_to_find = [
            (words, finding(pane.side, pane.address, page, **query))
            for words, page, query in WAYS_TO_FIND
        ]
    try:
        recent = collections.search(
            transfer_client(request.user), scope="recently-used", limit=8
        ).collections
    except PortalError:
        if len(empty) == len(panes):
            raise
        return  # the other pane says what is wrong
    for pane in empty:
        pane.choices = [
            (
                str(each),
                each.kind,
                pane.address.to(**{f"{pane.side}_id": str(each.id)}),
            )
            for each in recent
            if each.holds_files
        ]


@require_POST
def refresh(request: SignedInRequest) -> HttpResponse:
    """Asks Globus again for a folder."""
    collection_id = collection_id_of(request.POST.get("origin_id", ""))
    path = request.POST.get("origin_path", "")
    if path:
        folders.forget(request.user, collection_id, normalised(path, folder=True))
    else:
        keeping.forget(request.user.pk, collection_id)
    return redirect(back(request))


@require_safe
def rows(request: SignedInRequest) -> HttpResponse:
    """A page of a folder as columns, for a script; see ``Folder.dumped``."""
    folder, view = _viewed(request)
    found = folder.found(view)
    offset = whole(request, "offset")
    about = folder.about
    facts = orjson.dumps(
        {
            "stamp": about.stamp,
            "path": about.path,
            "count": about.count,
            "folders": about.folders,
            "found": len(found),
            "bytes": folder.weight(view),
            "offset": offset,
        }
    )
    page = folder.dumped(found[offset : offset + PAGE_ROWS])
    return _json(b"%b,%b}" % (facts[:-1], page))


@require_safe
def numbers(request: SignedInRequest) -> HttpResponse:
    """What stands between two places of a view, and what it weighs, for a script."""
    folder, view = _viewed(request)
    found = folder.found(view)[whole(request, "from") : whole(request, "to")]
    return _json(
        orjson.dumps(
            {
                "stamp": folder.about.stamp,
                "numbers": list(found),
                "sizes": folder.sizes(found),
            }
        )
    )


def _viewed(request: SignedInRequest) -> tuple[folders.Folder, View]:
    get = request.GET.get
    asked = Asked(
        request.user,
        request.session.session_key or "",
        collection_id_of(get("id", "")),
        get("path", ""),
        get("hidden") == "1",
    )
    view = View.of(get("sort", "name"), get("filter", ""), get("kind", ""))
    return open_folder(asked), view


def _json(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")


def asked_by_script(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))
