"""Looks into an inventory: a page, a folder's parts, everything for a download.

However large it is, a page opens a bounded number of chunks. The rows of the chunks
say which need not be opened (folder, change, largest and smallest, newest and oldest),
a search looks at a chunk's text before it reads it, and what is left over begins on
the next page.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db.models import F, QuerySet

from transfers.jobs.chunks import (
    CHANGED,
    GONE,
    NEW,
    Columns,
    Row,
    folded,
    may_hold,
    rows_of,
    text_of,
    unpacked,
)
from transfers.jobs.inventory_models import Inventory, InventoryChunk
from transfers.jobs.reading import raw
from transfers.jobs.totals import extension

PAGE_ROWS = 100
#: chunks that one page reads: a million entries have 245
MOST_CHUNKS = 250
#: chunks that are fetched at once
FETCHED = 10
#: how far one can page in an order other than by path
MOST_SORTED = 2_000
SHOWN_FOLDERS = 25

CHANGES = {"new": NEW, "changed": CHANGED, "gone": GONE}
_K = InventoryChunk.Kind


@dataclass(frozen=True)
class Order:
    """:ivar bound: the column of a chunk that says how far up it gets
    :ivar column: of a chunk that is read
    """

    bound: str
    column: str
    descends: bool


ORDERS = {
    "-size": Order("largest", "sizes", descends=True),
    "size": Order("smallest", "sizes", descends=False),
    "-modified": Order("newest", "modified", descends=True),
    "modified": Order("oldest", "modified", descends=False),
}


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see.

    :ivar words: anywhere in the path, whatever the case
    :ivar folder: only what lies in it, however deep; ends in a slash
    :ivar change: a key of ``CHANGES``, or empty
    :ivar type: an extension as in the totals; None is any
    :ivar order: a key of ``ORDERS``; else by folder and name
    """

    words: str = ""
    folder: str = ""
    change: str = ""
    type: str | None = None
    order: str = ""

    @property
    def kind(self) -> InventoryChunk.Kind:
        return _K.GONE if self.change == "gone" else _K.HERE

    @property
    def is_narrow(self) -> bool:
        return bool(self.words or self.change or self.type is not None)

    def fits(self, row: Row) -> bool:
        if self.folder and not row.folder.startswith(self.folder):
            return False
        if self.change and row.change != CHANGES[self.change]:
            return False
        if self.type is not None and (
            row.type != "file" or extension(row.name) != self.type
        ):
            return False
        return not self.words or folded(self.words) in folded(row.path)


@dataclass(frozen=True)
class Page:
    """:ivar following: where the next page begins; empty after the last
    :ivar stopped: there may be more that fits than was looked at for this page
    """

    rows: list[Row]
    following: str = ""
    stopped: bool = False


def page(inventory: Inventory, wish: Wish, begins: str = "") -> Page:
    """:param begins: ``following`` of the page before; nonsense is the beginning"""
    if wish.order in ORDERS:
        return _sorted_page(inventory, wish, _whole(begins))
    number, _, row = begins.partition(".")
    return _path_page(inventory, wish, _whole(number), _whole(row))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _path_page(inventory: Inventory, wish: Wish, first: int, skip: int) -> Page:
    found: list[Row] = []
    chunks = _chunks(inventory, wish).filter(number__gte=first)
    for looked_at, (number, text) in enumerate(_texts(chunks)):
        if looked_at >= MOST_CHUNKS:
            return Page(found, f"{number}.0", stopped=True)
        if wish.words and not may_hold(folded(text), folded(wish.words)):
            continue
        begin = skip if number == first else 0
        for position, row in enumerate(rows_of(text)):
            if position < begin or not wish.fits(row):
                continue
            if len(found) == PAGE_ROWS:
                return Page(found, f"{number}.{position}")
            found.append(row)
    return Page(found)


def _sorted_page(inventory: Inventory, wish: Wish, offset: int) -> Page:
    """The best of all, by looking into the most promising chunks first."""
    order = ORDERS[wish.order]
    best = _Best(order, wish, min(offset + PAGE_ROWS, MOST_SORTED) + 1)
    bound = F(order.bound)
    chunks = _chunks(inventory, wish).filter(**{f"{order.bound}__isnull": False})
    ranked = chunks.order_by(bound.desc() if order.descends else bound.asc(), "number")
    stopped = False
    for looked_at, (number, reach, text) in enumerate(_reaching(ranked, order.bound)):
        if best.is_beyond(number, reach):
            break
        if looked_at >= MOST_CHUNKS:
            stopped = True
            break
        if not wish.words or may_hold(folded(text), folded(wish.words)):
            best.add(number, Columns(text))
    rows = best.rows()
    following = offset + PAGE_ROWS
    more = len(rows) > following and following < MOST_SORTED
    return Page(rows[offset:following], str(following) if more else "", stopped)


