"""What an answer of Auth's token endpoint has to look like before it is stored.

The SDK takes an answer apart when it arrives and raises whatever that brings about: a
page of a proxy in its place is a ``ValueError``, a missing name a ``KeyError``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from accounts import callback
from portal.globus.errors import UnexpectedAnswer

LONGEST_TOKEN = 8192
LONGEST_SCOPE = 65_536
#: ten years; an access token of Globus lasts two days
LONGEST_LIFETIME_SECONDS = 315_360_000


@contextmanager
def taken_apart() -> Iterator[None]:
    """Around a call of the SDK that brings tokens, and nothing else.

    :raises UnexpectedAnswer: it is no answer with tokens
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        # Without its cause, which may quote the answer.
        raise UnexpectedAnswer(code="TokenAnswer") from None


def is_token_entry(entry: object) -> bool:
    """Of a sign-in, as Auth sends it (L16)."""
    return (
        isinstance(entry, Mapping)
        and str(entry.get("token_type", "")).lower() == "bearer"
        and is_token(entry.get("access_token"))
        and is_token(entry.get("refresh_token"))
        and callback.is_visible(_text_in(entry, "resource_server"), 255)
        and is_scope_string(entry.get("scope"))
        and is_lifetime(entry.get("expires_in"))
    )


def is_renewed_entry(entry: Mapping[str, Any]) -> bool:
    """Of a renewal, as the SDK has it; what it does not name stays as it is (T10)."""
    refresh_token, scope = entry.get("refresh_token"), entry.get("scope")
    expires_at = entry.get("expires_at_seconds")
    return (
        is_token(entry.get("access_token"))
        and (not refresh_token or is_token(refresh_token))
        and (not scope or is_scope_string(scope))
        and isinstance(expires_at, int)
        and 0 < expires_at <= time.time() + LONGEST_LIFETIME_SECONDS
    )


def is_token(value: object) -> bool:
    return isinstance(value, str) and callback.is_visible(value, LONGEST_TOKEN)


def _text_in(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def is_scope_string(value: object) -> bool:
    """Visible ASCII and spaces (RFC 6749 section 3.3)."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_SCOPE
        and value.isascii()
        and value.isprintable()
    )


def is_lifetime(value: object) -> bool:
    """Seconds, in a number that a date can take."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and 0 < value <= LONGEST_LIFETIME_SECONDS  # type: ignore[operator]
