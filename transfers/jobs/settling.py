"""Makes an inventory out of what a walk has stored.

One pass over the folders in the order of their paths, merged with the chunks of what
it is compared with: neither is ever in memory as a whole. It asks nothing of Globus;
if its worker dies it is begun again, which takes seconds.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from transfers.jobs.chunks import (
    CHANGED,
    GONE,
    NEW,
    NOT_COMPARED,
    SAME,
    ChunkWriter,
    Row,
    by_place,
    packed,
    unpacked,
)
from transfers.jobs.inventory_models import (
    Inventory,
    InventoryChunk,
    InventoryFolder,
    InventoryPage,
)
from transfers.jobs.walking import Beat, raw

#: rows fetched at once from a cursor
FETCHED = 20
#: extensions that are counted one by one; a tree may have a million of them
MOST_TYPES = 2_000
SHOWN_TYPES = 200
LONGEST_TYPE = 20
#: what the rest of the extensions is counted as
OTHER_TYPES = "*"
#: how long one waits for the other settlings of this process, between two heartbeats
TURN_SECONDS = 20

Item = TypeVar("Item")

#: One settling at a time in a process: it needs the processor and not the network.
_turn = threading.Lock()


@dataclass(frozen=True)
class Earlier:
    """What an inventory is compared with.

    :ivar rows: sorted by folder and name
    :ivar unsure: folders below which not everything was known, sorted
    :ivar differs: whether an entry that both have has changed
    """

    rows: Iterable[Row]
    unsure: Iterable[str]
    differs: Callable[[Row, Row], bool]


def settle(inventory: Inventory, beat: Beat, earlier: Earlier | None) -> None:
    """Writes the chunks and the totals; then the inventory is ready.

    :raises LostClaim: somebody else goes on with it
    """
    with _one_at_a_time(beat):
        with transaction.atomic():
            beat()
            inventory.chunks.all().delete()
            Inventory.objects.filter(pk=inventory.pk).update(
                state=Inventory.State.SETTLING
            )
            _add_up(inventory)
            beat()  # of many folders that takes a while
        totals = Totals()
        writers = {
            kind: ChunkWriter(_Store(inventory, kind, beat))
            for kind in InventoryChunk.Kind
        }
        for row in _compared(_rows_here(inventory), earlier, unsure_of(inventory)):
            totals.add(row)
            kind = _K.GONE if row.change == GONE else _K.HERE
            writers[kind].add(row)
        for writer in writers.values():
            writer.flush()
        _finish(inventory, beat, totals)


_K = InventoryChunk.Kind


@contextmanager
def _one_at_a_time(beat: Beat) -> Iterator[None]:
    while not _turn.acquire(timeout=TURN_SECONDS):
        beat()
    try:
        yield
    finally:
        _turn.release()


def changed_since(now: Row, before: Row) -> bool:
    """A folder's own moment changes with what is in it, and is not looked at."""
    if now.type != before.type or now.link_target != before.link_target:
        return True
    return not now.is_folder and (
        now.size != before.size or now.modified != before.modified
    )


def rows_in(inventory: Inventory, kind: InventoryChunk.Kind = _K.HERE) -> Iterator[Row]:
    """All its entries in order, a chunk at a time."""
    number = 0
    while data := (
        inventory.chunks.filter(kind=kind, number=number)
        .values_list("data", flat=True)
        .first()
    ):
        yield from unpacked(data)
        number += 1


def unsure_of(inventory: Inventory) -> Iterator[str]:
    """Its folders of which not everything is known, sorted."""
    paths = inventory.tree.exclude(says="").order_by("path")
    for path in paths.values_list("path", flat=True).iterator(chunk_size=FETCHED):
        yield bytes(path).decode("utf-8", "surrogatepass")


# --- what was listed


def _add_up(inventory: Inventory) -> None:
    """Each folder's files and bytes with those below it, from the deepest up.

    A statement for each level, and there are no more than 2,048 in a path.
    """
    table = InventoryFolder._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET tree_files = files, tree_bytes = bytes "  # noqa: S608 - our own name
            "WHERE inventory_id = %s",
            [inventory.pk],
        )
        cursor.execute(
            f"SELECT max(depth) FROM {table} WHERE inventory_id = %s",  # noqa: S608
            [inventory.pk],
        )
        (deepest,) = cursor.fetchone() or (0,)
        for depth in range(deepest or 0, 0, -1):
            cursor.execute(
                f"UPDATE {table} above SET "  # noqa: S608
                "tree_files = above.tree_files + below.files, "
                "tree_bytes = above.tree_bytes + below.bytes FROM (SELECT parent_id, "
                "sum(tree_files) AS files, sum(tree_bytes) AS bytes "
                f"FROM {table} WHERE inventory_id = %s AND depth = %s "
                "GROUP BY parent_id) below WHERE above.id = below.parent_id",
                [inventory.pk, depth],
            )


