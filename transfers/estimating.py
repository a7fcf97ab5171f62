"""How much longer a transfer takes, with how much that may be wrong.

Globus counts files and bytes that have arrived, but tells no total of bytes, so the
files decide. They are unequal, so two paces are looked at: on average, and lately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

from transfers.models import Transfer

SampleRow = tuple[datetime, int, int]

#: before that there is nothing to go by
LEAST_SECONDS = 10
LEAST_FILES = 2
LONGEST = timedelta(days=90)


@dataclass(frozen=True)
class TimeLeft:
    low: timedelta
    high: timedelta
    #: folders are still being opened, so there may be more files than are known
    may_grow: bool = False

    @property
    def words(self) -> str:
        low, high = _words(self.low), _words(self.high)
        if low == high:
            text = f"about {low} left"
        elif low.rpartition(" ")[2] == high.rpartition(" ")[2]:
            text = f"{low.rpartition(' ')[0]} to {high} left"
        else:
            text = f"{low} to {high} left"
        return f"{text}, or more" if self.may_grow else text


def time_left(
    transfer: Transfer, samples: Sequence[SampleRow], now: datetime
) -> TimeLeft | None:
    """Nothing where nothing sensible can be said.

    :param samples: the oldest first
    """
    done = transfer.files_transferred + transfer.files_skipped
    left = transfer.files - done
    elapsed = (now - transfer.began_at).total_seconds()
    is_running = transfer.status == Transfer.Status.ACTIVE and transfer.is_ok
    if not is_running or left <= 0 or done < LEAST_FILES or elapsed < LEAST_SECONDS:
        return None
    mean = done / elapsed
    paces = [mean, _lately(samples, done, now, elapsed / 4) or mean]
    doubt = 1 / sqrt(done)
    low = left / max(paces) * (1 - doubt / 2)
    high = left / min(paces) * (1 + doubt)
    if high > LONGEST.total_seconds():
        return None
    subtasks_open = transfer.subtasks_total - transfer.files - transfer.directories
    return TimeLeft(
        timedelta(seconds=low), timedelta(seconds=high), may_grow=subtasks_open > 1
    )


def _lately(
    samples: Sequence[SampleRow], done: int, now: datetime, seconds: float
) -> float:
    """Files per second within the last so many seconds."""
    since = now - timedelta(seconds=max(seconds, LEAST_SECONDS))
    before = [sample for sample in samples if sample[0] <= since]
    if not before:
        return 0
    at, _, files = before[-1]
    return max(0, done - files) / max(1.0, (now - at).total_seconds())


_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def _words(length: timedelta) -> str:
    """“12 minutes”, in the unit of which there are at least two."""
    seconds = max(1, round(length.total_seconds()))
    for size, name in _UNITS:
        count = round(seconds / size)
        if count >= 2 or size == 1:
            return f"{count} {name}s" if count != 1 else f"1 {name}"
    raise AssertionError(seconds)


def speeds(
    began_at: datetime, samples: Sequence[SampleRow]
) -> list[tuple[datetime, datetime, float]]:
    """``(from, to, bytes per second)`` between each two samples, the oldest first."""
    found = []
    last, size = began_at, 0
    for at, bytes_moved, _ in samples:
        seconds = (at - last).total_seconds()
        if seconds > 0:
            found.append((last, at, max(0, bytes_moved - size) / seconds))
        last, size = max(at, last), bytes_moved
    return found
