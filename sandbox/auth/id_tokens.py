"""The id token of a sign-in, also in the ways that a client must refuse."""

import base64
import hashlib
import time
from typing import Any

from sandbox import clock
from sandbox.auth import identities, keys
from sandbox.knobs import current as knobs
from sandbox.models import BrowserSession, Client, Identity
from sandbox.runtime import runtime


def make(
    *,
    client: Client,
    identity: Identity,
    session: BrowserSession | None,
    granted: set[str],
    access_token: str,
    nonce: str,
) -> str | None:
    """Sign the claims of OpenID Connect Core section 2; None when a knob says so."""
    # The client checks iat against its own clock, which no test can advance.
    is_virtual = knobs.id_token_clock == "virtual"  # noqa: S105 - no password
    now = int(clock.now() if is_virtual else time.time())
    claims: dict[str, Any] = {
        **identities.claims(identity, session, granted),
        "iss": runtime.auth_url,
        "aud": client.pk,
        "iat": now,
        "exp": now + knobs.id_token_seconds,
        "at_hash": at_hash(access_token),
    }
    if nonce:
        claims["nonce"] = nonce
    way = knobs.forge_id_token
    if way == "missing":
        return None
    forge(claims, way)
    return keys.sign(claims, key=keys.new_key() if way == "signature" else None)


def forge(claims: dict[str, Any], way: str) -> None:
    """Make one claim wrong."""
    match way:
        case "iss":
            claims["iss"] = "https://auth.invalid"
        case "aud":
            claims["aud"] = "00000000-0000-0000-0000-000000000000"
        case "nonce":
            claims["nonce"] = "not-the-nonce-that-was-sent"
        case "at_hash":
            claims["at_hash"] = at_hash("another token")
        case "expired":
            claims["iat"] -= 7_200
            claims["exp"] = claims["iat"] + 60
        case "future_iat":
            claims["iat"] += 3_600


def at_hash(access_token: str) -> str:
    """Left half of the SHA-512, as RS512 asks (OpenID Connect Core 3.1.3.6)."""
    half = hashlib.sha512(access_token.encode()).digest()[:32]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()