class _Best:
    """The rows that come first in an order, of all that were looked at.

    Of two that are equal, the one that comes first in the tree.
    """

    def __init__(self, order: Order, wish: Wish, wanted: int) -> None:
        self._order, self._wish, self._wanted = order, wish, wanted
        self._sign = 1 if order.descends else -1
        self._heap: list[tuple[int, int, int, Row]] = []

    def is_beyond(self, number: int, reach: int) -> bool:
        """Whether neither this chunk nor those after it can hold one of the best."""
        if len(self._heap) < self._wanted:
            return False
        return (self._sign * reach, -number, 0) < self._heap[0][:3]

    def add(self, number: int, columns: Columns) -> None:
        values: list[int | None] = getattr(columns, self._order.column)
        for position, value in enumerate(values):
            if value is None:
                continue
            place = self._sign * value, -number, -position
            is_full = len(self._heap) >= self._wanted
            if is_full and place < self._heap[0][:3]:
                continue
            if self._order.column == "sizes" and columns.type(position) != "file":
                continue
            row = columns.row(position)
            if not self._wish.fits(row):
                continue
            if is_full:
                heapq.heapreplace(self._heap, (*place, row))
            else:
                heapq.heappush(self._heap, (*place, row))

    def rows(self) -> list[Row]:
        ranked = sorted(self._heap, key=lambda each: each[:3], reverse=True)
        return [each[3] for each in ranked]


def _chunks(inventory: Inventory, wish: Wish) -> QuerySet[InventoryChunk]:
    """Those in which there may be something of it, in order."""
    chunks = inventory.chunks.filter(kind=wish.kind).order_by("number")
    if wish.folder:
        # What begins with “/a/” lies before “/a0”, the slash being followed by the 0.
        chunks = chunks.filter(
            last_folder__gte=raw(wish.folder),
            first_folder__lt=raw(f"{wish.folder[:-1]}0"),
        )
    if wish.change in ("new", "changed"):
        chunks = chunks.filter(**{f"{wish.change}__gt": 0})
    return chunks


def _texts(chunks: QuerySet[InventoryChunk]) -> Iterator[tuple[int, str]]:
    for number, _, text in _reaching(chunks, "number"):
        yield number, text


def _reaching(
    chunks: QuerySet[InventoryChunk], bound: str
) -> Iterator[tuple[int, int, str]]:
    """``(number, bound, text)`` in their order; few at first, since few may do."""
    known = [*chunks.values_list("pk", "number", bound)]
    begin, length = 0, 1
    while some := known[begin : begin + length]:
        data = dict(
            InventoryChunk.objects.filter(pk__in=[pk for pk, _, _ in some]).values_list(
                "pk", "data"
            )
        )
        for pk, number, reach in some:
            if pk in data:
                yield number, reach, text_of(data.pop(pk))
        begin, length = begin + length, min(2 * length, FETCHED)


def everything(inventory: Inventory, wish: Wish) -> Iterator[Row]:
    """All that fits, in the order of the tree, a chunk at a time."""
    for _, text in _texts(_chunks(inventory, replace(wish, order=""))):
        if wish.words and not may_hold(folded(text), folded(wish.words)):
            continue
        yield from filter(wish.fits, rows_of(text))


@dataclass(frozen=True)
class Parts:
    """The folders in one folder, those with the most bytes first.

    :ivar others: how many there are beyond those
    """

    folders: list[Row]
    others: int

    @property
    def most(self) -> int:
        return max((row.tree_bytes or 0 for row in self.folders), default=0)


def parts_of(inventory: Inventory, folder: str) -> Parts:
    """What the folders in one folder weigh, each with all that lies below it."""
    # A folder's own entries follow each other, before those of the folders in it.
    chunks = inventory.chunks.filter(
        kind=_K.HERE, first_folder__lte=raw(folder), last_folder__gte=raw(folder)
    ).order_by("number")
    found = [
        (row.tree_bytes or 0, row.tree_files or 0, row)
        for data in chunks.values_list("data", flat=True)[:MOST_CHUNKS]
        for row in unpacked(data)
        if row.folder == folder and row.is_folder and not row.is_link
    ]
    best = heapq.nlargest(SHOWN_FOLDERS, found, key=lambda each: each[:2])
    return Parts([row for _, _, row in best], max(0, len(found) - SHOWN_FOLDERS))
