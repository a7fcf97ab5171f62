"""Saves schedules, each with the due time that follows from it."""

from __future__ import annotations

from django.utils import timezone

from transfers.jobs import schedules
from transfers.jobs.models import Schedule


def store(schedule: Schedule) -> None:
    """Saves a schedule with its next due time, or with why there is none."""
    now = timezone.now()
    try:
        due = schedules.next_due(schedules.rhythm_of(schedule), now)
        says = "" if due else "Nothing is due any more."
    except schedules.BadSchedule as err:
        due, says = None, str(err)[:500]
    schedule.next_run_at, schedule.says = due, says
    schedule.save()
