"""What an ID token must be beyond what social-core and PyJWT look at.

OpenID Connect Core section 3.1.3.7, RFC 8725; the ids are of security.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.utils import timezone

from portal.globus.errors import SignInNotFresh, SignInUnverified

ALGORITHM = "RS512"
SMALLEST_KEY = 2048  # bits
#: Auth's clock and ours
SKEW = timedelta(seconds=60)
#: an ID token is used in the second after it was made
OLDEST = timedelta(seconds=300)

#: seconds since 1970, in claims
LATEST_MOMENT = 253_402_300_799  # the end of the year 9999, as far as Python counts


def check_header(header: Mapping[str, Any]) -> None:
    """Refuses other algorithms, kinds of token and rules than Globus's (L09, L10).

    Keys that the token brings along (``jwk``, ``jku``, ``x5c``) are not looked at.
    """
    kind = header.get("typ", "JWT")
    is_jwt = isinstance(kind, str) and kind.upper() == "JWT"
    if header.get("alg") != ALGORITHM or not is_jwt or "crit" in header:
        raise SignInUnverified


def key_that_signed(
    id_token: str, header: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The key of ``keys`` whose signature the token has.

    A ``kid`` narrows the search down where both have one; Globus's key has none.
    """
    signed, _, signature = id_token.rpartition(".")
    wanted = header.get("kid")
    for key in keys:
        public = public_key(key)
        named = key.get("kid")
        if public is None or (wanted and named and wanted != named):
            continue
        algorithm = jwt.get_algorithm_by_name(ALGORITHM)
        try:
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except ValueError:
            return None
        if algorithm.verify(signed.encode(), public, raw):
            return {**key, "alg": ALGORITHM}
    return None


def public_key(key: Mapping[str, Any]) -> RSAPublicKey | None:
    """A published key, if it is one to trust for signatures (L09)."""
    fits = (
        key.get("kty") == "RSA"
        and key.get("use", "sig") == "sig"
        and key.get("alg", ALGORITHM) == ALGORITHM
    )
    if not fits:
        return None
    try:
        loaded = jwt.PyJWK(dict(key), algorithm=ALGORITHM).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    is_large = isinstance(loaded, RSAPublicKey) and loaded.key_size >= SMALLEST_KEY
    return loaded if is_large else None


def check_claims(claims: Mapping[str, Any], *, code: str) -> None:
    """:param code: what the token was bought with, for ``c_hash``"""
    check_moments(claims, now=timezone.now())
    if "at_hash" not in claims:
        raise SignInUnverified  # Globus always sends it; its value is checked already
    if "c_hash" in claims and not is_half_hash(claims["c_hash"], code):
        raise SignInUnverified


def check_moments(claims: Mapping[str, Any], *, now: datetime) -> None:
    """``exp``, ``iat`` and ``nbf``, as numbers and with a minute for the clocks (L12).

    The library allows ``nbf`` no difference at all, and fails on a text.
    """
    expires, issued = moment(claims.get("exp")), moment(claims.get("iat"))
    starts = moment(claims["nbf"]) if "nbf" in claims else issued
    if expires is None or issued is None or starts is None:
        raise SignInUnverified
    is_current = (
        issued - SKEW <= now <= issued + OLDEST + SKEW
        and starts - SKEW <= now < expires + SKEW
    )
    if not is_current:
        raise SignInUnverified


def moment(value: object) -> datetime | None:
    """A NumericDate (RFC 7519 section 2)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= LATEST_MOMENT:  # false for NaN as well
        return None
    return datetime.fromtimestamp(value, UTC)


def is_half_hash(claim: object, value: str) -> bool:
    """Whether ``claim`` is the left half of a hash of ``value`` (section 3.3.2.11)."""
    half = hashlib.sha512(value.encode()).digest()[:32]
    made = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    return isinstance(claim, str) and hmac.compare_digest(
        made.encode(), claim.encode("utf-8", "replace")
    )


def proved_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the person showed who they are.

    ``auth_time`` is OpenID Connect's name for it, ``last_authentication`` Globus's.
    """
    return moment(claims.get("auth_time", claims.get("last_authentication")))


def verified_step_up(
    claims: Mapping[str, Any],
    *,
    since: datetime,
    acr_values: Container[str] | None = None,
) -> datetime:
    """When the person showed who they are, provided that it was for this (L17).

    Asking for ``prompt=login``, ``max_age`` or an ``acr`` and not looking at the answer
    would be worse than not asking: Auth lets people come back who did something else.

    :param since: when they were sent to Auth
    :param acr_values: the ways that will do, if it matters which
    :raises SignInNotFresh: the answer does not say so
    """
    at = proved_at(claims)
    if at is None or at < since - SKEW or at > timezone.now() + SKEW:
        raise SignInNotFresh
    if acr_values is not None and claims.get("acr") not in acr_values:
        raise SignInNotFresh
    return at
