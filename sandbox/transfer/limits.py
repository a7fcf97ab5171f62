"""The request limit per identity, off unless a knob sets it."""

import math
import threading
import time
from collections import defaultdict, deque

from sandbox.knobs import current as knobs

WINDOW_SECONDS = 10


class RateLimited(Exception):
    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(retry_after)


_lock = threading.Lock()
_requests: dict[str, deque[float]] = defaultdict(deque)


def count_request(identity_id: str) -> None:
    """Count one request, over a window of ten real seconds.

    :raises RateLimited: there were too many
    """
    if not knobs.requests_per_second:
        return
    now = time.monotonic()
    with _lock:
        seen = _requests[identity_id]
        while seen and seen[0] <= now - WINDOW_SECONDS:
            seen.popleft()
        if len(seen) >= knobs.requests_per_second * WINDOW_SECONDS:
            raise RateLimited(math.ceil(seen[0] + WINDOW_SECONDS - now))
        seen.append(now)


def reset() -> None:
    with _lock:
        _requests.clear()
