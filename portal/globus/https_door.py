"""The one door to the HTTPS servers of collections (globus-services section 6).

It speaks to the server that the Transfer API named for a collection, follows no
redirect, asks no proxy, and hands bytes through as they come: nothing is held whole.
What production answers to HEAD, to ranges and as an error is not documented, so that
answers are read as HTTP (RFC 9110) and by their status alone.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from socket import socket
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
import urllib3
from globus_sdk import config
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from portal import env
from portal.globus.addresses import ForbiddenAddress, connected, deployment_is_local
from portal.globus.errors import (
    CollectionUnavailable,
    Conflict,
    GlobusFailure,
    NotFound,
    PermissionDenied,
    RateLimited,
    Refused,
    UnexpectedAnswer,
)
from portal.globus.time_limit import time_limit

CONNECT_SECONDS = 3.0
#: until the head of an answer is there, however it drips (security.md R05)
HEAD_SECONDS = 6.0
#: for the answer to a file that was sent: the server may still be writing it
STORE_SECONDS = 60.0
#: between two bytes of a file, in either direction
STALL_SECONDS = 30.0
CHUNK = 262_144  # bytes
NO_CONNECTION = "HTTPS.NoConnection"
#: slower than this for a whole minute is no transfer, but a thread that is held
SLOWEST_BYTES_A_MINUTE = 65_536
POOL_SIZE = 16
#: a connection that is lost sooner was one that nobody kept open any more
AT_ONCE_SECONDS = 1.0

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


class TokenRefused(GlobusFailure):
    """The collection's server does not take this token (401, or a way to sign in).

    :ivar lacks_scope: the token is alive and lacks a scope (RFC 6750 section 3.1)
    """

    title = "The collection does not accept the portal’s token"
    advice = "The collection's server did not accept your consent. Give it once more."
    status = 403
    lacks_scope = False


class NotServed(GlobusFailure):
    """The server's address is one that the portal does not speak to."""

    title = "This collection’s server cannot be used"
    advice = (
        "The address of the collection's HTTPS server is not one that the portal may "
        "speak to. Its administrator can look at it; transfers still work."
    )
    status = 502


class FileBrokeOff(GlobusFailure):
    """The rest of a file did not come. What was handed on so far is a part of it."""

    title = "The file broke off"
    advice = "The collection's server stopped in the middle of the file. Try again."
    status = 502
    passing = True


class StoreBrokeOff(CollectionUnavailable):
    """A server that writes in place has a part of the file now."""

    title = "The file did not arrive"
    advice = (
        "The connection to the collection ended before the whole file was there. A "
        "part of it may be: look at the folder before you send it again."
    )


@dataclass(frozen=True)
class Source:
    """A file at a collection's server.

    :ivar server: ``https_server`` of the collection's document
    :ivar path: absolute, in the collection
    """

    server: str
    path: str

    @property
    def url(self) -> str:
        """:raises NotServed: the server is not one to speak to"""
        return f"{checked_server(self.server)}{quote(self.path, safe='/~')}"


@dataclass
class Answer:
    """A file on its way, or what there is to say of it; to be closed.

    :ivar status: 200, 206 or 416
    :ivar length: bytes of this answer's body; None if the server does not say
    :ivar total: bytes of the whole file, where that is known
    """

    status: int
    headers: Mapping[str, str]
    length: int | None
    total: int | None
    first: int = 0
    _response: Any = field(default=None, repr=False)
    _left: int | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._left = self.length

    @property
    def etag(self) -> str:
        text = self.headers.get("ETag", "")
        return text if _ETAG.fullmatch(text) else ""

    @property
    def last_modified(self) -> str:
        """As the server wrote it; not yet looked at."""
        return self.headers.get("Last-Modified", "")[:64]

    def pieces(self) -> Iterator[bytes]:
        """The body, or what is left of it, as it comes; whole, or an exception.

        :raises FileBrokeOff: it is not whole
        """
        waited, moved = 0.0, 0
        while self._left is None or self._left > 0:
            began = time.monotonic()
            try:
                piece = self._response.read1(CHUNK)
            except (HTTPError, OSError) as err:
                raise FileBrokeOff from err
            waited += time.monotonic() - began
            if not piece:
                break
            if self._left is not None:
                piece = piece[: self._left]
                self._left -= len(piece)
            moved += len(piece)
            if waited > 60:
                if moved < SLOWEST_BYTES_A_MINUTE:
                    raise FileBrokeOff
                waited, moved = 0.0, 0
            yield piece
        if self._left:
            raise FileBrokeOff

    def close(self) -> None:
        """Gives the connection back if it was read to its end, else cuts it."""
        if self._response is not None:
            self._response.drain_conn() if self._is_over else self._response.close()
            self._response.release_conn()

    @property
    def _is_over(self) -> bool:
        return bool(self._response.length_remaining == 0)