def _rows_here(inventory: Inventory) -> Iterator[Row]:
    folders = (
        inventory.tree.filter(state=InventoryFolder.State.READ)
        .order_by("path")
        .only("path", "answers")
        .iterator(chunk_size=FETCHED)
    )
    below, pages = _below(inventory), _pages(inventory)
    for folder in folders:
        trees = {
            each.path_text[:-1].rpartition("/")[2]: (each.tree_files, each.tree_bytes)
            for each in below.of(folder.pk)
        }
        last = None
        for row in _rows_of(folder, pages):
            if row.name == last:
                continue  # told twice, by a listing that changed between two answers
            last = row.name
            tree = trees.get(row.name) if row.is_folder else None
            yield row._replace(tree_files=tree[0], tree_bytes=tree[1]) if tree else row


class _Alongside(Generic[Item]):
    """Rows that belong to folders and come in the folders' own order."""

    def __init__(self, rows: Iterable[Item], folder_id: Callable[[Item], int]) -> None:
        self._groups = groupby(rows, key=folder_id)
        self._next = next(self._groups, None)

    def of(self, folder_id: int) -> Iterator[Item]:
        """Those of a folder; read before the next folder is asked for."""
        if self._next is None or self._next[0] != folder_id:
            return
        yield from self._next[1]
        self._next = next(self._groups, None)


def _below(inventory: Inventory) -> _Alongside[InventoryFolder]:
    """The folders that were read in each folder."""
    rows = (
        inventory.tree.filter(state=InventoryFolder.State.READ, parent__isnull=False)
        .order_by("parent__path", "path")
        .only("parent_id", "path", "tree_files", "tree_bytes")
        .iterator(chunk_size=FETCHED)
    )
    return _Alongside(rows, lambda each: each.parent_id or 0)


def _pages(inventory: Inventory) -> _Alongside[tuple[int, bytes | memoryview]]:
    """Of folders that came in one answer, which are nearly all."""
    rows = (
        inventory.pages.filter(folder__answers=1)
        .order_by("folder__path", "number")
        .values_list("folder_id", "data")
        .iterator(chunk_size=FETCHED)
    )
    return _Alongside(rows, lambda each: each[0])


def _rows_of(
    folder: InventoryFolder, pages: _Alongside[tuple[int, bytes | memoryview]]
) -> Iterator[Row]:
    if folder.answers > 1:
        answers = range(folder.answers)
        parts = (_rows_of_answer(folder, answer) for answer in answers)
        yield from heapq.merge(*parts, key=by_place)
    for _, data in pages.of(folder.pk):
        yield from unpacked(data)


def _rows_of_answer(folder: InventoryFolder, answer: int) -> Iterator[Row]:
    number = 0
    while data := (
        InventoryPage.objects.filter(folder=folder, answer=answer, number=number)
        .values_list("data", flat=True)
        .first()
    ):
        yield from unpacked(data)
        number += 1


# --- comparing


