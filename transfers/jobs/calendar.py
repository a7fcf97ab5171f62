"""What is due on which day, as far as one can see at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from accounts.models import User
from transfers.jobs import schedules
from transfers.jobs.models import Hold, Job, Schedule
from transfers.jobs.permissions import jobs_open_to

#: schedules that one page computes, and due times of each
MOST_SCHEDULES = 200
MOST_TIMES = 100
TIMES_SHOWN = 4
SPANS = {"week": 7, "month": 31}


@dataclass
class Entry:
    """A job on a day.

    :ivar times: the first few, as ``02:00``
    :ivar more: how many there are besides
    :ivar is_cut: there may be yet more of them
    """

    job: Job
    times: list[str] = field(default_factory=list)
    more: int = 0
    is_cut: bool = False
    is_paused: bool = False


@dataclass
class Day:
    day: date
    is_today: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Calendar:
    """:ivar left_out: schedules that are not in it because there are too many"""

    days: list[Day]
    left_out: int = 0


def calendar(user: User, first: date, days: int, *, now: datetime) -> Calendar:
    """Due times from ``first`` on, by days in UTC; of the past only what is left."""
    begin = datetime.combine(first, time.min, tzinfo=UTC)
    end = begin + timedelta(days=days)
    rows = _schedules(user).filter(next_run_at__lt=end)
    found = Calendar(
        [
            Day(day, is_today=day == now.date())
            for day in (first + timedelta(days=step) for step in range(days))
        ]
    )
    taken = list(rows.order_by("job__name", "created_at")[: MOST_SCHEDULES + 1])
    if len(taken) > MOST_SCHEDULES:
        found.left_out = rows.count() - MOST_SCHEDULES
    paused = _paused([row.job for row in taken])
    for schedule in taken[:MOST_SCHEDULES]:
        _enter(found, schedule, max(begin, now), end, schedule.job_id in paused)
    return found


def _schedules(user: User) -> QuerySet[Schedule]:
    return Schedule.objects.filter(
        next_run_at__isnull=False,
        job__enabled=True,
        job__in=jobs_open_to(user).filter(archived_at=None),
    ).select_related("job")


def _paused(jobs: list[Job]) -> set[object]:
    holds = list(Hold.objects.in_force())
    if any(hold.job_id is None and hold.service_account_id is None for hold in holds):
        return {job.pk for job in jobs}
    held = {hold.job_id or hold.service_account_id for hold in holds}
    return {job.pk for job in jobs if {job.pk, job.service_account_id} & held}


def _enter(
    found: Calendar, schedule: Schedule, begin: datetime, end: datetime, paused: bool
) -> None:
    try:
        rhythm = schedules.rhythm_of(schedule)
    except schedules.BadSchedule:
        return
    due = schedules.due_after(rhythm, begin - timedelta(microseconds=1))
    moments = itertools.takewhile(lambda each: each < end, due)
    first = found.days[0].day
    number = 0
    for number, moment in enumerate(itertools.islice(moments, MOST_TIMES), start=1):
        day = found.days[(moment.date() - first).days]
        entry = next((e for e in day.entries if e.job.pk == schedule.job_id), None)
        if entry is None:
            entry = Entry(schedule.job, is_paused=paused)
            day.entries.append(entry)
        if len(entry.times) < TIMES_SHOWN:
            entry.times.append(f"{moment:%H:%M}")
        else:
            entry.more += 1
        if number == MOST_TIMES:
            entry.is_cut = True
