"""How a worker gets the run whose turn it is.

Choosing and locking is one statement, counting again under the lock and claiming is
the next, so that whoever counts the same things waits for as short as can be.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.service_accounts import active_secret_of
from portal.planned import Sql, planned_once
from portal.prepared import Prepared
from transfers.jobs.blackouts import end_of_blackout
from transfers.jobs.ledger import hold_back
from transfers.jobs.line import COUNTS, FREE, READY, STILL_WAITS, TURNS
from transfers.jobs.models import Run
from transfers.jobs.schedules import BadSchedule, rhythm_of
from transfers.jobs.states import advanced

logger = logging.getLogger(__name__)

#: runs that are looked at before a worker goes away without one
MOST_TRIES = 8
#: One thread of a process claims at a time: more would wait for each other at the
#: database, with a connection each. Should one take longer than this, the next goes
#: ahead.
TURN_SECONDS = 1.0
_turn = threading.Lock()

#: Whose turn it is, of those service accounts for which nobody else counts just now.
#: Until the transaction ends, nobody else counts what the run counts for. Only what is
#: limited is locked: the account first, and the others in one order for everybody.
_FIRST = f"""{TURNS}, next AS MATERIALIZED (
    SELECT id FROM turn
    WHERE pg_try_advisory_xact_lock(hashtextextended(account::text, 0)) LIMIT 1
), first AS MATERIALIZED (
    SELECT run.* FROM transfers_run run
    WHERE run.id = (SELECT id FROM next) AND {STILL_WAITS}
    FOR UPDATE OF run SKIP LOCKED
), counted AS (
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
SELECT (SELECT account FROM turn ORDER BY random() LIMIT 1), (SELECT id FROM next),
    first.id, schedule.blackouts <> '[]',
    (SELECT count(pg_advisory_xact_lock(key)) FROM key)
FROM (VALUES (1)) AS always LEFT JOIN first ON true
LEFT JOIN transfers_schedule schedule ON schedule.id = first.schedule_id
"""  # noqa: S608 - our own words
_STILL_FREE = (
    f"EXISTS ({COUNTS} SELECT 1 FROM transfers_run run "  # noqa: S608 - our own words
    f"WHERE run.id = %s AND {STILL_WAITS} AND {FREE})"
)
_DEADLINE = (
    "coalesce(deadline_at, %s + make_interval(mins => (SELECT nullif("
    "deadline_minutes, 0) FROM transfers_job WHERE id = job_id)))"
)


class _First(NamedTuple):
    """What there is to take.

    :ivar account: has a run that may start; whether somebody else counts for it or not
    :ivar chosen: the run whose turn it was
    :ivar pk: the same, locked; not when somebody was quicker
    """

    account: UUID | None
    chosen: UUID | None
    pk: UUID | None
    has_blackouts: bool | None
    locks: int


def take(run_id: UUID | None = None, *, now: datetime | None = None) -> Run | None:
    """Claims the run whose turn it is, or the one named, if it may start."""
    now = now or timezone.now()
    with _one_at_a_time():
        for _ in range(MOST_TRIES):
            with transaction.atomic():
                first = _first(now, run_id)
                if first.account is None:
                    return None
                if first.pk is None:
                    continue  # somebody was quicker
                may_wait = first.has_blackouts and run_id is None
                if may_wait and _is_held_back(first.pk, now):
                    continue
                run = _claimed(first.pk, now)
                if run is not None:
                    if run.attempts == 1:
                        _note_use_of_tokens(run)
                    return run
    return None


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    is_ours = _turn.acquire(blocking=False)
    if not is_ours:
        if not connection.in_atomic_block:
            connection.close()  # to the pool; others have use for it
        is_ours = _turn.acquire(timeout=TURN_SECONDS)
    try:
        yield
    finally:
        if is_ours:
            _turn.release()


def _first(now: datetime, run_id: UUID | None) -> _First:
    found = _look(now, run_id)
    if found.account is not None and found.chosen is None:
        # Others count for each of the accounts that have a run for us.
        with planned_once() as cursor:
            cursor.execute(_WAIT_FOR, [str(found.account)])
        found = _look(now, run_id)
    return found


_WAIT_FOR = "SELECT pg_advisory_xact_lock(hashtextextended(%s::text, 0))"


def _look(now: datetime, run_id: UUID | None) -> _First:
    which, given = (READY, now) if run_id is None else ("run.id = %s", run_id)
    with planned_once() as cursor:
        cursor.execute(_FIRST.format(which=which), [given])
        return _First(*cursor.fetchone())


def _claimed(pk: UUID, now: datetime) -> Run | None:
    return advanced(
        pk,
        Run.State.PREPARING,
        only_if=Sql(_STILL_FREE, [pk]),
        says="A worker has taken it.",
        now=now,
        read=_RUN,
        attempts=Sql("attempts + 1"),
        deadline_at=Sql(_DEADLINE, [now]),
        last_error="",
        error_code="",
        error_detail="",
    )


#: With the rows that every run needs; what only some have is read by those.
_RUN = Prepared[Run](
    lambda pk: (
        Run.objects.select_related("job__owner", "service_account", "schedule")
        .annotate(active_secret=active_secret_of("service_account"))
        .filter(pk=pk)
    ),
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
        credential_id=vars(run)["active_secret"],  # of _RUN
        run=str(run.pk),
        job=run.job.name,
    )
