"""What a walk writes down: its checkpoints, a transaction each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from transfers.jobs.chunks import CHUNK_ROWS, Row, in_chunks, packed
from transfers.jobs.inventory_models import Inventory, InventoryFolder, InventoryPage
from transfers.jobs.models import Run
from transfers.jobs.reading import Answer, raw

#: rows that are inserted by one statement
BATCH = 1000

Beat = Callable[[], None]

_S = InventoryFolder.State


class LostClaim(Exception):
    """The run is no longer this worker's."""


def heartbeat(run: Run) -> None:
    """Says that the worker is alive.

    :raises LostClaim: another one has the run now, or it has ended
    """
    mine = Run.objects.filter(
        pk=run.pk, state=Run.State.PREPARING, claimed_at=run.claimed_at
    )
    if not mine.update(heartbeat_at=timezone.now()):
        raise LostClaim


def top_of(inventory: Inventory) -> str:
    return f"{inventory.path.rstrip('/')}/"


def start(inventory: Inventory, beat: Beat) -> InventoryFolder:
    """Stores a new inventory, with its top folder waiting."""
    with transaction.atomic():
        beat()
        inventory.save(force_insert=True)
        path = top_of(inventory)
        return InventoryFolder.objects.create(
            inventory=inventory, path=raw(path), digest=digest(path), depth=0
        )


def digest(path: str) -> bytes:
    return hashlib.sha256(raw(path)).digest()


@dataclass
class Found:
    """What reading a folder came to.

    :ivar rows: if they came in one answer; else they are stored already
    """

    says: str = ""
    state: str = _S.READ
    answers: int = 0
    received: int = 0
    entries: int = 0
    files: int = 0
    bytes: int = 0
    folders: int = 0
    rows: list[Row] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        self.answers += 1
        for name in ("received", "entries", "files", "bytes", "folders"):
            setattr(self, name, getattr(self, name) + getattr(answer, name))
        self.opened += answer.opened
        self.closed += answer.closed


def store_answer(
    folder: InventoryFolder, beat: Beat, answer: int, rows: list[Row]
) -> None:
    """The first answer takes away what an earlier try has left."""
    with transaction.atomic():
        beat()
        if answer == 0:
            folder.pages.all().delete()
        _add_pages(folder, answer, rows)


def _add_pages(folder: InventoryFolder, answer: int, rows: list[Row]) -> None:
    for number, some in enumerate(in_chunks(rows, CHUNK_ROWS)):
        InventoryPage.objects.create(
            inventory_id=folder.inventory_id,
            folder=folder,
            answer=answer,
            number=number,
            data=packed(some),
        )


def store(
    inventory: Inventory, beat: Beat, folder: InventoryFolder, found: Found
) -> None:
    """The moment at which the folder is done, for good and once."""
    with transaction.atomic():
        beat()
        done = inventory.tree.filter(pk=folder.pk, state=_S.WAITING).update(
            state=found.state,
            says=found.says[:300],
            answers=found.answers,
            files=found.files,
            bytes=found.bytes,
        )
        if not done:
            raise LostClaim
        if found.state == _S.UNREAD or found.answers == 1:
            folder.pages.all().delete()
        _add_pages(folder, 0, found.rows)
        _add_folders(inventory, folder, found)
        read = 1 if found.state == _S.READ else 0
        unread = len(found.closed) + (1 if found.says else 0)
        Inventory.objects.filter(pk=inventory.pk).update(
            entries=F("entries") + found.entries,
            files=F("files") + found.files,
            folders=F("folders") + found.folders,
            bytes=F("bytes") + found.bytes,
            folders_read=F("folders_read") + read,
            folders_unread=F("folders_unread") + unread,
        )
    inventory.entries += found.entries


def _add_folders(inventory: Inventory, folder: InventoryFolder, found: Found) -> None:
    says = "Its path holds a character that cannot be sent, or is too long."
    for paths, state, words in (
        (found.opened, _S.WAITING, ""),
        (found.closed, _S.UNREAD, says),
    ):
        for first in range(0, len(paths), BATCH):
            InventoryFolder.objects.bulk_create(
                (
                    InventoryFolder(
                        inventory=inventory,
                        parent=folder,
                        path=raw(path),
                        digest=digest(path),
                        depth=folder.depth + 1,
                        state=state,
                        says=words,
                    )
                    for path in paths[first : first + BATCH]
                ),
                ignore_conflicts=True,
            )


def leave_the_rest(inventory: Inventory, beat: Beat, says: str) -> None:
    with transaction.atomic():
        beat()
        left = inventory.tree.filter(state=_S.WAITING).update(
            state=_S.UNREAD,
            says=says,
        )
        Inventory.objects.filter(pk=inventory.pk).update(
            folders_unread=F("folders_unread") + left
        )
