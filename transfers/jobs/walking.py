"""Lists a folder, or a tree of them, for a run."""

from __future__ import annotations

from collections import deque
from typing import Any
from uuid import UUID

from django.utils import timezone
from globus_sdk import TransferClient

from transfers.browsing import Entry, Listing, listing
from transfers.consents import with_own_consent
from transfers.jobs.models import Run

#: entries that a run keeps; the counts are of all
KEPT_ENTRIES = 1000
#: folders that one run opens; each is a call to Globus
MOST_FOLDERS = 2000


class LostClaim(Exception):
    """The run is no longer this worker's."""


def walk(
    run: Run,
    transfer_client: TransferClient,
    collection_id: UUID,
    path: str,
    *,
    recursive: bool,
) -> dict[str, Any]:
    """Counts, bytes and the first entries below a path, breadth first.

    :raises LostClaim: the sweep took this worker for dead
    """
    totals = {"count": 0, "bytes": 0, "files": 0, "folders": 0}
    entries: list[dict[str, Any]] = []
    complete = True
    waiting = deque([path])
    opened = 0
    while waiting and opened < MOST_FOLDERS:
        found = _one(run, transfer_client, collection_id, waiting.popleft())
        opened += 1
        complete &= found.is_complete
        _add(totals, found)
        room = KEPT_ENTRIES - len(entries)
        entries += [_kept(each) for each in found.entries[:room]]
        if recursive:
            waiting += [each.path for each in found.entries if _can_be_opened(each)]
    return {
        **totals,
        "path": path,
        "opened": opened,
        "complete": complete and not waiting,
        "entries": entries,
    }


def _one(
    run: Run, transfer_client: TransferClient, collection_id: UUID, path: str
) -> Listing:
    heartbeat(run)
    return with_own_consent(
        run.service_account,
        lambda: listing(transfer_client, collection_id, path, show_hidden=True),
    )


def heartbeat(run: Run) -> None:
    """Says that the worker is alive.

    :raises LostClaim: another one has the run now, or it has ended
    """
    mine = Run.objects.filter(
        pk=run.pk, state=Run.State.PREPARING, claimed_at=run.claimed_at
    )
    if not mine.update(heartbeat_at=timezone.now()):
        raise LostClaim


def _can_be_opened(entry: Entry) -> bool:
    """A link may lead round in a circle."""
    return entry.is_folder and not entry.is_link and bool(entry.path)


def _add(totals: dict[str, int], found: Listing) -> None:
    totals["count"] += len(found.entries)
    totals["bytes"] += found.size_bytes
    totals["files"] += sum(each.type == "file" for each in found.entries)
    totals["folders"] += sum(each.is_folder for each in found.entries)


def _kept(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "path": entry.path,
        "type": entry.type,
        "size": entry.size_bytes,
        "modified": entry.modified_at.isoformat() if entry.modified_at else None,
    }
