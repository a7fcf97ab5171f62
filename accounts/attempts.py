"""Sign-ins that were begun in a browser and have not come back yet.

What an attempt is about is kept in the session under its ``state``, so that two tabs
do not come out at each other's pages.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from portal.globus.errors import TooMany

LASTS_SECONDS = 1800
MOST_OPEN = 5

_KEY = "sign_in_attempts"


@dataclass(frozen=True)
class Attempt:
    """:ivar next: a page of ours, checked
    :ivar began_at: seconds since 1970
    :ivar fresh: Auth was told to ask who this is, whatever it knows already
    """

    next: str
    began_at: int
    fresh: bool = False

    @property
    def began(self) -> datetime:
        return datetime.fromtimestamp(self.began_at, UTC)


def begin(*, next: str, fresh: bool = False) -> Attempt:
    return Attempt(next=next, began_at=_now(), fresh=fresh)


def _now() -> int:
    return int(timezone.now().timestamp())


def check_room(session: SessionBase) -> None:
    """:raises TooMany: five sign-ins are under way in this browser (L29)"""
    started = sorted(row["began_at"] for row in _open(session).values())
    if len(started) >= MOST_OPEN:
        raise TooMany(
            "Several sign-ins that were begun in this browser were not finished.",
            retry_after=started[-MOST_OPEN] + LASTS_SECONDS - _now(),
        )


def remember(session: SessionBase, state: str, attempt: Attempt) -> None:
    session[_KEY] = {**_open(session), state: asdict(attempt)}


def close(session: SessionBase, state: str) -> Attempt | None:
    """Takes the attempt of ``state`` out: it came back, for better or worse.

    Saved at once, because Django saves no session with an answer of 5xx, and what an
    outage ended must not count as under way.
    """
    waiting = _open(session)
    row = waiting.pop(state, None)
    session[_KEY] = waiting
    session.save()
    return Attempt(**row) if row else None


def _open(session: SessionBase) -> dict[str, dict[str, Any]]:
    oldest = _now() - LASTS_SECONDS
    kept: dict[str, dict[str, Any]] = session.get(_KEY, {})
    return {state: row for state, row in kept.items() if row["began_at"] > oldest}


def trace(state: str) -> str:
    """Names an attempt in the audit, where its ``state`` must not stand."""
    return sha256(state.encode("utf-8", "replace")).hexdigest()[:16]
