"""What is due on which day, as far as one can see at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet

from accounts.models import User
from transfers.jobs import schedules
from transfers.jobs.clocks import midnight
from transfers.jobs.models import Hold, Job, Schedule
from transfers.jobs.permissions import jobs_open_to
from transfers.jobs.schedules import Rhythm

#: schedules that one page computes, and due times of each
MOST_SCHEDULES = 200
MOST_TIMES = 100
TIMES_SHOWN = 4
SPANS = {"week": 7, "month": 31}


@dataclass
class Entry:
    """A job on a day.

    :ivar moments: when it is due, each as ``02:00``; where the clock of the job's
        schedule shows another time, that too: ``02:00 (07:30 Asia/Kolkata)``. What two
        schedules name at one moment is one run
    :ivar is_cut: there may be yet more of them
    """

    job: Job
    moments: dict[datetime, str] = field(default_factory=dict)
    is_cut: bool = False
    is_paused: bool = False

    @property
    def times(self) -> list[str]:
        """The first few."""
        return [self.moments[each] for each in sorted(self.moments)[:TIMES_SHOWN]]

    @property
    def more(self) -> int:
        """How many there are besides."""
        return max(0, len(self.moments) - TIMES_SHOWN)


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


def calendar(
    user: User, first: date, days: int, *, now: datetime, zone: ZoneInfo
) -> Calendar:
    """Due times from ``first`` on, by days of the zone; of the past what is left."""
    begin, end = midnight(first, zone), midnight(first + timedelta(days=days), zone)
    rows = _schedules(user).filter(next_run_at__lt=end)
    found = Calendar(
        [
            Day(day, is_today=day == now.astimezone(zone).date())
            for day in (first + timedelta(days=step) for step in range(days))
        ]
    )
    taken = list(rows.order_by("job__name", "created_at")[: MOST_SCHEDULES + 1])
    if len(taken) > MOST_SCHEDULES:
        found.left_out = rows.count() - MOST_SCHEDULES
    paused = _paused([row.job for row in taken])
    for schedule in taken[:MOST_SCHEDULES]:
        is_paused = schedule.job_id in paused
        _enter(found, schedule, (max(begin, now), end), zone, is_paused=is_paused)
    return found


def usual_zone(user: User) -> str:
    """The one that most of the schedules have that this person may see; else UTC."""
    rows = _schedules(user).order_by().values_list("zone")
    most = rows.annotate(times=Count("pk")).order_by("-times", "zone").first()
    return str(most[0]) if most else "UTC"


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
    found: Calendar,
    schedule: Schedule,
    within: tuple[datetime, datetime],
    zone: ZoneInfo,
    *,
    is_paused: bool,
) -> None:
    begin, end = within
    try:
        rhythm = schedules.rhythm_of(schedule)
    except schedules.BadSchedule:
        return
    due = schedules.due_after(rhythm, begin - timedelta(microseconds=1))
    moments = itertools.takewhile(lambda each: each < end, due)
    first = found.days[0].day
    for number, moment in enumerate(itertools.islice(moments, MOST_TIMES), start=1):
        local = moment.astimezone(zone)
        day = found.days[(local.date() - first).days]
        entry = next((e for e in day.entries if e.job.pk == schedule.job_id), None)
        if entry is None:
            entry = Entry(schedule.job, is_paused=is_paused)
            day.entries.append(entry)
        entry.moments.setdefault(moment, _words(local, rhythm))
        if number == MOST_TIMES:
            entry.is_cut = True


def _words(local: datetime, rhythm: Rhythm) -> str:
    own = local.astimezone(rhythm.zone)
    said = f"{local:%H:%M}"
    if own.utcoffset() == local.utcoffset():
        return said
    day = "" if own.date() == local.date() else f"{own:%a} "
    return f"{said} ({day}{own:%H:%M} {rhythm.zone.key})"
