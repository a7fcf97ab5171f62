"""What Globus Auth publishes about itself: its addresses and the keys it signs with.

Each process keeps both for an hour. A document is checked before it is kept, and the
addresses again whenever one of them is used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from accounts import provider
from portal.globus.errors import SignInUnverified

KEPT_SECONDS = 3600
#: A forged token costs us a request for the keys; this is how many it can cost.
LOOK_AGAIN_SECONDS = 60
MOST_KEYS = 20

#: the endpoints of a discovery document that the portal uses
ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
)
#: used where it is announced; the SDK knows the address of Globus's own
OPTIONAL_ENDPOINTS = ("revocation_endpoint",)


@dataclass
class _Kept:
    document: Any
    fetched_at: float
    looked_again_at: float = field(default=-LOOK_AGAIN_SECONDS)


_lock = threading.Lock()
_kept: dict[str, _Kept] = {}


def forget() -> None:
    """As a process that has just started."""
    with _lock:
        _kept.clear()


def discovery() -> dict[str, Any]:
    """The discovery document of the one issuer that there is for us.

    OpenID Connect Discovery 1.0 section 4.3.

    :raises SignInUnverified: it leads away from the issuer
    """
    issuer = settings.GLOBUS_AUTH_URL
    address = f"{issuer}/.well-known/openid-configuration"

    def fetched() -> dict[str, Any]:
        document = provider.ask("GET", address).json()
        check_discovery(document, issuer)
        return dict(document)

    document: dict[str, Any] = _keep(address, fetched).document
    check_discovery(document, issuer)
    return document


def signing_keys() -> list[dict[str, Any]]:
    return list(_keep(*_keys()).document)


def signing_keys_anew() -> list[dict[str, Any]] | None:
    """The keys of this moment, for a signature that none of the kept ones made.

    Globus names its key no ``kid``, so a new key shows in nothing else (L11).

    :returns: nothing if they were looked at again within the last minute
    """
    address, fetched = _keys()
    with _lock:
        known = _kept.get(address)
        now = monotonic()
        if known is None or now - known.looked_again_at < LOOK_AGAIN_SECONDS:
            return None
        known.looked_again_at = now
    document = fetched()
    with _lock:
        _kept[address] = _Kept(document, now, looked_again_at=now)
    return list(document)


def _keys() -> tuple[str, Callable[[], list[dict[str, Any]]]]:
    address = str(discovery()["jwks_uri"])
    return address, lambda: key_list(provider.ask("GET", address).json())


def key_list(document: object) -> list[dict[str, Any]]:
    """The keys of a JWK set (RFC 7517 section 5)."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise SignInUnverified
    return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]


def _keep(address: str, fetched: Callable[[], Any]) -> _Kept:
    # Fetched outside the lock: a provider that hangs must not hold every sign-in.
    with _lock:
        known = _kept.get(address)
    if known is not None and monotonic() - known.fetched_at < KEPT_SECONDS:
        return known
    fresh = _Kept(fetched(), monotonic())
    with _lock:
        _kept[address] = fresh
    return fresh


def check_discovery(document: object, issuer: str) -> None:
    """Refuses a discovery document that leads away from the issuer (L07)."""
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise SignInUnverified
    announced = [name for name in OPTIONAL_ENDPOINTS if name in document]
    for name in (*ENDPOINTS, *announced):
        if not is_beside(document.get(name), issuer):
            raise SignInUnverified


def is_beside(address: object, issuer: str) -> bool:
    """Whether an address has the scheme, host and port of the issuer."""
    if not isinstance(address, str):
        return False
    home = urlsplit(issuer)
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (home.scheme, home.netloc)
