"""The one way in which a run changes its state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from portal.planned import Sql, planned_once
from portal.prepared import Prepared
from transfers.jobs.aftermath import settle
from transfers.jobs.models import STEPS, Run

#: The states from which each state can be reached.
SOURCES = {
    to: tuple(state for state, following in STEPS.items() if to in following)
    for to in Run.State
}

_FIELDS = {field.name: field for field in Run._meta.concrete_fields}


class IllegalStep(ValueError):
    """A step that the machine does not have: a mistake of the caller."""


def advance(
    run: Run,
    to: Run.State,
    *,
    says: str,
    from_states: Iterable[Run.State] = (),
    only_if: Sql | None = None,
    now: datetime | None = None,
    **fields: Any,
) -> bool:
    """Takes a run to a state, unless it is no longer in one that leads there.

    One ``UPDATE`` that names the old states decides between several callers.

    :param from_states: fewer than all states that lead to ``to``
    :param only_if: what must also hold of the row, decided by the same ``UPDATE``
    :param fields: further columns to write with the state: what, or how to compute it
    :returns: whether this caller took the step; then ``run`` has what was written
    :raises IllegalStep: ``from_states`` holds a state that does not lead to ``to``
    """
    now = now or timezone.now()
    changes = {"state": to, "says": says[:500], **_moments(to, now), **fields}
    computed = [name for name, value in changes.items() if isinstance(value, Sql)]
    found = Sql(f"SELECT {', '.join(['id', *computed])} FROM changed")  # noqa: S608 - our own words
    with transaction.atomic(savepoint=False):
        where = _where(run.pk, to, from_states, only_if)
        rows = _written(changes, where, now, found)
        if not rows:
            return False
        news = changes | dict(zip(computed, rows[0][1:], strict=True))
        for name, value in news.items():
            setattr(run, name, value)
        if to in Run.FINISHED:
            settle(run, now)
    return True


def advanced(
    pk: UUID,
    to: Run.State,
    *,
    says: str,
    read: Prepared[Run],
    only_if: Sql | None = None,
    now: datetime,
    **fields: Any,
) -> Run | None:
    """As ``advance``, for a run that nobody has read yet.

    :param to: not an end
    :param read: by its id; with the relations that the caller needs
    :returns: the run, if this caller took the step
    """
    changes = {"state": to, "says": says[:500], **_moments(to, now), **fields}
    found = read.over("changed", pk)
    where = _where(pk, to, (), only_if)
    rows = _written(changes, where, now, Sql(found.sql, found.given))
    return next(iter(found.made(rows)), None)


def _where(
    pk: UUID, to: Run.State, from_states: Iterable[Run.State], only_if: Sql | None
) -> Sql:
    sources = tuple(from_states) or SOURCES[to]
    if not set(sources) <= set(SOURCES[to]):
        raise IllegalStep(f"No step leads from {sorted(sources)} to {to}.")
    where = Sql("id = %s AND state = ANY(%s)", [pk, [*map(str, sources)]])
    if only_if is None:
        return where
    return Sql(f"{where.words} AND {only_if.words}", [*where.given, *only_if.given])


def _written(
    changes: dict[str, Any], where: Sql, now: datetime, found: Sql
) -> list[tuple[Any, ...]]:
    """Changes the row and adds its step, in one statement: each costs a run a round
    trip, and some runs have to start in a few milliseconds.

    :param found: what to read of the row, as ``changed``
    :returns: that; nothing if the row was not there
    """
    columns = [_column(name, value) for name, value in changes.items()]
    given = [each for column in columns for each in column.given]
    with planned_once() as cursor:
        cursor.execute(
            "WITH changed AS (UPDATE transfers_run "  # noqa: S608 - our own words
            f"SET {', '.join(column.words for column in columns)} "
            f"WHERE {where.words} RETURNING transfers_run.*), "
            "step AS (INSERT INTO transfers_runstep (run_id, at, state, says) "
            f"SELECT id, %s, state, says FROM changed) {found.words}",
            [*given, *where.given, now, *found.given],
        )
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


def _column(name: str, to: Any) -> Sql:
    field = _FIELDS[name]
    if isinstance(to, Sql):
        return Sql(f"{field.column} = {to.words}", to.given)
    return Sql(f"{field.column} = %s", [field.get_db_prep_save(to, connection)])


def _moments(to: Run.State, now: datetime) -> dict[str, Any]:
    if to == Run.State.PREPARING:
        return {
            "started_at": Sql("coalesce(started_at, %s)", [now]),
            "claimed_at": now,
            "heartbeat_at": now,
            "next_try_at": None,
        }
    if to == Run.State.WAITING:
        return {
            "claimed_at": None,
            "heartbeat_at": None,
            "waits_for": Run.WaitsFor.WORKER,
        }
    if to == Run.State.STALLED:
        return {"stalled_at": Sql("coalesce(stalled_at, %s)", [now])}
    if to == Run.State.MOVING:
        return {"stalled_at": None}
    if to in Run.FINISHED:
        return {"finished_at": now, "next_try_at": None}
    return {}
