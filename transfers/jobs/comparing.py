"""What became of each entry since the inventory before.

One pass over two lists of rows, both sorted by folder and name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from transfers.jobs.chunks import (
    CHANGED,
    GONE,
    NEW,
    NOT_COMPARED,
    SAME,
    Row,
    by_place,
)


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


def changed_since(now: Row, before: Row) -> bool:
    """A folder's own moment changes with what is in it, and is not looked at."""
    if now.type != before.type or now.link_target != before.link_target:
        return True
    return not now.is_folder and (
        now.size != before.size or now.modified != before.modified
    )


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


def compared(
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
