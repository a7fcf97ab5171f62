"""The one way in which a sign-in speaks to Globus Auth (security.md L18).

The library follows redirects, which hands code, verifier and secret to whoever a
redirect names; waits for as long as something drips; reads whatever is sent; and lets
a variable of the shell choose a proxy.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext, create_default_context
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from django.conf import settings

from portal import env
from portal.globus.errors import (
    PortalNotAccepted,
    SignInFailed,
    SignInTimedOut,
    SignInUnreachable,
    SignInUnverified,
)
from portal.globus.time_limit import InTimeAdapter, TimeLimit, time_limit

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
#: between two bytes
READ_SECONDS = 5.0
TOTAL_SECONDS = 10.0
LONGEST_BODY = 262_144  # bytes
CHUNK = 16_384  # bytes


@dataclass(frozen=True)
class Answer:
    """A 200, read to its end."""

    body: bytes

    def json(self) -> Any:
        """:raises SignInUnverified: it is no JSON, or too deeply nested to read"""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as err:
            raise SignInUnverified from err

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


_until: ContextVar[float] = ContextVar("until")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that is asked inside has so long together, however many requests it is."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left() -> float:
    """What the next request may take.

    :raises SignInTimedOut: nothing is left
    """
    until = _until.get(None)
    left = TOTAL_SECONDS if until is None else until - time.monotonic()
    if left <= 0:
        raise SignInTimedOut
    return min(TOTAL_SECONDS, left)


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> Answer:
    """One request, one answer, within ten seconds and what ``within`` leaves of them.

    :param auth: client id and secret, sent as HTTP Basic
    :raises SignInFailed: of the kind that fits; nothing of the answer is in it
    """
    check_address(url)
    seconds = seconds_left()
    with time_limit(seconds) as limit, _session() as session:
        try:
            response = session.request(
                method,
                url,
                headers={**(headers or {}), "Accept-Encoding": "identity"},
                data=data,
                auth=auth,
                timeout=(min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds)),
                allow_redirects=False,
                stream=True,
            )
            body = _read(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as err:
            logger.warning("Globus Auth was not reached: %s", type(err).__name__)
            # Without its cause, which holds the request with code and verifier.
            raise _failure(err, limit) from None
    if limit.is_over:
        raise SignInTimedOut
    check_status(response.status_code, body)
    return Answer(body)


def check_address(url: str) -> None:
    """TLS, or a provider on this machine, as the sandbox is."""
    try:
        parts = urlsplit(url)
        is_local = env.is_loopback(parts.hostname or "")
    except ValueError as err:
        raise SignInUnverified from err
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise SignInUnverified


def check_status(status: int, body: bytes) -> None:
    """Only a 200 is an answer; a redirect is none, wherever it leads."""
    if status == 200:
        return
    if status == 429 or status >= 500:
        raise SignInUnreachable
    reason = _oauth_error(body) if status in (400, 401, 403) else ""
    if reason == "invalid_grant":
        raise SignInFailed  # a code that was used, or is too old
    if reason in ("invalid_client", "unauthorized_client"):
        raise PortalNotAccepted
    raise SignInUnverified


def _oauth_error(body: bytes) -> str:
    """The ``error`` of RFC 6749 section 5.2; empty if there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    reason = document.get("error") if isinstance(document, dict) else None
    return reason if isinstance(reason, str) else ""


def _read(response: requests.Response) -> bytes:
    """The body as it was sent; what was asked for uncompressed must come like that.

    :raises SignInUnverified: it is compressed, or longer than any honest answer
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise SignInUnverified
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > LONGEST_BODY:
            raise SignInUnverified
    return bytes(body)


def _failure(err: Exception, limit: TimeLimit) -> SignInFailed:
    if limit.is_over or isinstance(err, requests.Timeout):
        return SignInTimedOut()
    if isinstance(err, requests.exceptions.SSLError):
        return SignInUnverified()
    return SignInUnreachable()


class _Adapter(InTimeAdapter):
    """Connections that end in time, and that trust what this process trusts."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=_tls())

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=_tls())

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leaves the context as it is; reading the authorities anew costs 40 ms."""


@cache
def _tls() -> SSLContext:
    """Always verifies. GLOBUS_SDK_VERIFY_SSL may name other authorities, not none."""
    named = settings.SOCIAL_AUTH_GLOBUS_VERIFY_SSL
    return create_default_context(
        cafile=named if isinstance(named, str) else certifi.where()
    )


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    if settings.AUTH_PROXY:
        session.proxies = {"https": settings.AUTH_PROXY}
    session.mount("https://", _Adapter())
    session.mount("http://", _Adapter())
    session.headers["User-Agent"] = "Causeway"
    return session
