"""Finds transfers for the activity page: by state, place, words, time and origin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.db.models.expressions import OrderBy
from django.http import QueryDict

from transfers.models import Transfer, TransferQuerySet
from transfers.storable import storable_text

STATES = {
    "": "All",
    "running": "Running",
    "waiting": "Waits for me",
    "stalled": "Stalled",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
ORIGINS = {
    "": "Anybody",
    "portal": "Me, here",
    "job": "A job",
    "elsewhere": "Web app, CLI, timers",
}
TIMES = {
    "": ("Any time", None),
    "1": ("Last 24 hours", timedelta(days=1)),
    "7": ("Last 7 days", timedelta(days=7)),
    "30": ("Last 30 days", timedelta(days=30)),
    "365": ("Last year", timedelta(days=365)),
}
_NEWEST = OrderBy(F("created_at"), descending=True)
SORTS: dict[str, tuple[str, list[OrderBy]]] = {
    "": ("Newest first", [_NEWEST]),
    "oldest": ("Oldest first", [OrderBy(F("created_at"))]),
    "ended": (
        "Ended last first",
        [OrderBy(F("finished_at"), descending=True, nulls_last=True), _NEWEST],
    ),
    "size": (
        "Largest first",
        [OrderBy(F("bytes_transferred"), descending=True), _NEWEST],
    ),
    "label": ("By label", [OrderBy(F("label")), _NEWEST]),
}
#: collections that the filter offers, of the latest so many transfers
PLACES_OF = 300
MOST_PLACES = 40


@dataclass(frozen=True)
class Search:
    """What an address asks for; whatever makes no sense in it is left out."""

    state: str = ""
    origin: str = ""
    time: str = ""
    sort: str = ""
    collection: UUID | None = None
    text: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Search:
        return cls(
            state=_known(query.get("status", ""), STATES),
            origin=_known(query.get("by", ""), ORIGINS),
            time=_known(query.get("within", ""), TIMES),
            sort=_known(query.get("sort", ""), SORTS),
            collection=_uuid(query.get("collection", "")),
            text=storable_text(query.get("q", "").strip(), longest=200),
        )

    @property
    def is_narrow(self) -> bool:
        return bool(
            self.state or self.origin or self.time or self.collection or self.text
        )

    def among(self, rows: TransferQuerySet, now: datetime) -> TransferQuerySet:
        rows = _in_state(rows, self.state, now)
        if self.origin:
            rows = rows.filter(origin=self.origin)
        _, age = TIMES[self.time]
        if age is not None:
            rows = rows.filter(created_at__gte=now - age)
        if self.collection is not None:
            rows = rows.filter(
                Q(source_id=self.collection) | Q(destination_id=self.collection)
            )
        if self.text:
            rows = rows.filter(_words(self.text))
        _, order = SORTS[self.sort]
        return rows.order_by(*order, "pk")


def _in_state(rows: TransferQuerySet, state: str, now: datetime) -> TransferQuerySet:
    status = Transfer.Status
    if state == "running":
        return rows.unfinished().exclude(status=status.WAITING)
    if state == "waiting":
        return rows.waiting()
    if state == "stalled":
        return rows.stalled(now)
    if state == "succeeded":
        return rows.filter(status=status.SUCCEEDED)
    cancelled = Q(error_code="CANCELED")
    if state == "failed":
        return rows.filter(~cancelled, status=status.FAILED)
    if state == "cancelled":
        return rows.filter(cancelled, status=status.FAILED)
    return rows


def _words(text: str) -> Q:
    found = (
        Q(label__icontains=text)
        | Q(source_name__icontains=text)
        | Q(destination_name__icontains=text)
        | Q(source_path__icontains=text)
        | Q(destination_path__icontains=text)
    )
    task_id = _uuid(text)
    return found | Q(task_id=task_id) if task_id else found


def places(rows: TransferQuerySet) -> list[tuple[str, str]]:
    """``(id, name)`` of the collections of the latest transfers, by name."""
    ends = rows.order_by("-created_at").values_list(
        "source_id", "source_name", "destination_id", "destination_name"
    )
    found: dict[UUID, str] = {}
    for source_id, source_name, destination_id, destination_name in ends[:PLACES_OF]:
        found.setdefault(source_id, source_name)
        if destination_id:
            found.setdefault(destination_id, destination_name)
    named = [(str(pk), name or str(pk)) for pk, name in [*found.items()][:MOST_PLACES]]
    return sorted(named, key=lambda place: place[1].casefold())


def _known(text: str, choices: object) -> str:
    assert isinstance(choices, dict)
    return text if text in choices else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
