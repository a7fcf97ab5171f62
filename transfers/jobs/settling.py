"""Makes an inventory out of what a walk has stored.

One pass over the folders in the order of their paths, merged with the chunks of what
it is compared with: neither is ever in memory as a whole. It asks nothing of Globus;
if its worker dies it is begun again, which takes seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.prepared import Prepared, insert
from transfers.jobs.chunks import (
    CHANGED,
    GONE,
    NEW,
    ChunkWriter,
    Row,
    packed,
    unpacked,
)
from transfers.jobs.comparing import Earlier, changed_since, compared
from transfers.jobs.gathering import FETCHED, add_up, rows_here
from transfers.jobs.inventory_models import (
    Inventory,
    InventoryChunk,
)
from transfers.jobs.totals import Totals
from transfers.jobs.walking import Beat, raw

__all__ = [
    "Earlier",
    "changed_since",
    "rows_in",
    "settle",
    "settle_at_once",
    "unsure_of",
]

#: how long one waits for the other settlings of this process, between two heartbeats
TURN_SECONDS = 20

#: what else belongs to the moment at which an inventory is ready
End = Callable[[Inventory], None]

#: One settling at a time in a process: it needs the processor and not the network.
_turn = threading.Lock()
_K = InventoryChunk.Kind


def settle(
    inventory: Inventory, beat: Beat, earlier: Earlier | None, end: End | None = None
) -> None:
    """Writes the chunks and the totals; then the inventory is ready.

    :param end: called in the transaction that makes it ready
    :raises LostClaim: somebody else goes on with it
    """
    with _one_at_a_time(beat):
        with transaction.atomic():
            beat()
            inventory.chunks.all().delete()
            Inventory.objects.filter(pk=inventory.pk).update(
                state=Inventory.State.SETTLING
            )
            add_up(inventory)
            beat()  # of many folders that takes a while
        totals = Totals()

        def keep(chunk: InventoryChunk) -> None:
            with transaction.atomic():
                beat()
                chunk.save(force_insert=True)

        rows = compared(rows_here(inventory), earlier, unsure_of(inventory))
        _write(inventory, rows, totals, keep)
        _finish(inventory, beat, totals, end)


def settle_at_once(
    inventory: Inventory, rows: Iterable[Row], earlier: Earlier | None, end: End
) -> None:
    """Stores an inventory that one answer brought: all of it, or nothing.

    :param inventory: not stored yet
    :param rows: sorted
    :param end: called in the same transaction
    """
    totals = Totals()
    chunks: list[InventoryChunk] = []
    _write(inventory, compared(rows, earlier, []), totals, chunks.append)
    inventory.folders_read = 1
    _make_ready(inventory, totals)
    with transaction.atomic():
        insert(inventory)
        for chunk in chunks:  # one, mostly
            insert(chunk)
        end(inventory)


def _write(
    inventory: Inventory,
    rows: Iterable[Row],
    totals: Totals,
    keep: Callable[[InventoryChunk], None],
) -> None:
    writers = {
        kind: ChunkWriter(_Chunks(inventory, kind, keep))
        for kind in InventoryChunk.Kind
    }
    for row in rows:
        totals.add(row)
        writers[_K.GONE if row.change == GONE else _K.HERE].add(row)
    for writer in writers.values():
        writer.flush()


def _make_ready(inventory: Inventory, totals: Totals) -> list[str]:
    """:returns: the names of the fields that it has set"""
    fields = totals.as_fields() | {
        "state": Inventory.State.READY,
        "finished_at": timezone.now(),
    }
    for name, value in fields.items():
        setattr(inventory, name, value)
    return [*fields]


@contextmanager
def _one_at_a_time(beat: Beat) -> Iterator[None]:
    while not _turn.acquire(timeout=TURN_SECONDS):
        beat()
    try:
        yield
    finally:
        _turn.release()


def rows_in(inventory: Inventory, kind: InventoryChunk.Kind = _K.HERE) -> Iterator[Row]:
    """All entries of one that is ready in order, a chunk at a time."""
    left = inventory.gone if kind == _K.GONE else inventory.entries
    number = 0
    while left > 0 and (chunk := _CHUNK.first(inventory.pk, kind, number)):
        rows, data = chunk
        yield from unpacked(data)
        left -= rows
        number += 1


_CHUNK = Prepared[tuple[int, memoryview]](
    lambda inventory, kind, number: InventoryChunk.objects.filter(
        inventory=inventory, kind=kind, number=number
    ).values_list("rows", "data"),
    UUID,
    str,
    int,
)


def unsure_of(inventory: Inventory) -> Iterator[str]:
    """Its folders of which not everything is known, sorted."""
    if not inventory.folders_unread and inventory.is_ready:
        return
    paths = inventory.tree.exclude(says="").order_by("path")
    for path in paths.values_list("path", flat=True).iterator(chunk_size=FETCHED):
        yield bytes(path).decode("utf-8", "surrogatepass")


# --- what is kept


class _Chunks:
    """Makes the chunks of one kind out of their rows, and hands them on.

    :param keep: stores one
    """

    def __init__(
        self,
        inventory: Inventory,
        kind: InventoryChunk.Kind,
        keep: Callable[[InventoryChunk], None],
    ) -> None:
        self._inventory, self._kind, self._keep = inventory, kind, keep
        self._rows = 0

    def __call__(self, number: int, rows: list[Row]) -> None:
        sizes = [r.size for r in rows if r.type == "file" and r.size is not None]
        moments = [row.modified for row in rows if row.modified is not None]
        self._keep(
            InventoryChunk(
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
        )
        self._rows += len(rows)


def _finish(inventory: Inventory, beat: Beat, totals: Totals, end: End | None) -> None:
    """Ready; the rows of the walk go, but for what could not be read."""
    inventory.refresh_from_db(fields=["folders_read", "folders_unread"])
    with transaction.atomic():
        beat()
        inventory.pages.all().delete()
        inventory.tree.exclude(says="").update(parent=None)
        inventory.tree.filter(says="").delete()
        fields = _make_ready(inventory, totals)
        inventory.save(update_fields=[*fields, "compared_with"])
        if end is not None:
            end(inventory)
