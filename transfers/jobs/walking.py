"""Lists a tree into the rows of an inventory, several folders at a time.

What is to be done stands in the database: a folder's row waits until the transaction
that stores what is in it, adds the folders that it holds, and counts. A worker that is
killed at any moment leaves each folder either read or waiting, and whoever takes over
goes on with those that wait. That transaction also says that the worker lives, and
fails if it is no longer the one.

Threads ask Globus, each for one folder; one thread stores what they bring.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from globus_sdk import TransferClient

from accounts.models import Principal
from portal.globus.errors import ConsentRequired, PortalError
from transfers.jobs.checkpoints import (
    Beat,
    Found,
    LostClaim,
    heartbeat,
    leave_the_rest,
    start,
    store,
    store_answer,
)
from transfers.jobs.inventory_models import Inventory, InventoryFolder
from transfers.jobs.leaving_out import why_unread
from transfers.jobs.reading import Answer, Reader, raw
from transfers.jobs.tree_rules import Rules

__all__ = ["Beat", "LostClaim", "Walk", "heartbeat", "raw", "read_tree", "start"]

logger = logging.getLogger(__name__)

#: Folders that one walk asks for at once: at half a second per answer, some more than
#: the budget of an identity allows, and few enough that their answers fit in memory.
AT_ONCE = 8
#: waiting folders that are looked up at once
FOLDERS_AT_ONCE = 100
#: how often a folder is read anew that changes between two of its answers
MOST_READS = 3
#: An inventory stops growing here and says so: a file system that never ends, such as
#: one with a mount in itself, must not fill the database.
MOST_ENTRIES = 10_000_000

First = Callable[[], Answer]

_S = InventoryFolder.State


@dataclass(frozen=True)
class Walk:
    """:ivar beat: says that the worker lives; raises ``LostClaim``"""

    inventory: Inventory
    reader: Reader
    beat: Beat
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
        reader = Reader(
            transfer_client,
            principal,
            UUID(str(inventory.collection)),
            Rules.from_json(inventory.rules),
        )
        return cls(inventory, reader, beat, most_entries or MOST_ENTRIES)

    @property
    def is_full(self) -> bool:
        return self.inventory.entries >= self.most_entries


def read_tree(walk: Walk) -> None:
    """Reads every folder that waits, and those that are found in them.

    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the top folder cannot be read;
        what was read is kept
    """
    waiting = walk.inventory.tree.filter(state=_S.WAITING).order_by("id")
    while folders := list(waiting[:FOLDERS_AT_ONCE]):
        if walk.is_full:
            says = f"The listing stopped at {walk.most_entries:,} entries."
            leave_the_rest(walk.inventory, walk.beat, says)
            return
        if len(folders) == 1:
            read_folder(walk, folders[0])
        else:
            _read_all(walk, folders)


def _read_all(walk: Walk, folders: list[InventoryFolder]) -> None:
    """Several at once. After a failure no more are asked for, and what is under way is
    stored all the same.
    """
    failure: PortalError | None = None
    todo = iter(folders)
    asked: dict[Future[Answer], InventoryFolder] = {}

    def has_more() -> bool:
        if failure is not None or walk.is_full or len(asked) >= AT_ONCE:
            return False
        folder = next(todo, None)
        if folder is not None:
            walk.reader.make_ready()
            first = walk.reader.first
            asked[pool.submit(first, folder.path_text, folder.depth)] = folder
        return folder is not None

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="walk") as pool:
        while True:
            while has_more():
                pass
            if not asked:
                break
            for answer in wait(asked, return_when=FIRST_COMPLETED).done:
                try:
                    read_folder(walk, asked.pop(answer), answer.result)
                except PortalError as err:
                    failure = failure or err
    if failure is not None:
        raise failure


def read_folder(
    walk: Walk, folder: InventoryFolder, first: First | None = None
) -> None:
    """Stores what is in a folder, or why that is not known.

    :param first: gives its first answer, which was asked for already
    """
    try:
        found = _read(walk, folder, first)
    except PortalError as err:
        says = why_unread(walk.inventory, walk.reader, folder, err)
        if not says:
            raise
        logger.info("A folder of inventory %s is left out", walk.inventory.pk)
        found = Found(says=says, state=_S.UNREAD)
    store(walk.inventory, walk.beat, folder, found)


def _read(walk: Walk, folder: InventoryFolder, first: First | None) -> Found:
    """Stores the rows of a folder of several answers, one by one.

    A folder that changes between two answers is read again, and at last taken as it is.
    """
    for _ in range(MOST_READS):
        found = _read_once(walk, folder, _first(walk, folder, first))
        if not found.says:
            break
        first = None
    return found


def _first(walk: Walk, folder: InventoryFolder, first: First | None) -> Answer:
    if first is not None:
        try:
            return first()
        except ConsentRequired:
            pass  # which the service account may give itself, but not from a thread
    return walk.reader.part(folder.path_text, folder.depth, 0)


def _read_once(walk: Walk, folder: InventoryFolder, first: Answer) -> Found:
    found = Found()
    if first.is_whole:
        found.add(first)
        found.rows = first.rows
        return found
    store_answer(folder, walk.beat, 0, first.rows)
    found.add(first)
    path, depth = folder.path_text, folder.depth
    for answer in walk.reader.rest(path, depth, first.received):
        if answer.total != first.total:
            found.says = "It changed while it was read, so entries may be missing."
        if answer.received:
            store_answer(folder, walk.beat, found.answers, answer.rows)
            found.add(answer)
        elif found.received < answer.total:
            found.says = "Globus did not send all of its entries."
    return found