class _Prefixes:
    """Whether a folder lies in one of some folders; both come sorted."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = iter(folders)
        self._current = next(self._folders, None)

    def cover(self, folder: str) -> bool:
        while self._current is not None:
            if folder.startswith(self._current):
                return True
            if self._current > folder:
                return False
            self._current = next(self._folders, None)
        return False


def _compared(
    here: Iterable[Row], earlier: Earlier | None, unsure: Iterable[str]
) -> Iterator[Row]:
    """Every row with what became of it; those that are gone among them.

    Nothing is called gone that lies in a folder which was not read this time, and
    nothing new that lies in one which was not read last time.
    """
    if earlier is None:
        yield from here
        return
    unsure_now, unsure_then = _Prefixes(unsure), _Prefixes(earlier.unsure)
    then = iter(earlier.rows)
    old = next(then, None)
    for row in here:
        place = by_place(row)
        while old is not None and by_place(old) < place:
            if not unsure_now.cover(old.folder):
                yield old._replace(change=GONE)
            old = next(then, None)
        if old is not None and by_place(old) == place:
            change = CHANGED if earlier.differs(row, old) else SAME
            old = next(then, None)
        else:
            change = NOT_COMPARED if unsure_then.cover(row.folder) else NEW
        yield row._replace(change=change)
    while old is not None:
        if not unsure_now.cover(old.folder):
            yield old._replace(change=GONE)
        old = next(then, None)


# --- what is kept


class _Store:
    """Writes one kind of chunks, each in its own transaction with a heartbeat."""

    def __init__(
        self, inventory: Inventory, kind: InventoryChunk.Kind, beat: Beat
    ) -> None:
        self._inventory, self._kind, self._beat = inventory, kind, beat
        self._rows = 0

    def __call__(self, number: int, rows: list[Row]) -> None:
        sizes = [r.size for r in rows if r.type == "file" and r.size is not None]
        moments = [row.modified for row in rows if row.modified is not None]
        with transaction.atomic():
            self._beat()
            InventoryChunk.objects.create(
                inventory=self._inventory,
                kind=self._kind,
                number=number,
                rows=len(rows),
                begins_at=self._rows,
                first_folder=raw(rows[0].folder),
                last_folder=raw(rows[-1].folder),
                new=sum(row.change == NEW for row in rows),
                changed=sum(row.change == CHANGED for row in rows),
                smallest=min(sizes, default=None),
                largest=max(sizes, default=None),
                oldest=min(moments, default=None),
                newest=max(moments, default=None),
                data=packed(rows),
            )
        self._rows += len(rows)


@dataclass
class Totals:
    """Counted while the rows go by; as large for a million as for a thousand."""

    entries: int = 0
    files: int = 0
    folders: int = 0
    bytes: int = 0
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys("+~-", 0))
    moved: dict[str, int] = field(default_factory=lambda: dict.fromkeys("+~-", 0))
    types: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        is_file = row.type == "file"
        size = (row.size or 0) if is_file else 0
        if row.change in self.changes:
            self.changes[row.change] += 1
            self.moved[row.change] += size
        if row.change == GONE:
            return
        self.entries += 1
        self.folders += row.is_folder
        if is_file:
            self.files += 1
            self.bytes += size
            self._count_type(extension(row.name), size)

    def _count_type(self, name: str, size: int) -> None:
        if name not in self.types and len(self.types) >= MOST_TYPES:
            name = OTHER_TYPES
        counted = self.types.setdefault(name, [0, 0])
        counted[0] += 1
        counted[1] += size

    def shown_types(self) -> list[tuple[str, int, int]]:
        """The types with the most bytes, and what is left as one."""
        rest = self.types.pop(OTHER_TYPES, [0, 0])
        ranked = sorted(
            ((name, files, size) for name, (files, size) in self.types.items()),
            key=lambda each: (-each[2], -each[1], each[0]),
        )
        for _, files, size in ranked[SHOWN_TYPES:]:
            rest[0] += files
            rest[1] += size
        shown = ranked[:SHOWN_TYPES]
        return [*shown, (OTHER_TYPES, rest[0], rest[1])] if rest[0] else shown


def extension(name: str) -> str:
    """“.csv”; empty if there is none. What cannot be stored as text is none."""
    stem, dot, end = name.rpartition(".")
    if not stem.strip(".") or not end or len(end) > LONGEST_TYPE:
        return ""
    return dot + end.lower() if end.isprintable() and end.strip() == end else ""


def _finish(inventory: Inventory, beat: Beat, totals: Totals) -> None:
    """Ready; the rows of the walk go, but for what could not be read."""
    counted = {
        "entries": totals.entries,
        "files": totals.files,
        "folders": totals.folders,
        "bytes": totals.bytes,
        "new": totals.changes[NEW],
        "changed": totals.changes[CHANGED],
        "gone": totals.changes[GONE],
        "bytes_new": totals.moved[NEW],
        "bytes_changed": totals.moved[CHANGED],
        "bytes_gone": totals.moved[GONE],
    }
    with transaction.atomic():
        beat()
        inventory.pages.all().delete()
        inventory.tree.exclude(says="").update(parent=None)
        inventory.tree.filter(says="").delete()
        Inventory.objects.filter(pk=inventory.pk).update(
            state=Inventory.State.READY,
            finished_at=timezone.now(),
            summary={"types": totals.shown_types()},
            compared_with=inventory.compared_with,
            **counted,
        )
    inventory.refresh_from_db()
