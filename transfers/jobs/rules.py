"""Calendar rules of RFC 5545 section 3.3.10, with bounded work.

``python-dateutil`` expands what is daily or rarer. It walks hourly and minutely rules
minute by minute for thousands of years when they match nothing, so those are expanded
here: the days come from the same library, the minutes of a day from arithmetic.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from transfers.jobs.clocks import moments

#: Nothing is looked for further ahead than this.
HORIZON_YEARS = 50
MOST_COUNT = 10_000
#: minutes of days that one search looks at
MOST_LOOKS = 300_000
#: The library looks for a day that fits until its calendar ends, in the year 9999. From
#: here every day of the year falls on every weekday until then, and the end is near.
_LATE_DAY = datetime(9960, 1, 1)  # noqa: DTZ001 - a wall time

_SUB_DAILY = {"HOURLY": 60, "MINUTELY": 1}
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", *_SUB_DAILY)
_OF_DAYS = {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYWEEKNO"}
_KNOWN = _OF_DAYS | {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYSETPOS",
    "BYHOUR",
    "BYMINUTE",
    "BYSECOND",
}


class BadRule(ValueError):
    """The text is no rule; its message is a sentence."""


@dataclass(frozen=True)
class Rule:
    """:ivar rest: what the library is given besides frequency, count and end"""

    frequency: str
    interval: int
    count: int | None
    until: str
    hours: frozenset[int] | None
    minutes: frozenset[int] | None
    rest: tuple[tuple[str, str], ...]

    @property
    def is_sub_daily(self) -> bool:
        return self.frequency in _SUB_DAILY


@lru_cache(maxsize=1024)
def parsed(text: str) -> Rule:
    """:raises BadRule:"""
    parts = _parts(text)
    frequency = parts.pop("FREQ", "")
    if frequency == "SECONDLY" or parts.pop("BYSECOND", "0") != "0":
        raise BadRule("It would be due more often than once a minute.")
    if frequency not in _FREQUENCIES:
        names = ", ".join(_FREQUENCIES)
        raise BadRule(f"FREQ says how often; use one of {names}.")
    interval = _number(parts.pop("INTERVAL", "1"), "INTERVAL", most=100_000)
    count = None
    if "COUNT" in parts:
        if "UNTIL" in parts:
            raise BadRule("Use COUNT or UNTIL, not both.")
        count = _number(parts.pop("COUNT"), "COUNT", most=MOST_COUNT)
    until = parts.pop("UNTIL", "")
    _end(until, ZoneInfo("UTC"))
    hours = minutes = None
    if frequency in _SUB_DAILY:
        if "BYSETPOS" in parts:
            raise BadRule("BYSETPOS is not for hourly and minutely rules.")
        hours = _set(parts.pop("BYHOUR", ""), "BYHOUR", range(24))
        minutes = _set(parts.pop("BYMINUTE", ""), "BYMINUTE", range(60))
    rule = Rule(frequency, interval, count, until, hours, minutes, tuple(parts.items()))
    _check(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    line = text.strip().upper().removeprefix("RRULE:")
    if "\n" in line or line.startswith(("DTSTART", "EXDATE", "RDATE", "EXRULE")):
        raise BadRule(
            "Write one rule, without DTSTART or EXDATE; start, end and days off have "
            "fields of their own."
        )
    parts: dict[str, str] = {}
    for piece in filter(None, line.rstrip(";").split(";")):
        name, equals, value = piece.partition("=")
        if not equals or not value:
            raise BadRule(f"“{piece}” is not of the form NAME=VALUE.")
        if name not in _KNOWN:
            raise BadRule(f"A rule has no part “{name}”.")
        if name in parts:
            raise BadRule(f"“{name}” stands there twice.")
        parts[name] = value
    return parts


def _number(text: str, name: str, *, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= most:
        raise BadRule(f"{name} is a whole number from 1 to {most:,}.")
    return int(text)


def _set(text: str, name: str, allowed: range) -> frozenset[int] | None:
    if not text:
        return None
    pieces = text.split(",")
    if not all(each.isascii() and each.isdecimal() for each in pieces):
        raise BadRule(f"{name} lists numbers from 0 to {allowed[-1]}.")
    found = frozenset(map(int, pieces))
    if not found <= frozenset(allowed):
        raise BadRule(f"{name} lists numbers from 0 to {allowed[-1]}.")
    return found


def _check(rule: Rule) -> None:
    """Lets the library read the rest, and find a day at all."""
    weekdays = dict(rule.rest).get("BYDAY", "")
    if rule.frequency not in ("MONTHLY", "YEARLY") and any(map(str.isdigit, weekdays)):
        raise BadRule("“The second Monday” is for monthly and yearly rules only.")
    try:
        if rule.is_sub_daily:
            found = next(_days(rule, _LATE_DAY), None)
        else:
            found = next(iter(_expansion(replace(rule, interval=1), _LATE_DAY)), None)
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        reason = str(err).rstrip(".") or "it makes no sense"
        raise BadRule(f"The rule cannot be read: {reason}.") from err
    if found is None:
        raise BadRule("No day fits this rule, so it would never be due.")


def _end(until: str, zone: ZoneInfo) -> datetime | None:
    """:raises BadRule:"""
    if not until:
        return None
    for form, shape in (
        ("%Y%m%dT%H%M%SZ", UTC),
        ("%Y%m%dT%H%M%S", zone),
        ("%Y%m%d", zone),
    ):
        try:
            found = datetime.strptime(until, form).replace(tzinfo=shape)
        except ValueError:
            continue
        if form == "%Y%m%d":
            found = datetime.combine(found.date(), time.max, tzinfo=zone)
        return found.astimezone(UTC)
    raise BadRule("UNTIL is written like 20271231 or 20271231T180000Z.")


def times(
    rule: Rule, start: datetime, zone: ZoneInfo, after: datetime
) -> Iterator[datetime]:
    """The moments after ``after`` at which the rule is due, in order; UTC.

    :param start: from when it counts; its wall time gives what the rule leaves open
    """
    first = start.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    from_wall = after.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
    if rule.is_sub_daily:
        walls = _minutes(rule, first, from_wall)
    else:
        walls = _walls(rule, first, from_wall)
    end = _end(rule.until, zone)
    found = moments(walls, zone, every_showing=rule.is_sub_daily)
    last = after
    for moment in itertools.islice(found, rule.count):
        if end is not None and moment > end:
            return
        if moment > last:
            last = moment
            yield moment


def _walls(rule: Rule, first: datetime, from_wall: datetime) -> Iterator[datetime]:
    if rule.count is None and rule.frequency in ("DAILY", "WEEKLY"):
        # The library counts from the beginning; years of days would be counted each
        # time. One round is left over: the week of the beginning has only its rest,
        # so that BYSETPOS means other days in it than in all others.
        days = rule.interval * (7 if rule.frequency == "WEEKLY" else 1)
        rounds = max(0, (from_wall - first).days // days - 1)
        first += timedelta(days=rounds * days)
    expansion = _expansion(rule, first)
    limit = _horizon(max(first, from_wall))
    return itertools.takewhile(
        lambda wall: wall <= limit, iter(expansion.replace(until=limit))
    )


def _expansion(rule: Rule, first: datetime) -> rrule:
    parts = [f"{name}={value}" for name, value in rule.rest]
    text = ";".join([f"FREQ={rule.frequency}", f"INTERVAL={rule.interval}", *parts])
    found = rrulestr(text, dtstart=first)
    assert isinstance(found, rrule)
    return found


def _horizon(moment: datetime) -> datetime:
    return moment.replace(year=min(moment.year + HORIZON_YEARS, 9999), day=1)


def _days(rule: Rule, first: datetime) -> Iterator[date]:
    """The days on which an hourly or minutely rule may be due."""
    parts = [f"{name}={value}" for name, value in rule.rest if name in _OF_DAYS]
    text = ";".join(["FREQ=DAILY", *parts])
    found = rrulestr(text, dtstart=datetime.combine(first, time()))
    assert isinstance(found, rrule)
    return (day.date() for day in found.replace(until=_horizon(first)))


def _minutes(rule: Rule, first: datetime, from_wall: datetime) -> Iterator[datetime]:
    begin = first if rule.count is not None else max(first, from_wall)
    unit = _SUB_DAILY[rule.frequency]
    step = unit * rule.interval
    origin = first.replace(minute=0) if unit == 60 else first
    minutes = rule.minutes
    if unit == 60 and minutes is None:
        minutes = frozenset([first.minute])
    looks = 0
    for day in _days(rule, begin):
        midnight = datetime.combine(day, time())
        since = int((origin - midnight).total_seconds()) // 60
        for begun in range(since % step, 1440, step):
            looks += 1
            for wall in _inside(midnight, begun, unit, minutes):
                is_meant = rule.hours is None or wall.hour in rule.hours
                if is_meant and wall >= first:
                    yield wall
        looks += 1
        if looks > MOST_LOOKS:
            return


def _inside(
    midnight: datetime, begun: int, unit: int, minutes: frozenset[int] | None
) -> Iterator[datetime]:
    """The minutes of an hour, or the one minute, if they are meant."""
    if unit == 1:
        if minutes is None or begun % 60 in minutes:
            yield midnight + timedelta(minutes=begun)
        return
    assert minutes is not None
    for minute in sorted(minutes):
        yield midnight + timedelta(minutes=begun + minute)
