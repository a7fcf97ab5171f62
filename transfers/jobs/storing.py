"""Stores new runs: each with its place in the line, its first step and a message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from portal.planned import planned_once
from portal.prepared import insert
from transfers import queue
from transfers.jobs.models import Run
from transfers.jobs.sharing import places

#: messages for one batch. A message is not about one run: it makes a worker take the
#: next, and when that is done, send for another. So these keep as many threads busy,
#: which is more than a few processes have work for, and the queue stays short for what
#: else is in it, the tick among others. Each costs the scheduler a millisecond or two.
MOST_MESSAGES = 64

_S = Run.State


@transaction.atomic(savepoint=False)
def store(runs: list[Run], now: datetime) -> list[Run]:
    """Stores new runs, with their places in the line, and queues those that may start.

    A due time that has its row already is left out.

    :returns: what was stored
    """
    _take_places([run for run in runs if run.state == _S.WAITING])
    stored = _inserted(runs)
    _add_steps([run.pk for run in stored], now)
    queue.execute_runs(
        [
            run.pk
            for run in stored
            if run.state == _S.WAITING and run.waits_for == Run.WaitsFor.WORKER
        ][:MOST_MESSAGES]
    )
    return stored


def _inserted(runs: list[Run]) -> list[Run]:
    if not any(run.scheduled_for for run in runs):
        for run in runs:  # one, mostly, and nothing that it could collide with
            insert(run)
        return runs
    Run.objects.bulk_create(runs, ignore_conflicts=True)
    rows = Run.objects.filter(pk__in=[run.pk for run in runs]).order_by()
    known = {*rows.values_list("pk", flat=True)}
    return [run for run in runs if run.pk in known]


def _add_steps(run_ids: list[UUID], now: datetime) -> None:
    with planned_once() as cursor:
        cursor.execute(
            "INSERT INTO transfers_runstep (run_id, at, state, says) "
            "SELECT id, %s, state, says FROM transfers_run WHERE id = ANY(%s)",
            [now, run_ids],
        )


def _take_places(runs: Iterable[Run]) -> None:
    by_owner: dict[UUID, list[Run]] = {}
    for run in runs:
        by_owner.setdefault(run.job.owner_id, []).append(run)
    firsts = places({owner: len(found) for owner, found in by_owner.items()})
    for owner, found in by_owner.items():
        for rank, run in enumerate(found, start=firsts[owner]):
            run.rank = rank