def checked_server(server: str) -> str:
    """The server's address without a slash at its end.

    :raises NotServed: no TLS, a port of its own, or more than a host and a path
    """
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError as err:
        raise NotServed(code="BadServer") from err
    host = parts.hostname or ""
    # The sandbox has all its services at one port of this machine.
    is_local = deployment_is_local() and env.is_loopback(host)
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if is_plain and is_local and parts.scheme in ("http", "https"):
        return server.rstrip("/")
    if is_plain and host and parts.scheme == "https" and port in (None, 443):
        return server.rstrip("/")
    raise NotServed(code="BadServer")


def look(source: Source, token: str) -> Answer:
    """What there is to say of a file; a server without HEAD is asked otherwise."""
    response = _ask("HEAD", source, token)
    if response.status in (405, 501):
        response.close()
        return _read_head(_ask("GET", source, token))
    return _read_head(response)


def fetch(source: Source, token: str, *, wanted: str = "", unless: str = "") -> Answer:
    """The file, or the part of it that ``wanted`` says.

    :param wanted: a ``Range`` of one part; an answer may still hold the whole file
    :param unless: ``If-Range``: if the file is another by now, the whole of it
    """
    headers = {"Range": wanted} if wanted else {}
    if wanted and unless:
        headers["If-Range"] = unless
    answer = _read_head(_ask("GET", source, token, headers))
    if answer.status == 206 and unless not in ("", answer.etag, answer.last_modified):
        # The server does not know If-Range: the part may be of another file.
        answer.close()
        return _read_head(_ask("GET", source, token))
    return answer


def store(
    source: Source,
    token: str,
    body: Iterator[bytes],
    length: int,
    *,
    replace: bool = False,
) -> None:
    """Sends a file of exactly ``length`` bytes.

    :param replace: else a server that knows ``If-None-Match`` keeps a file that is
        there already; who needs to be sure looks first
    :raises Conflict: there is one already
    :raises StoreBrokeOff: nobody knows how much of it is there
    """
    headers = {
        "Content-Length": str(length),
        "Content-Type": "application/octet-stream",
    }
    if not replace:
        headers["If-None-Match"] = "*"
    try:
        response = _ask("PUT", source, token, headers, body, seconds=STORE_SECONDS)
    except CollectionUnavailable as err:
        if err.code == NO_CONNECTION:
            raise
        raise StoreBrokeOff(code=err.code) from err
    try:
        if not 200 <= response.status < 300:
            raise failure_of(response.status, response.headers)
    finally:
        response.close()
        response.release_conn()


def failure_of(status: int, headers: Mapping[str, str]) -> GlobusFailure:
    """What a status that is no success means."""
    code = f"HTTPS.{status}"
    if status in (401, 302, 303, 307):
        return TokenRefused(code=code)
    if status == 403:
        if "insufficient_scope" in headers.get("WWW-Authenticate", ""):
            refused = TokenRefused(code=code)
            refused.lacks_scope = True
            return refused
        return PermissionDenied(code=code)
    if status in (404, 410):
        return NotFound(
            "There is no file at this path, or you may not see it.", code=code
        )
    if status in (409, 412):
        return Conflict("Something of this name is there already.", code=code)
    if status in (413, 507):
        return Refused("The collection has no room for a file of this size.", code=code)
    if status == 429:
        seconds = headers.get("Retry-After", "")
        known = seconds.isdecimal() and seconds.isascii() and len(seconds) < 6
        return RateLimited(retry_after=int(seconds) if known else None, code=code)
    if status >= 500:
        return CollectionUnavailable(code=code)
    if 400 <= status < 500:
        return Refused("The collection's server did not take this.", code=code)
    return UnexpectedAnswer(code=code)


