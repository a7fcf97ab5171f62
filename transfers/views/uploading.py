"""Files from a browser into a folder of a collection.

With a script each file is a PUT of its own, which goes through piece by piece, with
progress. Without one the form brings all of them at once. A form's files come before
anybody has looked at its token, so they are kept in nameless files that end with the
request, and only then go to the collection; that is why the form takes less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.globus.errors import (
    Conflict,
    ConsentRequired,
    GlobusFailure,
    NotFound,
    PortalError,
)
from portal.globus.https_door import CHUNK
from transfers import browsing, keeping, remote_files
from transfers.paths import normalised
from transfers.remote_files import NoServer, RemoteFile
from transfers.streams import slot
from transfers.views.downloading import no_server


class AlreadyThere(Conflict):
    title = "There is such a file already"
    advice = "There is a file of this name already. It was left as it is."


class MayBeThere(AlreadyThere):
    advice = (
        "The collection does not say whether there is a file of this name already. "
        "Nothing was sent."
    )


class NoFolder(NotFound):
    title = "There is no such folder"
    advice = "The folder is not there any more. Make it first, then try again."


class TooLarge(PortalError):
    title = "This file is too large"
    status = 413


class NoLength(PortalError):
    title = "This file cannot be sent like that"
    advice = "The browser did not say how large the file is."
    status = 411


class BrokeOff(OSError):
    """The browser went away in the middle of a file."""


@dataclass(frozen=True)
class Result:
    """:ivar sentence: what went wrong; empty if nothing did"""

    name: str
    size_bytes: int
    sentence: str = ""
    is_there: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: SignedInRequest, collection_id: UUID) -> HttpResponse:
    """``?path=``: the form for a folder, and what became of the files in it."""
    try:
        collection = remote_files.with_server(request.user, collection_id)
    except NoServer as failure:
        return no_server(request, failure)
    # What Globus wants is asked for now: a form with files cannot wait for it.
    if request.method == "POST":
        remote_files.token_for(request.user, collection)
    else:
        remote_files.check_token(request.user, collection)
    client = transfer_client(request.user)
    folder = browsing.listing(
        client, collection_id, request.GET.get("path", ""), limit=1
    )
    path = normalised(folder.absolute_path or folder.path, folder=True)
    results = _take(request, collection_id, path) if request.method == "POST" else []
    context = {
        "collection": collection,
        "path": path,
        "crumbs": folder.parents,
        "results": results,
        "is_sent": request.method == "POST",
        "arrived": sum(not each.sentence for each in results),
        "some_are_there": any(each.is_there for each in results),
        "largest_bytes": settings.UPLOAD_BYTES,
        "largest_form_bytes": settings.FORM_UPLOAD_BYTES,
    }
    return render(request, "transfers/upload.html", context)


def _take(request: SignedInRequest, collection_id: UUID, path: str) -> list[Result]:
    """Sends what the form brought, one by one."""
    replace = request.POST.get("replace") == "yes"
    results: list[Result] = []
    for each in request.FILES.getlist("file"):
        results.append(_send_one(request, collection_id, path, each, replace=replace))
    return results


def _send_one(
    request: SignedInRequest,
    collection_id: UUID,
    path: str,
    given: UploadedFile[Any],
    *,
    replace: bool,
) -> Result:
    name, size_bytes = given.name or "", given.size or 0
    try:
        with slot(request.user):
            file = remote_files.file_in(request.user, collection_id, path, name)
            send(file, given.chunks(CHUNK), size_bytes, replace=replace)
        keeping.forget(request.user.pk, collection_id)
    except PortalError as failure:
        is_there = isinstance(failure, AlreadyThere)
        return Result(name, size_bytes, failure.advice, is_there)
    return Result(name, size_bytes)


@require_http_methods(["PUT"])
def upload_file(request: SignedInRequest, collection_id: UUID) -> HttpResponse:
    """``?path=&name=&replace=``: the body is one file; answers in JSON.

    The token of the form comes in a header, and is checked before a byte is read.
    """
    try:
        size_bytes = _length(request)
        with slot(request.user):
            file = remote_files.file_in(
                request.user,
                collection_id,
                request.GET.get("path", ""),
                request.GET.get("name", ""),
            )
            replace = request.GET.get("replace") == "yes"
            send(file, _body(request, size_bytes), size_bytes, replace=replace)
        # Whichever way the folder is called: what is kept of it lacks the file.
        keeping.forget(request.user.pk, collection_id)
    except PortalError as failure:
        return _sentence(failure)
    return JsonResponse({"name": file.name, "size_bytes": size_bytes}, status=201)


def send(
    file: RemoteFile, body: Iterator[bytes], size_bytes: int, *, replace: bool
) -> None:
    """Stores one file, and nothing where another one would be lost unasked.

    :raises AlreadyThere: there is one, or nobody can tell
    :raises NoFolder: there is nothing to put it into
    """
    # Also brings a token that works: the body goes once.
    is_there = file.exists()
    if not replace and is_there is not False:
        raise AlreadyThere if is_there else MayBeThere
    try:
        file.store(body, size_bytes, replace=replace)
    except NotFound as err:
        raise NoFolder(code=err.code) from err
    except Conflict as err:
        if replace:
            raise
        raise AlreadyThere(code=err.code) from err


def _length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or ""
    if not (text.isdecimal() and text.isascii() and len(text) <= 18):
        raise NoLength
    if int(text) > settings.UPLOAD_BYTES:
        raise TooLarge(too_large_words())
    return int(text)


def too_large_words() -> str:
    from portal.templatetags.page import size

    return (
        f"The portal takes files up to {size(settings.UPLOAD_BYTES)} this way. A "
        "transfer has no such limit."
    )


def _body(request: HttpRequest, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left > 0:
        piece = request.read(min(CHUNK, left))
        if not piece:
            raise BrokeOff("The browser went away")
        left -= len(piece)
        yield piece


def _sentence(failure: PortalError) -> JsonResponse:
    """For the script that sent the file; a consent is given on the page itself."""
    document = {
        "title": failure.title,
        "sentence": failure.advice,
        "is_there": isinstance(failure, AlreadyThere),
        "may_try_again": getattr(failure, "passing", False),
        "needs_page": isinstance(failure, ConsentRequired)
        or (isinstance(failure, GlobusFailure) and failure.requirement is not None),
    }
    response = JsonResponse(document, status=failure.status)
    if retry_after := getattr(failure, "retry_after", None):
        response["Retry-After"] = str(retry_after)
    return response
