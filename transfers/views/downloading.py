"""Files of a collection for a browser: to keep, and to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import wraps
from typing import TypeVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.http import (
    content_disposition_header,
    http_date,
    parse_http_date_safe,
)
from django.views.decorators.http import require_GET, require_safe

from accounts.views import SignedInRequest
from portal.globus.errors import NotFound, PermissionDenied, PortalError
from portal.globus.https_door import Answer
from portal.middleware import failure_context
from transfers import previews, remote_files
from transfers.paths import BadPath, normalised, parent
from transfers.remote_files import NoServer, RemoteFile
from transfers.streams import Slot
from transfers.templatetags.places import files_url
from transfers.views.files import asked_by_script

#: one part; several, or what is no range, gets the whole file (RFC 9110 section 14.2)
_RANGE = re.compile(r"bytes=(?:\d{1,18}-\d{0,18}|-\d{1,18})", re.ASCII)
#: even if a browser took a file for a page, that page could do nothing
INERT = "sandbox; default-src 'none'"

Response = TypeVar("Response", bound=HttpResponseBase)
View = Callable[[SignedInRequest, UUID], HttpResponseBase]


class CannotBeShown(PortalError):
    title = "This file is not shown here"
    advice = (
        "Pictures (PNG, JPEG, GIF, WebP) and PDFs up to 20 MiB are. Download it "
        "instead."
    )
    status = 415


class Body:
    """A file on its way to a browser; its place is free when it is closed.

    Django closes it when the answer is through and when the browser is gone.
    """

    def __init__(self, answer: Answer, slot: Slot, begun: bytes = b"") -> None:
        self._answer = answer
        self._slot = slot
        self._pieces = self._all(begun)

    def _all(self, begun: bytes) -> Iterator[bytes]:
        if begun:
            yield begun
        yield from self._answer.pieces()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._slot.close()
        self._answer.close()


def leads_to_folder(view: View) -> View:
    """A file that is not there, or not to be had, leads to its folder."""

    @wraps(view)
    def page(request: SignedInRequest, collection_id: UUID) -> HttpResponseBase:
        try:
            return view(request, collection_id)
        except (BadPath, NotFound, PermissionDenied) as failure:
            if asked_by_script(request):
                raise
            context = failure_context(request, failure)
            context["folder_url"] = files_url(collection_id, _folder_in(request))
            return render(request, "failure.html", context, status=failure.status)

    return page


def _folder_in(request: SignedInRequest) -> str:
    try:
        path = normalised(request.GET.get("path", ""))
    except BadPath:
        return ""
    return path if path.endswith("/") else parent(path) or ""


@require_safe
@leads_to_folder
def download(request: SignedInRequest, collection_id: UUID) -> HttpResponseBase:
    """``?path=``: the file as it is, whole or the part that ``Range`` names.

    If the collection's server stops half way, the connection breaks off: with its
    Content-Length missed, no browser takes the part for the whole.
    """
    try:
        file = _file(request, collection_id)
    except NoServer as failure:
        return no_server(request, failure)
    if request.method == "HEAD":
        answer = file.look()
        answer.close()
        response = _described(HttpResponse(), answer)
        return _to_keep(response, file)
    with ExitStack() as undone:
        slot = undone.enter_context(closing(Slot(request.user)))
        wanted, unless = _part(request)
        answer = undone.enter_context(closing(file.fetch(wanted=wanted, unless=unless)))
        if answer.status == 416:
            response = HttpResponse(status=416)
            if answer.total is not None:
                response["Content-Range"] = f"bytes */{answer.total}"
            return _to_keep(response, file)
        undone.pop_all()
    streamed = StreamingHttpResponse(Body(answer, slot), status=answer.status)
    return _to_keep(_described(streamed, answer), file)


@require_GET
def raw(request: SignedInRequest, collection_id: UUID) -> HttpResponseBase:
    """``?path=``: a picture or PDF for the preview, inert, of the type that it is."""
    file = _file(request, collection_id)
    with ExitStack() as undone:
        slot = undone.enter_context(closing(Slot(request.user)))
        answer = undone.enter_context(closing(file.fetch()))
        if answer.length is None or answer.length > previews.LARGEST_SHOWN:
            raise CannotBeShown
        begun = _first(answer, previews.SNIFF_BYTES)
        content_type = previews.content_type(begun)
        if not content_type:
            raise CannotBeShown
        undone.pop_all()
    response = StreamingHttpResponse(Body(answer, slot, begun))
    response["Content-Type"] = content_type
    response["Content-Length"] = str(answer.length)
    response["Content-Disposition"] = "inline"
    return inert(response)


@require_GET
@leads_to_folder
def preview(request: SignedInRequest, collection_id: UUID) -> HttpResponseBase:
    """``?path=``: what the file is, and its beginning."""
    try:
        file = _file(request, collection_id)
    except NoServer as failure:
        return no_server(request, failure)
    with closing(file.fetch(wanted=f"bytes=0-{previews.FIRST_BYTES - 1}")) as answer:
        # A part of an empty file lies behind its end.
        first = b"" if answer.status == 416 else _first(answer, previews.FIRST_BYTES)
        first = first[: previews.FIRST_BYTES]  # who knows no parts sends the whole
        is_cut = (answer.total or 0) > len(first)
        if answer.total is None:
            is_cut = len(first) == previews.FIRST_BYTES
    shown = previews.preview(first, file.name, is_cut=is_cut)
    total = answer.total if answer.total is not None or is_cut else len(first)
    context = {
        "collection": file.collection,
        "path": file.path,
        "folder": file.folder,
        "name": file.name,
        "preview": shown,
        "size_bytes": total,
        "changed_at": previews.moment_of(answer.last_modified),
        "is_too_large": shown.is_file
        and (total is None or total > previews.LARGEST_SHOWN),
        "shown_bytes": len(first),
        "direct_url": file.source.url,
    }
    return render(request, "transfers/preview.html", context)


def no_server(
    request: SignedInRequest, failure: NoServer, path: str = ""
) -> HttpResponse:
    """Says why not, and what to do instead.

    :param path: what it was about; by default what the address says
    """
    context = {
        "collection": failure.collection,
        "reason": failure.advice,
        "path": path or request.GET.get("path", ""),
    }
    return render(request, "transfers/no_https.html", context, status=failure.status)


def _file(request: SignedInRequest, collection_id: UUID) -> RemoteFile:
    path = request.GET.get("path", "")
    return remote_files.file_at(request.user, collection_id, path)


def _part(request: SignedInRequest) -> tuple[str, str]:
    """``(Range, If-Range)``; empty for the whole file."""
    wanted = request.headers.get("Range", "").strip()
    unless = request.headers.get("If-Range", "").strip()
    if not _RANGE.fullmatch(wanted) or not unless.isprintable() or len(unless) > 256:
        return "", ""
    return wanted, unless


def _described(response: Response, answer: Answer) -> Response:
    """What the collection's server said of the file, as far as it can be right."""
    if answer.length is not None:
        response["Content-Length"] = str(answer.length)
    if answer.status == 206:
        total = "*" if answer.total is None else answer.total
        last = answer.first + (answer.length or 0) - 1
        response["Content-Range"] = f"bytes {answer.first}-{last}/{total}"
    knows_parts = answer.status == 206 or answer.headers.get("Accept-Ranges") == "bytes"
    response["Accept-Ranges"] = "bytes" if knows_parts else "none"
    if answer.etag:
        response["ETag"] = answer.etag
    changed = parse_http_date_safe(answer.last_modified)
    if changed is not None:
        response["Last-Modified"] = http_date(changed)
    return response


def _to_keep(response: Response, file: RemoteFile) -> Response:
    response["Content-Type"] = "application/octet-stream"
    disposition = content_disposition_header(as_attachment=True, filename=file.name)
    response["Content-Disposition"] = disposition or "attachment"
    return inert(response)


def inert(response: Response) -> Response:
    """Whatever it holds, it does nothing in a browser, and nobody else keeps it."""
    response["Content-Security-Policy"] = INERT
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store, private"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    # A proxy that gathers answers first would put the file on its disk.
    response["X-Accel-Buffering"] = "no"
    return response


def _first(answer: Answer, length: int) -> bytes:
    """The first bytes, or all if there are fewer; a little more may have come.

    :raises FileBrokeOff: it ended before, and before its own end
    """
    begun = bytearray()
    for piece in answer.pieces():
        begun += piece
        if len(begun) >= length:
            break
    return bytes(begun)
