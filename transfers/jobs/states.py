"""The one way in which a run changes its state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.db.models.sql import UpdateQuery
from django.utils import timezone

from transfers.jobs.aftermath import settle
from transfers.jobs.models import STEPS, Run

#: The states from which each state can be reached.
SOURCES = {
    to: tuple(state for state, following in STEPS.items() if to in following)
    for to in Run.State
}


class IllegalStep(ValueError):
    """A step that the machine does not have: a mistake of the caller."""


def advance(
    run: Run,
    to: Run.State,
    *,
    says: str,
    from_states: Iterable[Run.State] = (),
    only_if: Q | None = None,
    now: datetime | None = None,
    **fields: Any,
) -> bool:
    """Takes a run to a state, unless it is no longer in one that leads there.

    One ``UPDATE`` that names the old states decides between several callers.

    :param from_states: fewer than all states that lead to ``to``
    :param only_if: what must also hold of the row, decided by the same ``UPDATE``
    :param fields: further columns to write with the state
    :returns: whether this caller took the step; then ``run`` has what was written
    :raises IllegalStep: ``from_states`` holds a state that does not lead to ``to``
    """
    now = now or timezone.now()
    sources = tuple(from_states) or SOURCES[to]
    if not set(sources) <= set(SOURCES[to]):
        raise IllegalStep(f"No step leads from {sorted(sources)} to {to}.")
    says = says[:500]
    changes = {"state": to, "says": says, **_moments(to, now), **fields}
    rows = Run.objects.filter(only_if or Q(), pk=run.pk, state__in=sources)
    with transaction.atomic(savepoint=False):
        computed = _written(rows, changes, now)
        if computed is None:
            return False
        for name, value in (changes | computed).items():
            setattr(run, name, value)
        if to in Run.FINISHED:
            settle(run, now)
    return True


def _written(
    rows: QuerySet[Run], changes: dict[str, Any], now: datetime
) -> dict[str, Any] | None:
    """Changes the row and adds its step, in one statement: each costs a run a round
    trip, and some runs have to start in a few milliseconds.

    :returns: what the database has computed; nothing if the row was not there
    """
    query: Any = rows.order_by().query.chain(UpdateQuery)
    query.add_update_values(changes)
    update, given = query.get_compiler(connection=connection).as_sql()
    computed = [name for name, to in changes.items() if isinstance(to, Combinable)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH changed AS ({update} RETURNING transfers_run.*), step AS ("  # noqa: S608 - the ORM's own words
            "INSERT INTO transfers_runstep (run_id, at, state, says) "
            "SELECT id, %s, state, says FROM changed) "
            f"SELECT {', '.join(['id', *computed])} FROM changed",
            [*given, now],
        )
        found = cursor.fetchone()
    return dict(zip(computed, found[1:], strict=True)) if found else None


def _moments(to: Run.State, now: datetime) -> dict[str, Any]:
    if to == Run.State.PREPARING:
        return {
            "started_at": Coalesce("started_at", now),
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
        return {"stalled_at": Coalesce("stalled_at", now)}
    if to == Run.State.MOVING:
        return {"stalled_at": None}
    if to in Run.FINISHED:
        return {"finished_at": now, "next_try_at": None}
    return {}
