# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH105, PTH108, PTH110, PTH112, PTH118, PTH119, PTH120
# ruff: noqa: PTH123
"""The HTTPS server of each collection, below ``/https/<collection>/``.

What production answers to HEAD, ranges and errors is not known; this is standard
HTTP (RFC 9110), with ``{code, message}`` as the body of an error.
"""

import errno
import itertools
import mimetypes
import os
import re
import stat
from collections.abc import Iterator
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import http_date

from sandbox import scopes
from sandbox.answers import bearer_token, json_answer
from sandbox.auth import tokens
from sandbox.https import browser
from sandbox.knobs import current as knobs
from sandbox.models import AccessRule, Collection
from sandbox.runtime import runtime
from sandbox.transfer.access import (
    check_readable,
    check_writable,
    get_collection,
    is_below,
    now_valid,
    usable_files,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure
from sandbox.transfer.paths import Place, place, place_at
from sandbox.wire import SENT_PATH, UNEXPECTED

CHUNK = 256 * 1024
_numbers = itertools.count()


class Refused(Exception):
    """An answer that is no file."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.replace("_", "-"): text for name, text in headers.items()}
        super().__init__(message)


def https(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """GET, HEAD, PUT and DELETE of one file."""
    answer = _served(request)
    if request.method == "HEAD" and isinstance(answer, HttpResponse):
        answer.content = b""  # also of an error, RFC 9110 section 9.3.2
    return answer


def _served(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    collection_id, path = _asked(request)
    try:
        collection = get_collection(collection_id)
        if not collection.entity_type.startswith("GCSv5"):
            raise Refused(404, "NotFound", "This collection has no HTTPS server")
        return _answer(request, collection, path)
    except Refused as refused:
        return _error(refused.status, refused.code, refused.message, refused.headers)
    except TransferFailure as failure:
        return _error(_status(failure), failure.code, failure.message, {})


def _asked(request: HttpRequest) -> tuple[str, str]:
    """The collection and the path as the bytes that were sent: any may be a name."""
    sent = str(request.META[SENT_PATH]).encode("latin-1")
    inner = sent.lstrip(b"/").partition(b"/")[2]
    collection_id, _, path = inner.partition(b"/")
    return os.fsdecode(collection_id).replace("\0", ""), f"/{os.fsdecode(path)}"


def _error(
    status: int, code: str, message: str, headers: dict[str, str]
) -> HttpResponse:
    if knobs.https_error_body == "text":
        return HttpResponse(
            f"{message}\n",
            status=status,
            content_type="text/plain; charset=utf-8",
            headers=headers,
        )
    return json_answer({"code": code, "message": message}, status, headers)


def _status(failure: TransferFailure) -> int:
    """A gateway's error is not one over HTTPS."""
    return failure.status if failure.status < 500 else 503


def _answer(
    request: HttpRequest, collection: Collection, path: str
) -> HttpResponse | StreamingHttpResponse:
    if request.method == "GET" and browser.is_coming_back(request, path):
        return _came_back(request, collection)
    caller = _caller(request, collection)
    method = request.method
    if method == "HEAD" and not knobs.https_head:
        method = "none"
    match method:
        case "GET" | "HEAD":
            if caller is None:
                return _anonymous(request, collection, path)
            return _read(request, _readable(caller, collection, path))
        case "PUT":
            return _write(request, _writable(request, caller, collection, path))
        case "DELETE":
            return _delete(_writable(request, caller, collection, path))
    request.META[UNEXPECTED] = True
    raise Refused(
        405, "MethodNotAllowed", "Not served here", Allow="GET, HEAD, PUT, DELETE"
    )


def _caller(request: HttpRequest, collection: Collection) -> Caller | None:
    """Who sent the token; None without one.

    :raises Refused: a token that is not for this collection, or of another scope
    """
    text = bearer_token(request)
    token = tokens.find_access_token(
        text or browser.session_token(request), collection.pk
    )
    wanted = browser.wanted_scopes(collection)
    if token is None and knobs.https_transfer_tokens:
        token, wanted = tokens.find_access_token(text, scopes.TRANSFER), []
    if token is None and not text:
        return None  # a browser whose session ran out signs in again
    if token is None:
        raise Refused(
            401,
            "AuthenticationFailed",
            "The token is not valid for this collection",
            WWW_Authenticate='Bearer error="invalid_token"',
        )
    if lacking := set(wanted) - set(token.scope.split()):
        raise Refused(
            403,
            "PermissionDenied",
            f"The token lacks {', '.join(sorted(lacking))}",
            WWW_Authenticate='Bearer error="insufficient_scope"',
        )
    caller = Caller.of_token(token)
    usable_files(caller, collection)
    return caller


def _sign_in(request: HttpRequest, collection: Collection) -> HttpResponse:
    """To Auth, for whoever may be a browser; a script is told 401."""
    is_script = request.headers.get("X-Requested-With") == "XMLHttpRequest"
    if is_script and knobs.https_script_status == 401:
        raise Refused(
            401, "AuthenticationRequired", "Sign in first", WWW_Authenticate="Bearer"
        )
    return browser.to_auth(request, collection)


def _came_back(request: HttpRequest, collection: Collection) -> HttpResponse:
    answer = browser.come_back(request, collection)
    if answer is None:
        error = request.GET.get("error", "")
        raise Refused(403, "PermissionDenied", f"Nobody signed in here. {error}")
    return answer


def _anonymous(
    request: HttpRequest, collection: Collection, path: str
) -> HttpResponse | StreamingHttpResponse:
    """A guest collection's ``anonymous`` rules; everything else is a sign-in."""
    if collection.host is None or collection.high_assurance:
        return _sign_in(request, collection)
    where = place_at(collection, path)
    rules = collection.rules.filter(principal_type="anonymous")
    if not any(_allows(rule, where.path) for rule in rules):
        return _sign_in(request, collection)
    if any(is_below(where.path, denied) for denied in collection.denied_paths):
        return _sign_in(request, collection)
    return _read(request, where)


def _allows(rule: AccessRule, path: str) -> bool:
    return now_valid(rule) and is_below(path, rule.path)


def _readable(caller: Caller, collection: Collection, path: str) -> Place:
    where = place(caller, collection, path)
    check_readable(caller, collection, where.path)
    return where


def _writable(
    request: HttpRequest, caller: Caller | None, collection: Collection, path: str
) -> Place:
    if caller is None:
        raise Refused(
            401, "AuthenticationRequired", "Sign in first", WWW_Authenticate="Bearer"
        )
    if path.endswith("/"):
        raise Refused(400, "BadRequest", "A file's path does not end in /")
    where = place(caller, collection, path)
    check_writable(caller, collection, where.path)
    return where


# --- reading


def _read(request: HttpRequest, where: Place) -> HttpResponse | StreamingHttpResponse:
    file = _opened(where)
    details = os.fstat(file)
    if not stat.S_ISREG(details.st_mode):
        os.close(file)
        raise Refused(404, "NotFound", f"'{where.path}' is not a file")
    headers = _headers(request, where, details)
    try:
        first, last, status = _range(request, details, headers)
    except Refused:
        os.close(file)
        raise
    length = last - first + 1
    headers["Content-Length"] = str(length)
    if status == 206:
        headers["Content-Range"] = f"bytes {first}-{last}/{details.st_size}"
    if status == 304 or request.method == "HEAD":
        os.close(file)
        answer = HttpResponse(status=status)
        if status == 304:
            del headers["Content-Length"]
        for name, text in headers.items():
            answer[name] = text
        return answer
    return StreamingHttpResponse(
        _pieces(file, first, length), status=status, headers=headers
    )


def _opened(where: Place) -> int:
    """:raises Refused: there is no such file"""
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        return os.open(where.target, flags)
    except PermissionError as err:
        raise Refused(403, "PermissionDenied", f"No access to '{where.path}'") from err
    except OSError as err:
        raise Refused(404, "NotFound", f"There is no '{where.path}'") from err


def _headers(
    request: HttpRequest, where: Place, details: os.stat_result
) -> dict[str, str]:
    name = os.path.basename(where.path)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    way = "attachment" if "download" in request.GET else "inline"
    shown = quote(os.fsencode(name))
    return {
        "Content-Type": kind,
        **({"Accept-Ranges": "bytes"} if knobs.https_ranges else {}),
        **({"ETag": _etag(details)} if knobs.https_etag else {}),
        "Last-Modified": http_date(details.st_mtime),
        "Content-Disposition": f"{way}; filename*=UTF-8''{shown}",
        # Files are anybody's: a page among them must not run as this origin.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }


def _etag(details: os.stat_result) -> str:
    return f'"{details.st_mtime_ns:x}-{details.st_size:x}"'


_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def _range(
    request: HttpRequest, details: os.stat_result, headers: dict[str, str]
) -> tuple[int, int, int]:
    """``(first, last, status)``; several ranges get the whole file.

    :raises Refused: 416, the range lies behind the end
    """
    size = details.st_size
    etag = headers.get("ETag", "")
    if etag and request.headers.get("If-None-Match") == etag:
        return 0, size - 1, 304
    if not knobs.https_ranges:
        return 0, size - 1, 200
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    condition = request.headers.get("If-Range", headers["Last-Modified"])
    is_current = condition in (etag, headers["Last-Modified"])
    if match is None or not is_current or match[1] + match[2] == "":
        return 0, size - 1, 200
    if match[1]:
        first = int(match[1])
        last = min(int(match[2]) if match[2] else size - 1, size - 1)
        if match[2] and int(match[2]) < first:
            return 0, size - 1, 200
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:
        raise Refused(
            416,
            "RangeNotSatisfiable",
            "The file ends before",
            Content_Range=f"bytes */{size}",
        )
    return first, last, 206


def _pieces(file: int, first: int, length: int) -> Iterator[bytes]:
    try:
        os.lseek(file, first, os.SEEK_SET)
        while length > 0:
            piece = os.read(file, min(CHUNK, length))
            if not piece:
                return
            length -= len(piece)
            yield piece
    finally:
        os.close(file)


# --- writing


def _write(request: HttpRequest, where: Place) -> HttpResponse:
    """Take the body whole, then rename it into place: no reader sees half of it.

    A body that is shorter than was said is incomplete (RFC 9112 section 8), and is
    dropped unless a knob says otherwise.
    """
    if os.path.isdir(where.real):
        raise Refused(409, "Conflict", f"'{where.path}' is a directory")
    if not os.path.isdir(os.path.dirname(where.real)):
        raise Refused(404, "NotFound", "The directory does not exist")
    is_new = not os.path.lexists(where.real)
    unfinished = os.path.join(runtime.unfinished_folder, f"put-{next(_numbers)}")
    try:
        with open(unfinished, "wb") as file:
            while piece := request.read(CHUNK):
                file.write(piece)
            left = int(request.META.get("CONTENT_LENGTH") or 0) - file.tell()
        if left > 0 and not knobs.https_keeps_incomplete:
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        os.replace(unfinished, where.real)
    except OSError as err:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise Refused(400, "BadRequest", os.strerror(err.errno or 0)) from err
    return HttpResponse(
        status=knobs.https_created_status if is_new else knobs.https_changed_status
    )


def _delete(where: Place) -> HttpResponse:
    try:
        os.unlink(where.real)
    except (IsADirectoryError, PermissionError) as err:
        raise Refused(409, "Conflict", f"'{where.path}' is not a file") from err
    except OSError as err:
        raise Refused(404, "NotFound", f"There is no '{where.path}'") from err
    return HttpResponse(status=knobs.https_changed_status)
