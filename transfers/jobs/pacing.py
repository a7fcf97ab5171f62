"""The pace at which one identity asks Globus, within this process.

About 20 requests a second per identity is what Globus allows. A walk is the one place
that asks without a pause of its own.
"""

from __future__ import annotations

import threading
import time

from accounts.models import Principal

REQUESTS_PER_SECOND = 20

_lock = threading.Lock()
_next_turns: dict[tuple[str, str], float] = {}


def take_turn(principal: Principal) -> None:
    """Waits until this identity may send one more request."""
    key = type(principal).__name__, str(principal.pk)
    with _lock:
        now = time.monotonic()
        turn = max(now, _next_turns.get(key, 0.0))
        _next_turns[key] = turn + 1 / REQUESTS_PER_SECOND
    if turn > now:
        time.sleep(turn - now)
