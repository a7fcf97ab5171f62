"""Wall clocks and what they do when summer begins and ends."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

#: Wall times come in order, moments need not when a clock is put back or forward.
SLACK = timedelta(hours=3)


class NoSuchZone(ValueError):
    """No clock is kept under this name."""


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """:raises NoSuchZone:"""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as err:  # a path, or a folder of zones
        raise NoSuchZone(name) from err


def is_skipped(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether no clock ever shows this: it lies where the clock jumps forward."""
    there = wall.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall


def moments(
    walls: Iterable[datetime], zone: ZoneInfo, *, every_showing: bool
) -> Iterator[datetime]:
    """The moments at which a clock shows these wall times, in order.

    :param walls: naive, in order
    :param every_showing: as for “every hour”: an hour that comes twice counts twice,
        and one that the clock leaves out is left out. Otherwise each wall time counts
        once: the first of two, and one that is left out is taken with the offset from
        before the change (RFC 5545 section 3.3.5).
    """
    heap: list[datetime] = []
    for wall in walls:
        found = _showings(wall, zone) if every_showing else [_once(wall, zone)]
        for moment in found:
            heapq.heappush(heap, moment)
        if found:
            safe = found[0] - SLACK
            while heap and heap[0] < safe:
                yield heapq.heappop(heap)
    while heap:
        yield heapq.heappop(heap)


def _once(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _showings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    if is_skipped(wall, zone):
        return []
    first = _once(wall, zone)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return [first] if first == second else [first, second]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def change_on(day: date, zone: ZoneInfo) -> timedelta:
    """By how much the clock is put forward on this day; negative: back."""
    first = datetime.combine(day, time(), tzinfo=zone)
    last = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    return (last.utcoffset() or timedelta()) - (first.utcoffset() or timedelta())
