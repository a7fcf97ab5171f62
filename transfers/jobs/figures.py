"""How much jobs moved, how long they took and how often they failed, over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncWeek

from accounts.models import User
from transfers.jobs.models import Job, Run
from transfers.jobs.permissions import jobs_open_to

SPANS = {30: "30 days", 90: "90 days", 365: "a year"}
#: spans longer than this are shown by weeks
BY_DAYS = 90
MOST_ROWS = 50


@dataclass(frozen=True)
class Point:
    """A day, or a week that begins with it."""

    day: date
    runs: int = 0
    failed: int = 0
    size_bytes: int = 0
    seconds: float = 0


def runs_of(
    user: User,
    since: datetime,
    *,
    account: UUID | None = None,
    collection: UUID | None = None,
) -> QuerySet[Run]:
    """Runs that ended, of jobs that ``user`` may see."""
    rows = Run.objects.filter(
        job__in=jobs_open_to(user), finished_at__gte=since
    ).exclude(state__in=[Run.State.SKIPPED, Run.State.CANCELLED])
    if account:
        rows = rows.filter(service_account=account)
    if collection:
        rows = rows.filter(
            Q(source_collection=collection) | Q(destination_collection=collection)
        )
    return rows


_SUMS: dict[str, Any] = {
    "runs": Count("pk"),
    "failed": Count("pk", filter=Q(state=Run.State.FAILED)),
    "size_bytes": Sum("transfer__bytes_transferred"),
    "took": Avg(F("finished_at") - F("started_at")),
}


def over_time(rows: QuerySet[Run], *, days: int, now: datetime) -> list[Point]:
    """A point for each day, or each week, also where nothing happened."""
    by_weeks = days > BY_DAYS
    cut = TruncWeek("finished_at") if by_weeks else TruncDate("finished_at")
    summed = rows.order_by().annotate(at=cut).values("at").annotate(**_SUMS)
    found = {_day(each["at"]): _point(each) for each in summed}
    step = timedelta(days=7 if by_weeks else 1)
    first = (now - timedelta(days=days - 1)).date()
    if by_weeks:
        first -= timedelta(days=first.weekday())
    points = []
    while first <= now.date():
        points.append(found.get(first, Point(first)))
        first += step
    return points


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _point(each: Mapping[str, Any]) -> Point:
    took = each["took"]
    return Point(
        _day(each["at"]),
        each["runs"],
        each["failed"],
        each["size_bytes"] or 0,
        took.total_seconds() if took else 0,
    )


def by_account(rows: QuerySet[Run]) -> list[dict[str, Any]]:
    summed = rows.order_by().values("service_account", "service_account__name")
    found = [
        _row(str(each["service_account"]), each["service_account__name"], each)
        for each in summed.annotate(**_SUMS)
    ]
    return _most(found)


def _most(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -row["runs"])[:MOST_ROWS]


def by_collection(rows: QuerySet[Run], user: User) -> list[dict[str, Any]]:
    """A run counts for its source and for its destination."""
    names = collection_names(user)
    totals: dict[str, dict[str, Any]] = {}
    for side in ("source_collection", "destination_collection"):
        summed = rows.order_by().exclude(**{side: None}).values(side)
        for each in summed.annotate(**_SUMS):
            pk = str(each[side])
            row = _row(pk, names.get(each[side]) or pk, each)
            _add(totals, pk, row)
    return _most(totals.values())


def _add(totals: dict[str, dict[str, Any]], pk: str, row: dict[str, Any]) -> None:
    before = totals.get(pk)
    if before is None:
        totals[pk] = row
        return
    runs = before["runs"] + row["runs"]
    seconds = before["seconds"] * before["runs"] + row["seconds"] * row["runs"]
    before["seconds"] = seconds / runs
    before["runs"] = runs
    before["failed"] += row["failed"]
    before["size_bytes"] += row["size_bytes"]


def _row(pk: str, name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    took = each["took"]
    return {
        "id": pk,
        "name": name,
        "runs": each["runs"],
        "failed": each["failed"],
        "size_bytes": each["size_bytes"] or 0,
        "seconds": took.total_seconds() if took else 0,
    }


def collection_names(user: User) -> dict[UUID, str]:
    """What the collections of one's jobs are called, as far as that is stored."""
    found: dict[UUID, str] = {}
    rows: QuerySet[Job] = jobs_open_to(user)
    for side in ("source", "destination"):
        pairs = rows.values_list(f"{side}_collection", f"{side}_name").distinct()
        found |= {pk: name for pk, name in pairs if pk and name}
    return found
