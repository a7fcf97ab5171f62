"""What is kept of a task beside its row: how fast it went, and what Globus told of it.

Samples are sparse and bounded: their step grows with the age of the transfer, so that a
minute and a month are drawn equally well, from at most a thousand points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import orjson
from django.db import connection, models

if TYPE_CHECKING:
    from transfers.models import Transfer

#: seconds between two samples of a young transfer
FINEST_STEP = 5
#: samples before the step doubles for the first time, and then each time it does
FIRST_SLOTS = 128
LATER_SLOTS = 64
#: what one statement writes
BATCH = 2000


class Sample(models.Model):
    """How much had been moved at a moment; one for each slot, see ``slot_of``."""

    pk = models.CompositePrimaryKey("transfer_id", "slot")
    transfer = models.ForeignKey(
        "transfers.Transfer", on_delete=models.CASCADE, related_name="samples"
    )
    slot = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    bytes_moved = models.PositiveBigIntegerField()
    files_done = models.PositiveBigIntegerField()

    class Meta:
        ordering: ClassVar = ["at"]

    def __str__(self) -> str:
        return f"{self.bytes_moved} bytes at {self.at}"


class TaskDetails(models.Model):
    """What a worker fetched for a transfer's page: its events, and why it is paused.

    ``asked_at`` is when somebody wanted to see them; a worker fetches them when that
    is later than ``fetched_at``.
    """

    transfer = models.OneToOneField(
        "transfers.Transfer",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="details",
    )
    #: of ``{"code", "is_error", "description", "details", "time"}``; errors first
    events = models.JSONField(default=list)
    events_count = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    #: why the last attempt brought nothing; empty when it did
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "task details"

    def __str__(self) -> str:
        return f"details of {self.transfer_id}"


def slot_of(seconds: float) -> int:
    """The slot of a transfer's age: of 5 s, then 10 s, 20 s, … each twice as long."""
    step, first = FINEST_STEP, 0
    position = max(0, int(seconds // step))
    while position >= FIRST_SLOTS:
        step *= 2
        first += FIRST_SLOTS if first == 0 else LATER_SLOTS
        position = int(seconds // step)
    return position if first == 0 else first + position - LATER_SLOTS


_STATEMENT = (
    "INSERT INTO transfers_sample (transfer_id, slot, at, bytes_moved, files_done) "
    "SELECT id, slot, %s, moved, done FROM jsonb_to_recordset(%s::jsonb) "
    "AS news(id uuid, slot smallint, moved bigint, done bigint) "
    "ON CONFLICT (transfer_id, slot) DO UPDATE SET at = excluded.at, "
    "bytes_moved = excluded.bytes_moved, files_done = excluded.files_done"
)


def keep_samples(transfers: Iterable[Transfer], now: datetime) -> None:
    """Notes how far these are; two monitors at once write the same row."""
    rows = [_row(each, now) for each in transfers]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), BATCH):
            batch = orjson.dumps(rows[start : start + BATCH]).decode()
            cursor.execute(_STATEMENT, [now, batch])


def _row(transfer: Transfer, now: datetime) -> dict[str, Any]:
    age = (now - transfer.began_at).total_seconds()
    return {
        "id": transfer.pk,
        "slot": min(slot_of(age), 32_000),
        "moved": transfer.bytes_transferred,
        "done": transfer.files_transferred + transfer.files_skipped,
    }


def samples_of(transfer_id: UUID) -> Sequence[tuple[datetime, int, int]]:
    """``(moment, bytes, files)``, the oldest first."""
    rows = Sample.objects.filter(transfer=transfer_id).order_by("at")
    return list(rows.values_list("at", "bytes_moved", "files_done"))
