"""Seals everything anew with the first key of the ring, while the site runs (T06)."""

from __future__ import annotations

import base64
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import BooleanField, F, Func, Q, Value

from accounts import vault
from accounts.models import (
    PendingAction,
    Revocation,
    ServiceAccountSecret,
    Token,
    Webhook,
)

BATCH = 200
#: how long to wait for transactions and rows that others hold
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1


class SealedRow(Protocol):
    """What a model with sealed columns has to offer."""

    def binding_of(self, column: str) -> vault.Binding: ...


@dataclass(frozen=True)
class Sealed:
    """The sealed columns of one model, whose rows are ``SealedRow``."""

    model: type[models.Model]
    columns: tuple[str, ...]

    def stale(self, ring: vault.KeyRing) -> models.QuerySet[models.Model]:
        """The rows in which another key than the first one sealed something."""
        wanted = Q()
        for column in self.columns:
            wanted |= Q(_BeginsOtherwise(F(column), Value(ring.header)))
        return self.model._default_manager.filter(wanted)


class _BeginsOtherwise(Func):
    """Whether a column has a sealed value, and its header is not this one."""

    template = "substring(%(expressions)s"
    arg_joiner = f" FROM 1 FOR {vault.HEADER_BYTES}) <> "
    output_field = BooleanField()


#: Every sealed column of the portal. A test fails when a model has another one.
REGISTRY = (
    Sealed(Token, ("sealed_access_token", "sealed_refresh_token")),
    Sealed(ServiceAccountSecret, ("sealed_secret",)),
    Sealed(Revocation, ("sealed_token", "sealed_client_secret")),
    Sealed(PendingAction, ("sealed_body",)),
    Sealed(Webhook, ("sealed_key",)),
)


@dataclass
class Progress:
    """:ivar damaged: rows that do not open, as ``table id``; they are left alone"""

    sealed: int = 0
    left: int = 0
    damaged: set[str] = field(default_factory=set)


def stale_rows(ring: vault.KeyRing) -> int:
    return sum(sealed.stale(ring).count() for sealed in REGISTRY)


def rows_by_key() -> dict[str, int]:
    """``{key id in hex: values that it sealed}``."""
    found: dict[str, int] = {}
    for sealed in REGISTRY:
        table = sealed.model._meta.db_table
        for column in sealed.columns:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT encode(substring({column} FROM 2 FOR 4), 'hex'), count(*) "  # noqa: S608 - our own names
                    f"FROM {table} WHERE {column} IS NOT NULL GROUP BY 1"
                )
                for key_id, count in cursor.fetchall():
                    found[key_id] = found.get(key_id, 0) + count
    return found


def reseal_all() -> Iterator[Progress]:
    """Walks through every sealed column until only the first key is needed.

    Batches are short transactions, so that readers never wait and writers hardly do;
    rows that somebody holds are left for a later walk. Killed half way, the next call
    goes on where this one was. Yields after each batch; the last one has nothing left,
    but for what is damaged and what stayed locked for a minute.
    """
    ring = vault.key_ring()
    progress = Progress(left=stale_rows(ring))
    horizon = _newest_transaction()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        before = progress.sealed
        for sealed in REGISTRY:
            yield from _walk(sealed, ring, progress)
        if progress.sealed > before:
            give_up_at = time.monotonic() + PATIENCE_SECONDS
        # Looked at in this order: what was committed before counts below.
        others_ended = _oldest_transaction() >= horizon
        progress.left = stale_rows(ring) - len(progress.damaged)
        if others_ended and progress.left <= 0:
            break
        if time.monotonic() > give_up_at:
            break
        time.sleep(PAUSE_SECONDS)
    yield progress


def _walk(
    sealed: Sealed, ring: vault.KeyRing, progress: Progress
) -> Iterator[Progress]:
    """Once through a table, in the order of ids."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        after = _reseal_batch(sealed, ring, after, progress)
        yield progress


def _reseal_batch(
    sealed: Sealed, ring: vault.KeyRing, after: UUID, progress: Progress
) -> UUID | None:
    """:returns: where the next batch begins, or nothing at the end of the table"""
    with transaction.atomic():
        rows = list(
            sealed.stale(ring)
            .filter(pk__gt=after)
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("pk")
            .only("pk", *sealed.columns, *_binding_fields(sealed.model))[:BATCH]
        )
        renewed = [row for row in rows if _reseal(row, sealed, ring, progress)]
        if renewed:
            _save(sealed, renewed)
    progress.sealed += len(renewed)
    progress.left = max(0, progress.left - len(renewed))
    return rows[-1].pk if len(rows) == BATCH else None


def _save(sealed: Sealed, rows: list[models.Model]) -> None:
    """One UPDATE for all; ``bulk_update`` takes three times as long for wide values."""
    quoted = connection.ops.quote_name
    names = [quoted(column) for column in sealed.columns]
    sets = ", ".join(f"{name} = new.{name}" for name in names)
    arrays = ", ".join(["%s::uuid[]", *["%s::bytea[]"] * len(names)])
    values = [
        [
            None if (data := getattr(row, column)) is None else bytes(data)
            for row in rows
        ]
        for column in sealed.columns
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quoted(sealed.model._meta.db_table)} AS old SET {sets} "  # noqa: S608 - our own names
            f"FROM unnest({arrays}) AS new (id, {', '.join(names)}) "
            "WHERE old.id = new.id",
            [[row.pk for row in rows], *values],
        )


def _as_bytes(data: bytes | memoryview | None) -> bytes | None:
    return None if data is None else bytes(data)


def _binding_fields(model: type[models.Model]) -> list[str]:
    """Everything but the wide columns; a binding may name any of it."""
    return [
        each.attname
        for each in model._meta.concrete_fields
        if not isinstance(each, models.BinaryField | models.TextField)
    ]


def _reseal(
    row: models.Model, sealed: Sealed, ring: vault.KeyRing, progress: Progress
) -> bool:
    opens: SealedRow = row  # type: ignore[assignment] # the registry's test sees to it
    for column in sealed.columns:
        data = getattr(row, column)
        if data is None or ring.is_current(data):
            continue
        binding = opens.binding_of(column)
        try:
            text = ring.open(data, binding)
        except vault.CannotOpen:
            progress.damaged.add(f"{row._meta.db_table} {row.pk}")
            return False
        setattr(row, column, ring.seal(text.reveal(), binding))
    return True


# A process may have sealed something with the old key just before the file changed,
# and not have committed it yet. Whoever seals has locked a row before, so it is in a
# transaction with an id; once those of the beginning have ended, nothing is hidden.


def _newest_transaction() -> int:
    return _number("pg_snapshot_xmax")


def _oldest_transaction() -> int:
    return _number("pg_snapshot_xmin")


def _number(function: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def add_primary_key(path: Path) -> str:
    """Puts a new random key in front of the others; the file is replaced in one step.

    :returns: the id of the key
    :raises OSError: the file cannot be replaced here
    """
    ring = vault.read_ring(path)
    key_id = os.urandom(vault.KEY_ID_BYTES)
    while key_id in ring.key_ids:
        key_id = os.urandom(vault.KEY_ID_BYTES)
    key = base64.b64encode(os.urandom(vault.KEY_BYTES)).decode()
    text = f"{key_id.hex()}:{key}\n{path.read_text()}"
    status = path.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(handle, status.st_mode & 0o777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, status.st_uid, status.st_gid)
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        # Also when stopped by a signal: half a key ring must not stay behind.
        Path(name).unlink(missing_ok=True)
        raise
    return key_id.hex()
