"""Rows for tasks that were not begun here: in the web app, by the CLI, by a timer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.models import Principal
from transfers.browsing import moment
from transfers.models import Transfer
from transfers.storable import storable_text

_KINDS = {"TRANSFER": Transfer.Kind.TRANSFER, "DELETE": Transfer.Kind.DELETE}


def task_id_of(row: Any) -> UUID | None:
    return _uuid(row, "task_id")


def adopt(principal: Principal, documents: Iterable[Mapping[str, Any]]) -> int | None:
    """Makes rows for tasks that have none.

    While a submission of this principal is open nothing is done: a task that is not
    known may be that one's. Documents that make no sense are passed over.

    :param documents: task documents that Globus gave this principal
    :returns: how many rows were made; nothing if it must be tried again later
    """
    found = {
        task_id: each for each in documents if (task_id := task_id_of(each)) is not None
    }
    if not found:
        return 0
    if _has_open_submission(principal):
        return None
    # Only now: a submission that was open a moment ago has its task id by now.
    known = Transfer.objects.filter(task_id__in=list(found))
    for task_id in known.values_list("task_id", flat=True):
        if task_id is not None:
            del found[task_id]
    rows = [
        row
        for task_id, each in found.items()
        if (row := _row(principal, task_id, each)) is not None
    ]
    Transfer.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def _has_open_submission(principal: Principal) -> bool:
    mine = Transfer.objects.acted_by(principal).unfinished()
    return mine.filter(outcome_open=True, task_id=None).exists()


def _row(
    principal: Principal, task_id: UUID, document: Mapping[str, Any]
) -> Transfer | None:
    """As much as a task document tells; the paths are not among it."""
    kind = _KINDS.get(str(document.get("type")))
    source = _uuid(document, "source_endpoint_id", "source_endpoint")
    destination = _uuid(document, "destination_endpoint_id", "destination_endpoint")
    needs_destination = kind == Transfer.Kind.TRANSFER
    if kind is None or source is None or (needs_destination and not destination):
        return None
    label = document.get("label")
    asked_at = moment(document.get("request_time")) or timezone.now()
    row = Transfer(
        task_id=task_id,
        origin=Transfer.Origin.ELSEWHERE,
        kind=kind,
        document={"DATA_TYPE": kind.lower(), "DATA": [], **_options(document)},
        label=storable_text(label, longest=128) if isinstance(label, str) else "",
        source_id=source,
        destination_id=destination if needs_destination else None,
        items_count=0,
        # What it really is, the monitor writes with all the rest.
        status=Transfer.Status.ACTIVE,
        next_try_at=None,
        sent_at=asked_at,
        requested_at=asked_at,
        created_at=asked_at,
        # Whoever lists a month of tasks hears nothing of how those ended.
        told_at=timezone.now() if moment(document.get("completion_time")) else None,
    )
    row.principal = principal
    return row


_FLAGS = (
    "verify_checksum",
    "preserve_timestamp",
    "encrypt_data",
    "skip_source_errors",
    "fail_on_quota_errors",
    "delete_destination_extra",
)


def _options(document: Mapping[str, Any]) -> dict[str, Any]:
    if document.get("type") != "TRANSFER":
        return {}
    kept = {name: document.get(name) for name in _FLAGS}
    kept = {name: value for name, value in kept.items() if isinstance(value, bool)}
    level = document.get("sync_level")
    return kept | ({"sync_level": level} if type(level) is int else {})


def _uuid(row: Any, *names: str) -> UUID | None:
    for name in names:
        try:
            return UUID(row[name])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return None
