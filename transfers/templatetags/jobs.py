"""How jobs stand, and when they are due."""

from __future__ import annotations

from datetime import datetime

from django import template

from transfers.jobs.schedules import Due

register = template.Library()


@register.filter
def local_words(due: Due) -> str:
    """“Thu 3 Dec 2026, 02:00 GMT”, in the zone of the schedule."""
    return f"{due.local:%a %-d %b %Y, %H:%M} {due.local.tzname()}"


@register.filter
def took(run: object) -> str:
    """How long a run took, or takes so far; empty before it began."""
    began: datetime | None = getattr(run, "started_at", None)
    ended: datetime | None = getattr(run, "finished_at", None)
    if began is None or ended is None:
        return ""
    return duration_words(int((ended - began).total_seconds()))


def duration_words(seconds: int) -> str:
    """“3 s”, “4 min 5 s”, “2 h 30 min”, “3 d 4 h”."""
    for size, unit, small, small_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // small
            more = f" {rest} {small_unit}" if rest else ""
            return f"{seconds // size} {unit}{more}"
    return f"{max(seconds, 0)} s"


@register.filter
def seconds_words(seconds: float) -> str:
    """As ``duration_words``, but what took less than a second is not nothing."""
    if 0 < seconds < 1:
        return f"{seconds:.1f} s" if seconds >= 0.1 else "under 0.1 s"
    return duration_words(int(seconds))
