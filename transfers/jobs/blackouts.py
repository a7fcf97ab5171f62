"""Weekly windows in which nothing starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MOST_WINDOWS = 50
#: windows that may follow one another without a gap
_MOST_JOINED = 400


@dataclass(frozen=True)
class Window:
    """:ivar days: on which it begins, 0 is Monday
    :ivar until: not after ``since``: on the next day
    """

    days: frozenset[int]
    since: time
    until: time

    def span_from(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The window that begins on this day, in UTC."""
        last = day if self.until > self.since else day + timedelta(days=1)
        begins = datetime.combine(day, self.since, tzinfo=zone)
        ends = datetime.combine(last, self.until, tzinfo=zone)
        return begins.astimezone(UTC), ends.astimezone(UTC)


def windows_from(value: Any, problems: dict[str, str]) -> tuple[Window, ...]:
    """Reads ``Schedule.blackouts``; a sentence goes into ``problems``."""
    if not isinstance(value, list) or len(value) > MOST_WINDOWS:
        problems["blackouts"] = f"List at most {MOST_WINDOWS} windows."
        return ()
    found = []
    for number, each in enumerate(value, start=1):
        try:
            found.append(_window(each))
        except (KeyError, TypeError, ValueError):
            problems["blackouts"] = (
                f"Window {number} needs days (0 is Monday), and a beginning and an end "
                "such as 08:00 and 18:00."
            )
    return _not_always(tuple(found), problems)


def _window(value: Any) -> Window:
    days = frozenset(value["days"])
    if not days or not all(type(day) is int and 0 <= day < 7 for day in days):
        raise ValueError
    since, until = (time.fromisoformat(value[end]) for end in ("from", "to"))
    if since.tzinfo or until.tzinfo:  # the zone is that of the schedule
        raise ValueError
    return Window(days, since, until)


def _not_always(
    windows: tuple[Window, ...], problems: dict[str, str]
) -> tuple[Window, ...]:
    zone = ZoneInfo("UTC")
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    try:
        end_of_blackout(windows, zone, monday)
    except OverflowError:
        problems["blackouts"] = "These windows leave no moment at which it could run."
        return ()
    return windows


def end_of_blackout(
    windows: Iterable[Window], zone: ZoneInfo, moment: datetime
) -> datetime | None:
    """When the blackout that holds at this moment ends, windows that join included.

    :raises OverflowError: it never ends
    """
    windows = tuple(windows)
    end = moment
    for _ in range(_MOST_JOINED):
        further = _one_end(windows, zone, end)
        if further is None:
            return None if end == moment else end
        end = further
    raise OverflowError


def _one_end(
    windows: tuple[Window, ...], zone: ZoneInfo, moment: datetime
) -> datetime | None:
    today = moment.astimezone(zone).date()
    ends = []
    for window in windows:
        for day in (today - timedelta(days=1), today):
            if day.weekday() in window.days:
                begins, until = window.span_from(day, zone)
                if begins <= moment < until:
                    ends.append(until)
    return max(ends, default=None)
