"""What stands in the way when Globus says that the same is under way already (409)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from globus_sdk import TransferClient

from portal.globus.errors import GlobusFailure, SameTaskRunning, globus_errors
from transfers import elsewhere, places
from transfers.models import Transfer

logger = logging.getLogger(__name__)

#: how often one that waits for another task looks whether that has ended
LOOKS_AFTER = timedelta(seconds=60)
SAYS = "Globus is still busy with another task for the same paths."
WAITS = "It is sent when another task for the same paths has ended."
#: candidates of a task list that are looked at
CANDIDATES = 100


def find(
    client: TransferClient, transfer: Transfer, refusal: SameTaskRunning
) -> UUID | None:
    """The task in the way: named by Globus, known here, or the one that fits.

    It gets a row, so that it can be shown, watched and cancelled.
    """
    task_id = refusal.task_id or _among_ours(transfer)
    try:
        if task_id is None:
            task_id = _at_globus(client, transfer)
        if task_id and not Transfer.objects.filter(task_id=task_id).exists():
            with globus_errors():
                document = client.get_task(task_id).data
            elsewhere.adopt(transfer.principal, [document])
    except GlobusFailure as err:
        logger.warning("The task in the way was not found: %s", err.code)
    return task_id


def _among_ours(transfer: Transfer) -> UUID | None:
    wanted = paths_of(transfer.document)
    candidates = (
        Transfer.objects.acted_by(transfer.principal)
        .at_globus()
        .filter(
            kind=transfer.kind,
            source_id=transfer.source_id,
            destination_id=transfer.destination_id,
            items_count=transfer.items_count,
        )
        .exclude(pk=transfer.pk)
    )
    for each in candidates.only("task_id", "document")[:CANDIDATES]:
        if paths_of(each.document) == wanted:
            return each.task_id
    return None


def paths_of(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    """``(source, destination)`` of each item; the second is empty in a deletion."""
    return {
        (
            each.get("source_path") or each.get("path", ""),
            each.get("destination_path", ""),
        )
        for each in document.get("DATA", ())
    }


def _at_globus(client: TransferClient, transfer: Transfer) -> UUID | None:
    """The only unfinished task between these collections; Globus tells no paths."""
    with globus_errors():
        answer = client.task_list(
            limit=CANDIDATES,
            filter={"status": ["ACTIVE", "INACTIVE"], "type": [transfer.kind]},
        )
        data = answer.data if isinstance(answer.data, dict) else {}
    rows = data.get("DATA")
    found = [
        elsewhere.task_id_of(row)
        for row in (rows if isinstance(rows, list) else ())
        if _is_between(row, transfer)
    ]
    return found[0] if len(found) == 1 else None


def _is_between(row: Any, transfer: Transfer) -> bool:
    if not isinstance(row, dict):
        return False
    destination = str(transfer.destination_id) if transfer.destination_id else None
    return (
        row.get("source_endpoint_id") == str(transfer.source_id)
        and row.get("destination_endpoint_id") == destination
    )


def must_wait(transfer: Transfer) -> bool:
    """Whether the task in its way is known not to have ended."""
    return (
        transfer.blocked_by is not None
        and Transfer.objects.at_globus().filter(task_id=transfer.blocked_by).exists()
    )


def hold() -> dict[str, Any]:
    """The columns of a transfer that waits for the other task to end."""
    return {
        "trying_since": None,
        "attempts": 0,
        "next_try_at": timezone.now() + LOOKS_AFTER,
        "last_error": WAITS,
    }


def release(ended: Iterable[UUID], *, now: datetime | None = None) -> None:
    """Sends what waited for these tasks to end."""
    waiting = Transfer.objects.unsent().filter(blocked_by__in=list(ended))
    found = list(waiting.values_list("pk", flat=True))
    if found:
        places.wake(found, now=now)
