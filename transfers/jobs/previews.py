"""When a job is due next, over all of its schedules."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from transfers.jobs import schedules
from transfers.jobs.schedules import Due, Rhythm

COUNT = 10
_TOGETHER = "Two schedules are due at this moment; it is one run."


def next_of_all(
    rhythms: Iterable[Rhythm], now: datetime, *, count: int = COUNT
) -> list[Due]:
    """The next due times as they will fire: what is due twice at once is one run."""
    lines = (schedules.preview(each, now, count=count) for each in rhythms)
    found: list[Due] = []
    for due in heapq.merge(*lines, key=lambda each: each.at):
        if found and found[-1].at == due.at:
            found[-1] = _both(found[-1])
        elif len(found) == count:
            break
        else:
            found.append(due)
    return found


def _both(due: Due) -> Due:
    if _TOGETHER in due.note:
        return due
    return replace(due, note=f"{due.note} {_TOGETHER}".strip())
