"""Saves, pauses and resumes schedules, so that ``next_run_at`` is always right."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from accounts.models import User
from transfers.jobs.schedules import check, next_due
from transfers.jobs.timing import Schedule


def save(schedule: Schedule, *, now: datetime | None = None) -> None:
    """Stores a schedule that is new or was changed; it is due from now on.

    :raises BadSchedule: a sentence for each field that is wrong; nothing is stored
    """
    now = now or timezone.now()
    if schedule.start_at is None and schedule.kind in (
        Schedule.Kind.INTERVAL,
        Schedule.Kind.RULE,
    ):
        schedule.start_at = now.replace(second=0, microsecond=0)
    rhythm = check(schedule, now)
    schedule.next_run_at = None if schedule.paused else next_due(rhythm, now)
    schedule.says = schedule.paused_reason if schedule.paused else ""
    schedule.save()


def pause(schedule: Schedule, *, by: User | None, reason: str) -> None:
    """Nothing is due until it is resumed; what is stored goes on."""
    schedule.paused = True
    schedule.paused_by = by
    schedule.paused_reason = reason[:500]
    schedule.next_run_at = None
    schedule.says = f"Paused by {by or 'an operator'}: {reason}"[:500]
    _store_pause(schedule)


def resume(schedule: Schedule, *, now: datetime | None = None) -> None:
    """It is due again from now on; due times of the pause are not made up for.

    :raises BadSchedule: nothing is due any more
    """
    now = now or timezone.now()
    rhythm = check(schedule, now)
    schedule.paused = False
    schedule.paused_by = None
    schedule.paused_reason = ""
    schedule.next_run_at = next_due(rhythm, now)
    schedule.says = ""
    _store_pause(schedule)


def _store_pause(schedule: Schedule) -> None:
    fields = ["paused", "paused_by", "paused_reason", "next_run_at", "says"]
    schedule.save(update_fields=fields)
