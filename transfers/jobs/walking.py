"""Lists a tree into the rows of an inventory, a folder at a time.

What is to be done stands in the database: a folder's row waits until the transaction
that stores what is in it, adds the folders that it holds, and counts. A worker that is
killed at any moment leaves each folder either read or waiting, and whoever takes over
goes on with those that wait. That transaction also says that the worker lives, and
fails if it is no longer the one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from globus_sdk import TransferClient

from accounts.models import Principal
from portal.globus.errors import (
    CollectionUnavailable,
    NotADirectory,
    NotFound,
    PermissionDenied,
    PortalError,
    Refused,
    UnexpectedAnswer,
)
from transfers.browsing import Entry, Listing, listing
from transfers.consents import with_own_consent
from transfers.jobs.chunks import (
    CHUNK_ROWS,
    Row,
    by_place,
    in_chunks,
    packed,
    row_of,
)
from transfers.jobs.inventory_models import Inventory, InventoryFolder, InventoryPage
from transfers.jobs.models import Run
from transfers.jobs.tree_rules import Rules
from transfers.paths import LONGEST_PATH_BYTES, BadPath

logger = logging.getLogger(__name__)

#: Entries asked for at once: some 20 MB while they are read. A folder of 100,000 takes
#: ten requests, each of which makes Globus list it again.
ANSWER_ROWS = 10_000
#: rows that are inserted by one statement
BATCH = 1000
#: waiting folders that are looked up at once
FOLDERS_AT_ONCE = 100
#: A folder that its server fails to list this often, while the top works, is left out.
MOST_ATTEMPTS = 3
#: An inventory stops growing here and says so: a file system that never ends, such as
#: one with a mount in itself, must not fill the database.
MOST_ENTRIES = 10_000_000

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


@dataclass(frozen=True)
class Walk:
    """:ivar beat: says that the worker lives; raises ``LostClaim``"""

    inventory: Inventory
    transfer_client: TransferClient
    principal: Principal
    beat: Beat
    rules: Rules
    most_entries: int

    @classmethod
    def of(
        cls,
        inventory: Inventory,
        transfer_client: TransferClient,
        principal: Principal,
        beat: Beat,
        *,
        most_entries: int | None = None,
    ) -> Walk:
        """:param most_entries: fewer than the ``MOST_ENTRIES`` of all inventories"""
        rules = Rules.from_json(inventory.rules)
        most = most_entries or MOST_ENTRIES
        return cls(inventory, transfer_client, principal, beat, rules, most)


def start(inventory: Inventory, beat: Beat) -> None:
    """Stores a new inventory, with its top folder waiting."""
    with transaction.atomic():
        beat()
        inventory.save(force_insert=True)
        path = f"{inventory.path.rstrip('/')}/"
        InventoryFolder.objects.create(
            inventory=inventory, path=raw(path), digest=digest(path), depth=0
        )


def raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")


def digest(path: str) -> bytes:
    return hashlib.sha256(raw(path)).digest()


def read_tree(walk: Walk) -> None:
    """Reads every folder that waits, and those that are found in them.

    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the top folder cannot be read;
        what was read is kept
    """
    waiting = walk.inventory.tree.filter(state=_S.WAITING).order_by("id")
    while folders := list(waiting[:FOLDERS_AT_ONCE]):
        for folder in folders:
            if walk.inventory.entries >= walk.most_entries:
                _leave_the_rest(walk)
                return
            _read_or_leave(walk, folder)


def _read_or_leave(walk: Walk, folder: InventoryFolder) -> None:
    try:
        found = _read(walk, folder)
    except PortalError as err:
        says = _why_unread(walk, folder, err)
        if not says:
            raise
        logger.info("A folder of inventory %s is left out", walk.inventory.pk)
        found = Found(says=says, state=_S.UNREAD)
    _store(walk, folder, found)


@dataclass
class Found:
    """What reading a folder came to, but for the rows, which are stored."""

    says: str = ""
    state: str = _S.READ
    answers: int = 0
    entries: int = 0
    files: int = 0
    bytes: int = 0
    folders: int = 0
    opened: list[str] = field(default_factory=list)
    #: names of folders that no request can name
    closed: list[str] = field(default_factory=list)


def _read(walk: Walk, folder: InventoryFolder) -> Found:
    """Stores the rows of one folder, answer by answer.

    A folder that changes between two answers is read again, and at last taken as it is.
    """
    for _ in range(MOST_ATTEMPTS):
        found = _read_once(walk, folder)
        if not found.says:
            break
    return found


def _read_once(walk: Walk, folder: InventoryFolder) -> Found:
    found = Found()
    path, offset, total = folder.path_text, 0, None
    while total is None or offset < total:
        part = _ask(walk, path, offset)
        if total is not None and part.total != total:
            found.says = "It changed while it was read, so entries may be missing."
        total = part.total
        if not part.entries:
            if offset < total:
                found.says = "Globus did not send all of its entries."
            break
        rows = _rows(walk, path, part, found, folder)
        _store_answer(walk, folder, found.answers, rows)
        found.answers += 1
        offset += len(part.entries)
    return found


def _ask(walk: Walk, path: str, offset: int) -> Listing:
    ask = partial(
        listing,
        walk.transfer_client,
        UUID(str(walk.inventory.collection)),
        path,
        show_hidden=True,
        limit=ANSWER_ROWS,
        offset=offset,
    )
    return with_own_consent(walk.principal, ask)


def _rows(
    walk: Walk, path: str, part: Listing, found: Found, folder: InventoryFolder
) -> list[Row]:
    kept = [entry for entry in part.entries if walk.rules.takes(entry)]
    for entry in kept:
        found.entries += 1
        if entry.type == "file":
            found.files += 1
            found.bytes += entry.size_bytes or 0
        elif entry.is_folder:
            found.folders += 1
            _note_folder(walk, entry, path, found, folder.depth + 1)
    return sorted((row_of(path, entry) for entry in kept), key=by_place)


def _note_folder(walk: Walk, entry: Entry, path: str, found: Found, depth: int) -> None:
    """A link is not followed: it may lead round in a circle."""
    if entry.is_link or not walk.rules.opens(depth):
        return
    inner = f"{path}{entry.name}/"
    if entry.path and len(raw(inner)) <= LONGEST_PATH_BYTES:
        found.opened.append(inner)
    else:
        found.closed.append(inner)


def _store_answer(
    walk: Walk, folder: InventoryFolder, answer: int, rows: list[Row]
) -> None:
    """The first answer takes away what an earlier try has left."""
    with transaction.atomic():
        walk.beat()
        if answer == 0:
            folder.pages.all().delete()
        for number, some in enumerate(in_chunks(rows, CHUNK_ROWS)):
            InventoryPage.objects.create(
                inventory=walk.inventory,
                folder=folder,
                answer=answer,
                number=number,
                data=packed(some),
            )


def _store(walk: Walk, folder: InventoryFolder, found: Found) -> None:
    """The moment at which the folder is done, for good and once."""
    inventory = walk.inventory
    with transaction.atomic():
        walk.beat()
        done = inventory.tree.filter(pk=folder.pk, state=_S.WAITING).update(
            state=found.state,
            says=found.says[:300],
            answers=found.answers,
            files=found.files,
            bytes=found.bytes,
        )
        if not done:
            raise LostClaim
        if found.state == _S.UNREAD or not found.entries:
            folder.pages.all().delete()
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


def _why_unread(walk: Walk, folder: InventoryFolder, err: PortalError) -> str:
    """A sentence if the folder is left out and the walk goes on; else empty."""
    if folder.depth == 0:
        return ""
    if "SizeLimit" in getattr(err, "code", ""):
        return "It holds more entries than Globus lists, which is 100,000."
    for kind, sentence in _LEFT_OUT.items():
        if isinstance(err, kind):
            return sentence
    if isinstance(err, CollectionUnavailable | UnexpectedAnswer):
        return _unless_all_fails(walk, folder)
    return ""


_LEFT_OUT: dict[type[PortalError], str] = {
    PermissionDenied: "The service account may not read it.",
    NotFound: "It was gone, or hidden, when it was to be read.",
    NotADirectory: "It was no folder any more when it was to be read.",
    Refused: "Globus did not accept its path.",
    BadPath: "Its path cannot be sent to Globus.",
}


def _unless_all_fails(walk: Walk, folder: InventoryFolder) -> str:
    """Whether it is the folder or the whole collection that does not work."""
    folder.attempts += 1
    InventoryFolder.objects.filter(pk=folder.pk).update(attempts=folder.attempts)
    if folder.attempts < MOST_ATTEMPTS:
        return ""
    collection = UUID(str(walk.inventory.collection))
    listing(walk.transfer_client, collection, walk.inventory.path, limit=1)
    return "Three times the collection's server could not list it."


def _leave_the_rest(walk: Walk) -> None:
    with transaction.atomic():
        walk.beat()
        left = walk.inventory.tree.filter(state=_S.WAITING).update(
            state=_S.UNREAD,
            says=f"The listing stopped at {walk.most_entries:,} entries.",
        )
        Inventory.objects.filter(pk=walk.inventory.pk).update(
            folders_unread=F("folders_unread") + left
        )
