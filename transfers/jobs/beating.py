"""A pulse for the runs that this process has in hand.

One thread for all of them, so that a call to Globus may take its time: a run whose
worker is alive is not taken over. What a worker never gets done, a deadline ends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from transfers.jobs.models import Run

logger = logging.getLogger(__name__)

BEAT_SECONDS = 20

_in_hand: dict[UUID, datetime] = {}
_changed = threading.Condition()
_thread: threading.Thread | None = None


@contextmanager
def alive(run: Run) -> Iterator[None]:
    """While this lasts, the heartbeat of the run goes on."""
    global _thread
    assert run.claimed_at is not None
    with _changed:
        _in_hand[run.pk] = run.claimed_at
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_go_on, name="heartbeat", daemon=True)
            _thread.start()
    try:
        yield
    finally:
        with _changed:
            _in_hand.pop(run.pk, None)


def _go_on() -> None:
    pause = threading.Event()
    while not pause.wait(BEAT_SECONDS):
        try:
            beat()
        except DatabaseError:
            logger.warning("A heartbeat could not be written", exc_info=True)
        finally:
            connection.close()


def beat(now: datetime | None = None) -> int:
    """Writes down that the runs in hand are alive.

    :returns: how many still are this process's own
    """
    with _changed:
        mine = [Q(pk=pk, claimed_at=claimed_at) for pk, claimed_at in _in_hand.items()]
    if not mine:
        return 0
    rows = Run.objects.filter(reduce(or_, mine), state=Run.State.PREPARING)
    return rows.update(heartbeat_at=now or timezone.now())
