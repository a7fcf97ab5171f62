"""The line of waiting runs: which of them may start now, and why the others may not.

What Globus allows each identity is kept here for runs, so that Globus never puts a
task of ours into a line of its own, which knows nothing of our owners' turns.
https://docs.globus.org/faq/transfer-sharing/#limits
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts import audit
from accounts.service_accounts import active_secret_id
from transfers import queue
from transfers.jobs.blackouts import end_of_blackout
from transfers.jobs.holds import Holds
from transfers.jobs.ledger import hold_back
from transfers.jobs.making import WAITS
from transfers.jobs.models import Run
from transfers.jobs.schedules import BadSchedule, rhythm_of
from transfers.jobs.states import advance

logger = logging.getLogger(__name__)

#: tasks of one identity that Globus runs at once
MOST_TASKS = 3
#: runs of one service account that workers have in hand; more would only wait for its
#: budget of requests, and hold threads that others could use
MOST_IN_HAND = 8
#: runs that are looked at before a worker goes away without one
MOST_TRIES = 8
#: waiting runs that are explained at a time
EXPLAINED = 5000

_COUNTS = f"""
WITH under_way AS MATERIALIZED (
    SELECT service_account_id AS account, source_collection AS source,
        destination_collection AS destination, job_id AS job, state
    FROM transfers_run
    WHERE state IN ('preparing', 'submitted', 'moving', 'stalled')
), full_for_tasks AS (
    SELECT account FROM under_way WHERE destination IS NOT NULL
    GROUP BY account HAVING count(*) >= {MOST_TASKS}
), full_in_hand AS (
    SELECT account FROM under_way WHERE state = 'preparing'
    GROUP BY account HAVING count(*) >= {MOST_IN_HAND}
), full_accounts AS (
    SELECT account FROM under_way
    JOIN transfers_limit ON service_account_id = account
    GROUP BY account, most_running HAVING count(*) >= most_running
), full_collections AS (
    SELECT place FROM (
        SELECT source AS place FROM under_way
        UNION ALL
        SELECT destination FROM under_way WHERE destination IS DISTINCT FROM source
    ) AS places
    JOIN transfers_limit ON collection = place
    GROUP BY place, most_running HAVING count(*) >= most_running
), full_in_all AS (
    SELECT 1 FROM transfers_limit
    WHERE service_account_id IS NULL AND collection IS NULL
        AND most_running <= (SELECT count(*) FROM under_way)
)
"""  # noqa: S608 - two numbers of ours

#: In the order in which they are told.
_BLOCKED = {
    "hold": """EXISTS (
        SELECT 1 FROM transfers_hold hold
        WHERE hold.ended_at IS NULL AND hold.mode = 'pause' AND (
            hold.job_id = run.job_id
            OR hold.service_account_id = run.service_account_id
            OR (hold.job_id IS NULL AND hold.service_account_id IS NULL)))""",
    "overlap": """(job.overlap_policy <> 'allow' AND EXISTS (
        SELECT 1 FROM under_way WHERE under_way.job = run.job_id))""",
    "tasks": """(run.destination_collection IS NOT NULL AND EXISTS (
        SELECT 1 FROM full_for_tasks WHERE account = run.service_account_id))""",
    "in_hand": """EXISTS (
        SELECT 1 FROM full_in_hand WHERE account = run.service_account_id)""",
    "account": """EXISTS (
        SELECT 1 FROM full_accounts WHERE account = run.service_account_id)""",
    "collection": """EXISTS (
        SELECT 1 FROM full_collections
        WHERE place IN (run.source_collection, run.destination_collection))""",
    "in_all": "EXISTS (SELECT 1 FROM full_in_all)",
}
_FREE = " AND ".join(f"NOT {condition}" for condition in _BLOCKED.values())
_WAITING = (
    "FROM transfers_run run JOIN transfers_job job ON job.id = run.job_id "
    "WHERE run.state = 'waiting'"
)


def take(run_id: UUID | None = None, *, now: datetime | None = None) -> Run | None:
    """Claims the run whose turn it is, or the one named, if it may start.

    Counting and claiming is one step for all workers: who counts the same things
    waits for the other's commit.
    """
    now = now or timezone.now()
    for _ in range(MOST_TRIES):
        with transaction.atomic():
            pk = _first(now, run_id)
            if pk is None:
                return None
            run = Run.objects.select_related(
                "job__owner",
                "service_account",
                "transfer",
                "schedule",
                "triggered_by",
            ).get(pk=pk)
            _one_at_a_time(run)
            if _first(now, pk) is None:
                continue
            if run_id is None and _is_blacked_out(run, now):
                continue
            if _claim(run, now):
                return run
    return None


def _first(now: datetime, run_id: UUID | None) -> UUID | None:
    which, given = "run.ready_at <= %s", now
    if run_id is not None:
        which, given = "run.id = %s", run_id  # type: ignore[assignment]
    return next(
        _ids(
            f"SELECT run.id {_WAITING} AND {which} AND {_FREE} "
            "ORDER BY run.rank LIMIT 1 FOR UPDATE OF run SKIP LOCKED",
            [given],
        ),
        None,
    )


def _ids(statement: str, given: list[Any]) -> Iterator[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS + statement, given)
        rows = cursor.fetchall()
    return (row[0] for row in rows)


def _one_at_a_time(run: Run) -> None:
    """Until the transaction ends, nobody else counts what this run counts for."""
    counted = {run.service_account_id, run.job_id}
    counted |= {
        each for each in (run.source_collection, run.destination_collection) if each
    }
    keys = [int.from_bytes(each.bytes[:8], "big", signed=True) for each in counted]
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [sorted(keys)])


#: In one order for everybody; the number of all runs only where it is limited.
_LOCK = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT 0::bigint AS key WHERE EXISTS (
        SELECT 1 FROM transfers_limit
        WHERE service_account_id IS NULL AND collection IS NULL)
    UNION ALL
    SELECT unnest(%s::bigint[])
) AS keys
"""


