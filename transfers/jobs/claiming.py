"""How a worker gets the run whose turn it is.

Choosing and locking is one statement, counting again under the lock and claiming is
the next, so that whoever counts the same things waits for as short as can be.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.service_accounts import active_secret_id
from portal.planned import Sql, planned_once
from portal.prepared import Prepared
from transfers.jobs.blackouts import end_of_blackout
from transfers.jobs.ledger import hold_back
from transfers.jobs.line import COUNTS, FREE, WAITING
from transfers.jobs.models import Run
from transfers.jobs.schedules import BadSchedule, rhythm_of
from transfers.jobs.states import advance

logger = logging.getLogger(__name__)

#: runs that are looked at before a worker goes away without one
MOST_TRIES = 8

#: Until the transaction ends, nobody else counts what the run counts for. Only what is
#: limited is locked, in one order for everybody.
_FIRST = f"""{COUNTS}, first AS MATERIALIZED (
    SELECT run.* {WAITING} AND {{which}} AND {FREE}
    ORDER BY run.rank LIMIT 1 FOR UPDATE OF run SKIP LOCKED
), counted AS (
    SELECT service_account_id AS id FROM first
    UNION
    SELECT job.id FROM first JOIN transfers_job job ON job.id = first.job_id
    WHERE job.overlap_policy <> 'allow'
    UNION
    SELECT collection FROM first JOIN transfers_limit ON collection IN (
        first.source_collection, first.destination_collection)
    UNION
    SELECT '00000000-0000-0000-0000-000000000000' FROM first JOIN transfers_limit ON (
        transfers_limit.service_account_id IS NULL AND collection IS NULL)
), key AS (
    SELECT hashtextextended(id::text, 0) AS key FROM counted ORDER BY 1 OFFSET 0
)
SELECT first.id, schedule.blackouts <> '[]', (
    SELECT count(pg_advisory_xact_lock(key)) FROM key
) FROM first LEFT JOIN transfers_schedule schedule ON schedule.id = first.schedule_id
"""  # noqa: S608 - our own words
_STILL_FREE = f"EXISTS ({COUNTS} SELECT 1 {WAITING} AND run.id = %s AND {FREE})"
_DEADLINE = (
    "coalesce(deadline_at, %s + make_interval(mins => (SELECT nullif("
    "deadline_minutes, 0) FROM transfers_job WHERE id = job_id)))"
)


class _First(NamedTuple):
    pk: UUID
    has_blackouts: bool | None
    locks: int


def take(run_id: UUID | None = None, *, now: datetime | None = None) -> Run | None:
    """Claims the run whose turn it is, or the one named, if it may start."""
    now = now or timezone.now()
    for _ in range(MOST_TRIES):
        with transaction.atomic():
            first = _first(now, run_id)
            if first is None:
                return None
            if first.has_blackouts and run_id is None and _is_held_back(first.pk, now):
                continue
            if _claim(first.pk, now):
                run = _with_all(first.pk)
                if run.attempts == 1:
                    _note_use_of_tokens(run)
                return run
    return None


def _first(now: datetime, run_id: UUID | None) -> _First | None:
    which, given = (
        ("run.ready_at <= %s", now) if run_id is None else ("run.id = %s", run_id)
    )
    with planned_once() as cursor:
        cursor.execute(_FIRST.format(which=which), [given])
        found = cursor.fetchone()
    return _First(*found) if found else None


def _claim(pk: UUID, now: datetime) -> bool:
    return advance(
        Run(pk=pk),
        Run.State.PREPARING,
        from_states=[Run.State.WAITING],
        only_if=Sql(_STILL_FREE, [pk]),
        says="A worker has taken it.",
        now=now,
        attempts=Sql("attempts + 1"),
        deadline_at=Sql(_DEADLINE, [now]),
        last_error="",
        error_code="",
        error_detail="",
    )


def _with_all(pk: UUID) -> Run:
    """With the rows that every run needs; what only some have is read by those."""
    run = _RUN.first(pk)
    assert run is not None  # it has just been claimed, in this transaction
    return run


_RUN = Prepared[Run](
    lambda pk: Run.objects.select_related(
        "job__owner", "service_account", "schedule"
    ).filter(pk=pk),
    UUID,
)


def _is_held_back(pk: UUID, now: datetime) -> bool:
    """A run that waited may come into the next blackout of its schedule."""
    run = Run.objects.select_related("schedule").get(pk=pk)
    assert run.schedule is not None
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