def _ask(
    method: str,
    source: Source,
    token: str,
    headers: Mapping[str, str] | None = None,
    body: Iterator[bytes] | None = None,
    *,
    seconds: float = HEAD_SECONDS,
) -> Any:
    """:raises GlobusFailure: there was no answer at all"""
    sent = {
        "Authorization": f"Bearer {token}",
        "Accept-Encoding": "identity",
        # Says 401 and does not send us to a sign-in page.
        "X-Requested-With": "XMLHttpRequest",
        "User-Agent": "Causeway",
        **(headers or {}),
    }
    url = source.url
    # A kept connection may have been closed just now; a file is sent once only.
    for is_last in (False, True) if body is None else (True,):
        began = time.monotonic()
        try:
            return _pool(os.getpid()).urlopen(
                method,
                url,
                body=body,
                headers=sent,
                timeout=urllib3.Timeout(connect=STALL_SECONDS, read=seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.ProtocolError as err:
            if is_last or time.monotonic() - began > AT_ONCE_SECONDS:
                raise CollectionUnavailable(code="HTTPS.ConnectionLost") from err
        except NewConnectionError as err:
            if isinstance(err.__cause__, ForbiddenAddress):
                raise NotServed(code="ForbiddenAddress") from err
            raise CollectionUnavailable(code=NO_CONNECTION) from err
        except HTTPError as err:
            raise CollectionUnavailable(code=f"HTTPS.{type(err).__name__}") from err
    raise AssertionError


def _read_head(response: Any) -> Answer:
    """:raises GlobusFailure: it is no file; the answer is closed then"""
    try:
        return _answer(response)
    except BaseException:
        # Whatever ends it, also a worker that stops: the connection is not used again.
        response.close()
        response.release_conn()
        raise


def _answer(response: Any) -> Answer:
    status, headers = response.status, response.headers
    if status not in (200, 206, 416):
        raise failure_of(status, headers)
    if headers.get("Content-Encoding", "identity") != "identity":
        raise UnexpectedAnswer(code="HTTPS.Encoded")
    length = _number(headers.get("Content-Length", ""))
    if length is None and not response.chunked:
        # Its end would be that of the connection, wherever that broke.
        raise UnexpectedAnswer(code="HTTPS.NoLength")
    if status == 200:
        return Answer(200, headers, length, length, 0, response)
    part = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if part is None:
        raise UnexpectedAnswer(code="HTTPS.Range")
    total = _number(part[3])
    if status == 416:
        return Answer(416, headers, length, total, 0, response)
    if part[1] is None or int(part[2]) - int(part[1]) + 1 != (length or 0):
        raise UnexpectedAnswer(code="HTTPS.Range")
    return Answer(206, headers, length, total, int(part[1]), response)


def _number(text: str) -> int | None:
    is_number = text.isdecimal() and text.isascii() and len(text) <= 18
    return int(text) if is_number else None


# --- connections


class _ToCheckedAddress:
    """What both kinds of connection do differently from urllib3's own."""

    host: str
    port: int
    timeout: Any
    sock: Any

    def _new_conn(self) -> socket:
        try:
            return connected(
                self.host, self.port, CONNECT_SECONDS, local=deployment_is_local()
            )
        except OSError as err:
            raise NewConnectionError(self, type(err).__name__) from err  # type: ignore[arg-type]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        # Only up to here is it about connecting; a body may take its time.
        if self.sock is not None:
            self.sock.settimeout(STALL_SECONDS)

    def getresponse(self) -> Any:
        """The head within the time for it: a socket's timeout is for one read."""
        used = self.sock  # taken away where the server closes after this answer
        with time_limit(self.timeout or HEAD_SECONDS) as limit:
            limit.watch(used)
            response = super().getresponse()  # type: ignore[misc]
        if limit.is_over:
            # What came of the head reads like a whole one.
            response.close()
            raise TimeoutError
        with suppress(OSError):  # an answer without a body, and closed by now
            used.settimeout(STALL_SECONDS)
        return response


class _Connection(_ToCheckedAddress, HTTPConnection):
    pass


class _TLSConnection(_ToCheckedAddress, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


@cache
def _pool(process_id: int) -> urllib3.PoolManager:
    """One per process: a connection must not be used on both sides of a fork."""
    manager = urllib3.PoolManager(
        num_pools=32, maxsize=POOL_SIZE, block=False, ssl_context=_tls()
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


def _tls() -> ssl.SSLContext:
    """Always verifies. GLOBUS_SDK_VERIFY_SSL may name other authorities, not none."""
    named = config.get_ssl_verify()
    return ssl.create_default_context(
        cafile=named if isinstance(named, str) else certifi.where()
    )
