"""What a task document makes of a row, and how many rows are written at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection

from transfers.browsing import moment
from transfers.models import Transfer
from transfers.storable import storable_document, storable_text

#: rows that one statement writes
BATCH = 1000
#: Polls in which Globus did not know a task before the portal says so.
MISSES_TO_TELL = 3


def miss(transfer: Transfer, now: datetime) -> None:
    """Globus says that there is no such task. Once may be a mistake; nothing is
    concluded from it but that we do not know.
    """
    transfer.checked_at = now
    transfer.missed_polls = min(transfer.missed_polls + 1, 1000)
    if transfer.missed_polls >= MISSES_TO_TELL:
        transfer.status = Transfer.Status.UNKNOWN
        transfer.error_code = "TaskNotFound"
        transfer.last_error = (
            "Globus does not know this task any more. What became of it is not known; "
            "look at the files themselves."
        )


_REPORTED = {
    "ACTIVE": Transfer.Status.ACTIVE,
    "INACTIVE": Transfer.Status.INACTIVE,
    "SUCCEEDED": Transfer.Status.SUCCEEDED,
    "FAILED": Transfer.Status.FAILED,
}
_COUNTERS = {
    "faults": "faults",
    "files": "files",
    "directories": "directories",
    "files_transferred": "files_transferred",
    "files_skipped": "files_skipped",
    "bytes_transferred": "bytes_transferred",
    "bytes_per_second": "effective_bytes_per_second",
    "subtasks_total": "subtasks_total",
    "subtasks_succeeded": "subtasks_succeeded",
    "subtasks_failed": "subtasks_failed",
    "subtasks_skipped_errors": "subtasks_skipped_errors",
}
#: as ``nice_status``: by a rule of the owner, or on the personal computer
PAUSED = ("PAUSED", "GC_PAUSED")
_MOVEMENT = ("bytes_transferred", "files_transferred", "subtasks_succeeded")
_LARGEST = 2**63 - 1


def absorb(transfer: Transfer, document: Mapping[str, Any], now: datetime) -> bool:
    """Takes over what a task document says; what makes no sense changes nothing else.

    The document is kept as it came. A status that we do not know is Unknown, and
    never an end.

    :returns: whether more has changed than how far it is (see ``write_moves``)
    """
    settled = _settled(transfer.__dict__)
    before = [getattr(transfer, name) for name in _MOVEMENT]
    trouble, last = transfer.nice_status, transfer.checked_at
    reported = document.get("status")
    status = _REPORTED.get(reported) if isinstance(reported, str) else None
    transfer.status = status or Transfer.Status.UNKNOWN
    transfer.task_document = storable_document(dict(document))
    transfer.checked_at = now
    transfer.missed_polls = 0
    for name, key in _COUNTERS.items():
        value = document.get(key)
        if type(value) is int and 0 <= value <= _LARGEST:
            setattr(transfer, name, value)
    is_ok = document.get("is_ok")
    transfer.is_ok = is_ok if isinstance(is_ok, bool) else None
    transfer.nice_status = _text(document, "nice_status", longest=100)
    transfer.is_paused = not transfer.is_finished and (
        document.get("is_paused") is True or transfer.nice_status in PAUSED
    )
    _take_names(transfer, document)
    _take_times(transfer, document)
    _take_errors(transfer, document)
    moved = before != [getattr(transfer, name) for name in _MOVEMENT]
    if moved:
        transfer.moved_at = now
    if transfer.is_ok is not False:
        transfer.fault_since = None
    elif moved or transfer.fault_since is None or trouble != transfer.nice_status:
        transfer.fault_since = now
    transfer.speed_now = _speed(transfer.bytes_transferred - before[0], last, now)
    if transfer.is_finished:
        transfer.finished_at = transfer.completed_at or now
    return bool(settled != _settled(transfer.__dict__))


def _speed(size_bytes: int, last: datetime | None, now: datetime) -> int | None:
    """Bytes per second since the last poll; nothing where that says nothing."""
    seconds = (now - last).total_seconds() if last else 0
    return int(size_bytes / seconds) if seconds >= 1 and size_bytes >= 0 else None


def _take_names(transfer: Transfer, document: Mapping[str, Any]) -> None:
    for name, key in (
        ("source_name", "source_endpoint_display_name"),
        ("destination_name", "destination_endpoint_display_name"),
    ):
        said = _text(document, key, longest=255)
        if said:
            setattr(transfer, name, said)


def _take_times(transfer: Transfer, document: Mapping[str, Any]) -> None:
    transfer.deadline_before = transfer.deadline
    for name, key in (
        ("requested_at", "request_time"),
        ("completed_at", "completion_time"),
        ("deadline", "deadline"),
    ):
        said = moment(document.get(key))
        if said is not None:
            setattr(transfer, name, said)


def _take_errors(transfer: Transfer, document: Mapping[str, Any]) -> None:
    code, detail, sentence = "", "", ""
    if transfer.status == Transfer.Status.FAILED:
        fatal = document.get("fatal_error")
        fatal = fatal if isinstance(fatal, dict) else {}
        code = _text(fatal, "code", longest=200)
        detail = _text(fatal, "description", longest=10_000)
        sentence = _ENDS.get(code) or (
            f"Globus gave it up: {code}." if code else "Globus gives no reason."
        )
    elif transfer.status == Transfer.Status.UNKNOWN:
        said = storable_text(str(document.get("status")), longest=100)
        sentence = f"Globus reports a status that we do not know: “{said}”."
    elif transfer.status != Transfer.Status.SUCCEEDED and transfer.is_ok is False:
        code = transfer.nice_status
        detail = _text(document, "nice_status_details", longest=10_000)
        short = _text(document, "nice_status_short_description", longest=200)
        sentence = f"Globus has trouble with it and tries on: {short or code}."
    transfer.error_code = code
    transfer.error_detail = detail
    transfer.last_error = sentence[:500]


_ENDS = {
    "CANCELED": "Cancelled.",
    "EXPIRED": "Its deadline passed before everything was done.",
}


def _text(document: Mapping[str, Any], key: str, *, longest: int) -> str:
    value = document.get(key)
    return storable_text(value, longest=longest) if isinstance(value, str) else ""


_WRITTEN = (
    "status",
    "task_document",
    "checked_at",
    "moved_at",
    "missed_polls",
    "nice_status",
    "is_ok",
    "is_paused",
    "fault_since",
    "speed_now",
    *_COUNTERS,
    "source_name",
    "destination_name",
    "requested_at",
    "completed_at",
    "deadline",
    "finished_at",
    "last_error",
    "error_code",
    "error_detail",
)


#: what changes with each round of a task that gets on
_MOVING = (
    "task_document",
    "checked_at",
    "moved_at",
    "speed_now",
    "files_transferred",
    "bytes_transferred",
    "subtasks_succeeded",
)
_BEFORE = "deadline_before"
_settled = itemgetter(*(name for name in _WRITTEN if name not in _MOVING))


def write(transfers: Iterable[Transfer]) -> None:
    """Stores the columns that the monitor owns, a thousand rows per statement.

    A row that has ended meanwhile stays as it is. Written as SQL because Django's
    ``bulk_update`` needs 20 times as long for ten thousand rows.
    """
    _write(transfers, _WRITTEN)


def write_moves(transfers: Iterable[Transfer]) -> None:
    """The same for those of which ``absorb`` said that they only got on.

    Most rows of most rounds. PostgreSQL takes half as long for a third of the columns.
    """
    _write(transfers, _MOVING)


def _write(transfers: Iterable[Transfer], names: Sequence[str]) -> None:
    rows = [_as_json(each, names) for each in transfers]
    if not rows:
        return
    with connection.cursor() as cursor:
        statement = _update_statement(names)
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            cursor.execute(statement, [orjson.dumps(batch).decode()])


def _as_json(transfer: Transfer, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(transfer, name) for name in ("pk", _BEFORE, *names)}


def _update_statement(names: Sequence[str]) -> str:
    """Nothing but names of our own columns and types is written into it.

    A deadline that somebody changed while Globus was asked stays: what Globus said of
    it is from before.
    """
    meta = Transfer._meta
    types = {name: meta.get_field(name).db_type(connection) for name in names}
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    values = {name: f"news.{name}" for name in names}
    if "deadline" in values:
        values["deadline"] = (
            f"CASE WHEN row.deadline IS NOT DISTINCT FROM news.{_BEFORE} "
            "THEN news.deadline ELSE row.deadline END"
        )
    assignments = ", ".join(f"{name} = {value}" for name, value in values.items())
    watched = ", ".join(f"'{status}'" for status in Transfer.AT_GLOBUS)
    return (
        f"UPDATE {meta.db_table} AS row SET {assignments} "  # noqa: S608 - own names only
        f"FROM jsonb_to_recordset(%s::jsonb) "
        f"AS news(pk uuid, {_BEFORE} timestamptz, {columns}) "
        f"WHERE row.id = news.pk AND row.status IN ({watched})"
    )
