"""How many files may go through a web process at once.

Each holds one of its threads until it is through, and a browser on a slow line may
take hours. So some threads are kept for pages, and one person cannot take them all.
Counted per process, because its threads are what runs out.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from accounts.models import User
from portal.globus.errors import PortalError

_lock = threading.Lock()
_taken: Counter[Any] = Counter()

RETRY_SECONDS = 30


class Busy(PortalError):
    """:ivar retry_after: seconds"""

    title = "Too many files are on their way"
    retry_after = RETRY_SECONDS
    passing = True


class YouAreBusy(Busy):
    status = 429
    advice = (
        "You have as many up- and downloads open here as one person may. Let one of "
        "them finish, then try again. For many files at once, a transfer is quicker."
    )


class PortalIsBusy(Busy):
    status = 503
    advice = (
        "Many people up- and download files through this portal right now. Try again "
        "in a minute, or use a transfer, which does not go through the portal."
    )


class Slot:
    """A place for one file; given back once, however often it is asked to be."""

    def __init__(self, user: User) -> None:
        """:raises Busy: there is none"""
        self._key = user.pk
        with _lock:
            if _taken[self._key] >= settings.STREAMS_PER_PERSON:
                raise YouAreBusy
            if _taken.total() >= settings.STREAMS:
                raise PortalIsBusy
            _taken[self._key] += 1
        self._is_taken = True

    def close(self) -> None:
        with _lock:
            if self._is_taken:
                self._is_taken = False
                _taken[self._key] -= 1
                if not _taken[self._key]:
                    del _taken[self._key]


@contextmanager
def slot(user: User) -> Iterator[None]:
    taken = Slot(user)
    try:
        yield
    finally:
        taken.close()


def open_streams() -> int:
    with _lock:
        return _taken.total()
