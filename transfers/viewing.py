"""Which entries of a folder a view shows, and in which order.

Both come out of the columns that were kept (``transfers.columns``), and are kept beside
them: the next page of the same view costs nothing.
"""

from __future__ import annotations

import fnmatch
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from transfers import columns
from transfers.columns import LINK, SORTABLE, TYPES, About
from transfers.keeping import Pack

ORDERS = ("name", *SORTABLE)
#: kinds of entries that can be asked for, besides all of them
KINDS = ("folders", "files", "links", "others")
LONGEST_FILTER = 255


class View(NamedTuple):
    """How a folder is looked at.

    :ivar order: one of ``ORDERS``, with a ``-`` before it for the other way round
    :ivar text: part of a name; with ``*`` or ``?`` a pattern for the whole of it
    :ivar kind: one of ``KINDS``, or empty
    """

    order: str = "name"
    text: str = ""
    kind: str = ""

    @classmethod
    def of(cls, order: str, text: str, kind: str) -> View:
        """What fits of what an address asks for (security.md W07)."""
        known = order.removeprefix("-") in ORDERS
        return cls(
            order if known else "name",
            text[:LONGEST_FILTER],
            kind if kind in KINDS else "",
        )

    @property
    def column(self) -> str:
        return self.order.removeprefix("-")

    @property
    def is_turned(self) -> bool:
        return self.order.startswith("-")

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.kind)

    @property
    def part(self) -> str:
        text = "\0".join(self).encode("utf-8", "surrogatepass")
        return f"view-{blake2b(text, digest_size=12).hexdigest()}"


def found(about: About, pack: Pack, view: View) -> Sequence[int]:
    """The numbers of what a view shows, in its order.

    :raises Gone: the listing is not kept any more
    """
    if not view.narrows:
        return _ordered(about, pack, view)
    if pack.has(view.part):
        return array("I", pack.get(view.part)[0])
    fits = bytearray(about.count)
    for number in _narrowed(about, pack, view):
        fits[number] = 1
    shown = array("I", [n for n in _ordered(about, pack, view) if fits[n]])
    pack.add(view.part, shown.tobytes())
    return shown


def _ordered(about: About, pack: Pack, view: View) -> Sequence[int]:
    order: Sequence[int] = range(about.count)
    if view.column != "name":
        order = array("I", _order_by(about, pack, view.column))
    return columns.turned_round(order, about.folders) if view.is_turned else order


def _order_by(about: About, pack: Pack, column: str) -> bytes:
    name = f"by-{column}"
    if pack.has(name):
        return pack.get(name)[0]
    part = columns.part_of(column)
    [data] = pack.get(part)
    values = columns.numbers(part, data)
    order = columns.sort(column, values, about.folders)
    pack.add(name, order)
    return order


def _narrowed(about: About, pack: Pack, view: View) -> Iterable[int]:
    fitting: Iterable[int] = range(about.count)
    if view.text and about.count:
        [lines] = pack.get("search")
        fits = _test_for(view.text)
        fitting = (n for n, line in enumerate(lines.split(b"\n")) if fits(line))
    if view.kind:
        [types] = pack.get("types")
        wanted = _NUMBERS_OF_KIND[view.kind]
        fitting = (n for n in fitting if types[n] in wanted)
    return fitting


_OTHERS = range(3, len(TYPES))
_NUMBERS_OF_KIND = {
    "folders": frozenset((0, LINK)),
    "files": frozenset((1, 1 | LINK)),
    "links": frozenset((2, *(n | LINK for n in range(len(TYPES))))),
    "others": frozenset((*_OTHERS, *(n | LINK for n in _OTHERS))),
}


def _test_for(text: str) -> Callable[[bytes], object]:
    small = text.casefold().replace("\n", " ")
    if "*" in small or "?" in small:
        pattern = fnmatch.translate(small).encode("utf-8", "surrogatepass")
        return re.compile(pattern).match
    part = small.encode("utf-8", "surrogatepass")
    return lambda line: part in line
