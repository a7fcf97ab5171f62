"""When a schedule is due: pure functions, the same for the preview and the ledger.

A cron line follows Debian's cron across a change of the clocks: an hour or minute that
is named runs once (the first of two; when it is left out, right after the gap), and
“every” follows real time. A calendar rule follows RFC 5545, an interval real time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from transfers.jobs import rules
from transfers.jobs.blackouts import Window, end_of_blackout, windows_from
from transfers.jobs.clocks import SLACK, NoSuchZone, change_on, midnight, zone_named
from transfers.jobs.timing import Schedule

MINUTE = timedelta(minutes=1)
#: dates that a schedule may leave out
MOST_EXCLUDED = 1000
LONGEST_INTERVAL = 527_040  # minutes: a leap year
#: of moments that people write; at the ends of the calendar no zone can tell them
YEARS = range(1900, 2201)


class BadSchedule(ValueError):
    """:ivar problems: a sentence for each field that is wrong"""

    def __init__(self, **problems: str) -> None:
        self.problems = problems
        super().__init__(" ".join(problems.values()))


@dataclass(frozen=True)
class Rhythm:
    """What of a schedule decides when it is due; all moments are UTC."""

    kind: str
    zone: ZoneInfo
    cron: str = ""
    interval_minutes: int | None = None
    rule: rules.Rule | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    excluded_dates: frozenset[date] = frozenset()
    blackouts: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Due:
    """A line of the preview.

    :ivar at: as ``Run.scheduled_for`` will have it
    :ivar local: the same in the zone of the schedule
    :ivar starts_at: later than ``at`` when a blackout holds it back
    :ivar note: about a change of the clocks or a blackout; else empty
    """

    at: datetime
    local: datetime
    starts_at: datetime
    note: str


def rhythm_of(schedule: Schedule) -> Rhythm:
    """:raises BadSchedule: with all that is wrong, at its fields"""
    problems: dict[str, str] = {}
    zone = ZoneInfo("UTC")
    try:
        zone = zone_named(schedule.zone)
    except NoSuchZone:
        problems["zone"] = (
            f"There is no time zone “{schedule.zone}”. Names are like Europe/Berlin."
        )
    rule = None
    if schedule.kind == Schedule.Kind.CRON:
        _check_cron(schedule.cron, problems)
    elif schedule.kind == Schedule.Kind.INTERVAL:
        _check_interval(schedule.interval_minutes, problems)
    elif schedule.kind == Schedule.Kind.RULE:
        try:
            rule = rules.parsed(schedule.rule)
        except rules.BadRule as err:
            problems["rule"] = str(err)
    elif schedule.kind != Schedule.Kind.ONCE:
        problems["kind"] = "Choose how the job is repeated."
    if schedule.kind != Schedule.Kind.CRON and schedule.start_at is None:
        problems["start_at"] = "Say from when."
    for name in ("start_at", "end_at"):
        moment = getattr(schedule, name)
        if moment is not None and moment.year not in YEARS:
            problems[name] = f"Give a year from {YEARS[0]} to {YEARS[-1]}."
    if schedule.start_at and schedule.end_at and schedule.end_at < schedule.start_at:
        problems["end_at"] = "It ends before it starts."
    excluded = _excluded(schedule.excluded_dates, problems)
    blackouts = windows_from(schedule.blackouts, problems)
    if problems:
        raise BadSchedule(**problems)
    return Rhythm(
        kind=schedule.kind,
        zone=zone,
        cron=schedule.cron,
        interval_minutes=schedule.interval_minutes,
        rule=rule,
        start_at=schedule.start_at and schedule.start_at.astimezone(UTC),
        end_at=schedule.end_at and schedule.end_at.astimezone(UTC),
        excluded_dates=excluded,
        blackouts=blackouts,
    )


def _check_cron(line: str, problems: dict[str, str]) -> None:
    fields = len(line.split())
    if fields == 6:
        problems["cron"] = (
            "A cron line has five fields here, from minute to weekday; with seconds "
            "it could be due more often than once a minute."
        )
    elif fields != 5:
        problems["cron"] = (
            "A cron line has five fields: minute, hour, day, month, weekday."
        )
    else:
        try:
            CronSim(line, datetime(2026, 1, 1, tzinfo=UTC))
        except (CronSimError, ValueError, AssertionError) as err:
            problems["cron"] = _cron_sentence(line, str(err))


def _cron_sentence(line: str, reason: str) -> str:
    if reason == "Bad day-of-month":
        day = line.split()[2]
        return f"The day “{day}” is wrong, or no month named here has such a day."
    part = reason.removeprefix("Bad ") or "line"
    return f"The {part} of this cron line cannot be read."


def _check_interval(minutes: int | None, problems: dict[str, str]) -> None:
    if minutes is None or not 1 <= minutes <= LONGEST_INTERVAL:
        problems["interval_minutes"] = (
            f"Give a number of minutes from 1 to {LONGEST_INTERVAL:,} (a year)."
        )


def _excluded(value: object, problems: dict[str, str]) -> frozenset[date]:
    if not isinstance(value, list) or len(value) > MOST_EXCLUDED:
        problems["excluded_dates"] = f"List at most {MOST_EXCLUDED:,} dates."
        return frozenset()
    found = set()
    for each in value:
        try:
            found.add(date.fromisoformat(each))
        except (TypeError, ValueError):
            problems["excluded_dates"] = f"“{each}” is no date; write 2026-12-24."
    return frozenset(found)


def due_after(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    """Every due time later than ``after``, in order; UTC. May never end."""
    last = after.astimezone(UTC)
    if rhythm.start_at is not None:
        last = max(last, rhythm.start_at - timedelta(microseconds=1))
    # A day off is left at once, however many due times it would have had.
    for _ in range(MOST_EXCLUDED + 1):
        for moment in _every(rhythm, last):
            if rhythm.end_at is not None and moment > rhythm.end_at:
                return
            day = moment.astimezone(rhythm.zone).date()
            if day in rhythm.excluded_dates:
                last = _end_of(day, rhythm)
                break
            last = moment
            yield moment
        else:
            return


def _end_of(day: date, rhythm: Rhythm) -> datetime:
    while day in rhythm.excluded_dates:
        day += timedelta(days=1)
    return midnight(day, rhythm.zone) - timedelta(microseconds=1)


def _every(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    """As ``due_after``, without regard to end and days off."""
    if rhythm.kind == Schedule.Kind.CRON:
        return _cron_times(rhythm, after)
    assert rhythm.start_at is not None
    if rhythm.kind == Schedule.Kind.INTERVAL:
        assert rhythm.interval_minutes is not None
        step = timedelta(minutes=rhythm.interval_minutes)
        rounds = max(0, (after - rhythm.start_at) // step + 1)
        return (rhythm.start_at + number * step for number in itertools.count(rounds))
    if rhythm.kind == Schedule.Kind.RULE:
        assert rhythm.rule is not None
        return rules.times(rhythm.rule, rhythm.start_at, rhythm.zone, after)
    return iter([rhythm.start_at] if rhythm.start_at > after else [])


def _cron_times(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    # From a little earlier: the library decides about a change of the clocks when it
    # crosses it, and where a search happens to begin must not matter.
    begin = (after - SLACK).astimezone(rhythm.zone)
    last = after
    try:
        for local in CronSim(rhythm.cron, begin):
            moment = local.astimezone(UTC)
            if moment > last:
                last = moment
                yield moment
    except OverflowError:  # the end of all calendars
        return


def next_due(rhythm: Rhythm, after: datetime) -> datetime | None:
    return next(due_after(rhythm, after), None)


def preview(rhythm: Rhythm, after: datetime, *, count: int = 10) -> list[Due]:
    """The next due times, as they will fire."""
    found = itertools.islice(due_after(rhythm, after), count)
    return [_line(rhythm, at) for at in found]


def _line(rhythm: Rhythm, at: datetime) -> Due:
    local = at.astimezone(rhythm.zone)
    starts_at = end_of_blackout(rhythm.blackouts, rhythm.zone, at) or at
    notes = []
    change = change_on(local.date(), rhythm.zone)
    if change:
        minutes = int(abs(change).total_seconds()) // 60
        way = "forward" if change > timedelta() else "back"
        notes.append(f"The clocks go {way} by {minutes} minutes on this day.")
    if starts_at != at:
        until = starts_at.astimezone(rhythm.zone)
        notes.append(f"A blackout holds it back until {until:%Y-%m-%d %H:%M}.")
    return Due(at, local, starts_at, " ".join(notes))


def check(schedule: Schedule, now: datetime) -> Rhythm:
    """The rhythm of a schedule that is about to be saved.

    :raises BadSchedule: also when it will never be due
    """
    rhythm = rhythm_of(schedule)
    if next_due(rhythm, now) is not None:
        return rhythm
    field = {
        Schedule.Kind.CRON: "cron",
        Schedule.Kind.RULE: "rule",
        Schedule.Kind.INTERVAL: "end_at",
        Schedule.Kind.ONCE: "start_at",
    }[Schedule.Kind(schedule.kind)]
    if schedule.kind == Schedule.Kind.ONCE:
        says = "This moment has passed, or it is left out, so it would never run."
    elif schedule.end_at is not None:
        says = "It would never be due between now and its end."
        field = "end_at"
    else:
        says = "It would not be due for many years, if ever."
    raise BadSchedule(**{field: says})
