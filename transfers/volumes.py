"""How much a person moved, week by week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Sum
from django.db.models.functions import TruncWeek

from accounts.models import User
from transfers.models import Transfer

WEEKS = 12


@dataclass(frozen=True)
class Week:
    """:ivar day: its Monday, by UTC"""

    day: date
    size_bytes: int = 0
    files: int = 0
    count: int = 0


def by_week(user: User, *, now: datetime) -> list[Week]:
    """The last weeks, this one included, also those in which nothing moved.

    What ended counts for the week of its end, as far as it got. One query.
    """
    monday = now.date() - timedelta(days=now.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    begin = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begin -= timedelta(days=(now.date() - first).days)
    rows = (
        Transfer.objects.owned_by(user)
        .finished()
        .filter(kind=Transfer.Kind.TRANSFER, finished_at__gte=begin)
        .order_by()
        .annotate(week=TruncWeek("finished_at", tzinfo=now.tzinfo))
        .values("week")
        .annotate(
            size_bytes=Sum("bytes_transferred"),
            files_moved=Sum("files_transferred"),
            count=Count("pk"),
        )
    )
    found = {
        each["week"].date(): Week(
            each["week"].date(),
            int(each["size_bytes"] or 0),
            int(each["files_moved"] or 0),
            each["count"],
        )
        for each in rows
    }
    days = (first + timedelta(weeks=number) for number in range(WEEKS))
    return [found.get(day, Week(day)) for day in days]
