"""The rows that a walk has stored, in the order of the tree."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Generic, TypeVar

from django.db import connection

from transfers.jobs.chunks import Row, by_place, unpacked
from transfers.jobs.inventory_models import Inventory, InventoryFolder, InventoryPage

#: rows fetched at once from a cursor
FETCHED = 20

Item = TypeVar("Item")


def add_up(inventory: Inventory) -> None:
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


def rows_here(inventory: Inventory) -> Iterator[Row]:
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