def _is_blacked_out(run: Run, now: datetime) -> bool:
    """A run that waited may come into the next blackout of its schedule."""
    if run.schedule is None or not run.schedule.blackouts:
        return False
    try:
        rhythm = rhythm_of(run.schedule)
        until = end_of_blackout(rhythm.blackouts, rhythm.zone, now)
    except (BadSchedule, OverflowError):
        logger.warning("The blackouts of run %s cannot be read", run.pk)
        return False
    if until is None:
        return False
    hold_back(run, rhythm, until)
    run.save(update_fields=["ready_at", "next_try_at", "waits_for", "says"])
    return True


def _claim(run: Run, now: datetime) -> bool:
    won = advance(
        run,
        Run.State.PREPARING,
        from_states=[Run.State.WAITING],
        says="A worker has taken it.",
        now=now,
        attempts=F("attempts") + 1,
        deadline_at=run.deadline_at or deadline_for(run, now),
        last_error="",
        error_code="",
        error_detail="",
    )
    if won and run.attempts == 1:
        _note_use_of_tokens(run)
    return won


def _note_use_of_tokens(run: Run) -> None:
    """Once per run: from now on it acts with the service account's tokens."""
    account = run.service_account
    audit.record(
        "run:token:use",
        actor=run.triggered_by,
        owner=account,
        credential_id=active_secret_id(account),
        run=str(run.pk),
        job=run.job.name,
    )


def deadline_for(run: Run, now: datetime) -> datetime | None:
    minutes = run.job.deadline_minutes
    return now + timedelta(minutes=minutes) if minutes else None


def startable(now: datetime, *, limit: int) -> list[UUID]:
    """Runs that nothing holds back and no message may be under way for; locked."""
    return [
        *_ids(
            f"SELECT run.id {_WAITING} AND run.ready_at <= %s "
            f"AND run.next_try_at <= %s AND {_FREE} "
            "ORDER BY run.rank LIMIT %s FOR UPDATE OF run SKIP LOCKED",
            [now, now, limit],
        )
    ]


def wake() -> None:
    """Something ended: sends a worker for whoever is next, once that is committed."""

    def send() -> None:
        pk = next(
            _ids(
                f"SELECT run.id {_WAITING} AND run.ready_at <= %s "
                f"AND {_FREE} ORDER BY run.rank LIMIT 1",
                [timezone.now()],
            ),
            None,
        )
        if pk is not None:
            queue.execute_run(pk)

    transaction.on_commit(send)


def explain(now: datetime) -> int:
    """Brings the sentences of waiting runs up to date.

    :returns: how many changed
    """
    cases = " ".join(f"WHEN {sql} THEN '{code}'" for code, sql in _BLOCKED.items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_COUNTS} SELECT run.id, CASE {cases} ELSE 'free' END {_WAITING} "
            "AND run.ready_at <= %s ORDER BY run.rank LIMIT %s",
            [now, EXPLAINED],
        )
        codes = dict(cursor.fetchall())
    if not codes:
        return 0
    holds = Holds.in_force()
    changed: dict[tuple[Run.WaitsFor, str], list[UUID]] = {}
    runs = Run.objects.filter(pk__in=codes, state=Run.State.WAITING).select_related(
        "job", "service_account"
    )
    for run in runs.only("says", "waits_for", "job__name", "service_account__name"):
        told = _told(run, codes[run.pk], holds)
        if told != (run.waits_for, run.says):
            changed.setdefault(told, []).append(run.pk)
    for (waits_for, says), found in changed.items():
        Run.objects.filter(pk__in=found, state=Run.State.WAITING).update(
            waits_for=waits_for, says=says
        )
    return sum(map(len, changed.values()))


def _told(run: Run, code: str, holds: Holds) -> tuple[Run.WaitsFor, str]:
    if code == "free":
        was = run.says if run.waits_for == Run.WaitsFor.WORKER else WAITS
        return Run.WaitsFor.WORKER, was
    if code == "hold":
        says = holds.pausing(run.job) or WAITS
        return Run.WaitsFor.HOLD, says[:500]
    if code == "overlap":
        return Run.WaitsFor.OVERLAP, "Waits for an earlier run of the job to end."
    return Run.WaitsFor.LIMIT, _LIMITS[code].format(account=run.service_account)


_LIMITS = {
    "tasks": (
        f"Waits its turn: {{account}} has {MOST_TASKS} transfers under way, as many as "
        "Globus runs at once for one identity."
    ),
    "in_hand": "Waits its turn: the workers are busy with other runs of {account}.",
    "account": "Waits its turn: as many runs of {account} are under way as may be.",
    "collection": (
        "Waits its turn: as many runs are under way at one of its collections as may "
        "be."
    ),
    "in_all": "Waits its turn: as many runs are under way in all as may be.",
}
