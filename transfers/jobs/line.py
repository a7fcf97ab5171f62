"""The line of waiting runs: which of them may start now, and why the others may not.

What Globus allows each identity is kept here for runs, so that Globus never puts a
task of ours into a line of its own, which knows nothing of our owners' turns.
https://docs.globus.org/faq/transfer-sharing/#limits
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.planned import planned_once
from transfers import queue

#: tasks of one identity that Globus runs at once
MOST_TASKS = 3
#: runs of one service account that workers have in hand; more would only wait for its
#: budget of requests, and hold threads that others could use
MOST_IN_HAND = 8

#: What is counted, as arrays that are computed once.
COUNTS = f"""
WITH RECURSIVE under_way AS MATERIALIZED (
    SELECT service_account_id AS account, source_collection AS source,
        destination_collection AS destination, job_id AS job, state
    FROM transfers_run
    WHERE state IN ('preparing', 'submitted', 'moving', 'stalled')
), pause AS MATERIALIZED (
    SELECT job_id AS job, service_account_id AS account FROM transfers_hold
    WHERE ended_at IS NULL AND mode = 'pause'
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

_HELD = """(run.service_account_id = ANY(ARRAY(SELECT account FROM pause))
        OR (SELECT count(*) FROM pause WHERE job IS NULL AND account IS NULL) > 0)"""
#: In the order in which they are told.
BLOCKED = {
    "hold": f"(run.job_id = ANY(ARRAY(SELECT job FROM pause)) OR {_HELD})",  # noqa: S608 - our own words
    "overlap": """(run.job_id = ANY(ARRAY(SELECT job FROM under_way)) AND (
        SELECT overlap_policy FROM transfers_job WHERE id = run.job_id) <> 'allow')""",
    "tasks": """(run.destination_collection IS NOT NULL
        AND run.service_account_id = ANY(ARRAY(SELECT account FROM full_for_tasks)))""",
    "in_hand": "run.service_account_id = ANY(ARRAY(SELECT account FROM full_in_hand))",
    "account": "run.service_account_id = ANY(ARRAY(SELECT account FROM full_accounts))",
    "collection": """coalesce(
        run.source_collection = ANY(ARRAY(SELECT place FROM full_collections))
        OR run.destination_collection = ANY(ARRAY(SELECT place FROM full_collections)),
        false)""",
    "in_all": "(SELECT count(*) FROM full_in_all) > 0",
}
FREE = " AND ".join(f"(NOT {condition})" for condition in BLOCKED.values())
WAITING = "FROM transfers_run run WHERE run.state = 'waiting'"
READY = "run.ready_at <= %s"
#: Of a run whose id is known; in other words, or PostgreSQL may look for it among all
#: that wait.
STILL_WAITS = "run.state || '' = 'waiting'"

_BY_ACCOUNT = [_HELD, *(BLOCKED[each] for each in ("in_hand", "account", "in_all"))]
_ACCOUNT_FREE = " AND ".join(f"(NOT {condition})" for condition in _BY_ACCOUNT)
#: The first run of each service account that may start, whoever is next first; begins
#: with ``COUNTS``. Of an account that has enough in hand none of its runs is looked at,
#: and of the others they are read along the index, as far as the first: however long
#: the line is, and whatever PostgreSQL believes that to be.
TURNS = f"""{COUNTS}, waits AS (
    (SELECT service_account_id AS account {WAITING} ORDER BY 1 LIMIT 1)
    UNION ALL
    SELECT (
        SELECT service_account_id {WAITING} AND service_account_id > waits.account
        ORDER BY 1 LIMIT 1
    ) FROM waits WHERE waits.account IS NOT NULL
), open AS MATERIALIZED (
    SELECT service_account_id FROM waits AS run (service_account_id)
    WHERE service_account_id IS NOT NULL AND {_ACCOUNT_FREE}
), turn AS MATERIALIZED (
    SELECT next.id, open.service_account_id AS account FROM open CROSS JOIN LATERAL (
        SELECT run.id, run.rank, run.created_at {WAITING} AND {{which}}
            AND run.service_account_id = open.service_account_id AND {FREE}
        ORDER BY run.service_account_id, run.rank LIMIT 1
    ) AS next ORDER BY next.rank, next.created_at
)
"""  # noqa: S608 - our own words


def startable(now: datetime, *, limit: int) -> list[UUID]:
    """Runs that nothing holds back and no message may be under way for; locked."""
    return _ids(
        f"{COUNTS} SELECT run.id {WAITING} AND {READY} AND run.next_try_at <= %s "
        f"AND {FREE} ORDER BY run.rank LIMIT %s FOR UPDATE OF run SKIP LOCKED",
        [now, now, limit],
    )


class _Here(threading.local):
    is_looked_after = False


_here = _Here()


@contextmanager
def looking_after() -> Iterator[None]:
    """This thread takes the next run by itself, so nobody needs to be sent for it."""
    before, _here.is_looked_after = _here.is_looked_after, True
    try:
        yield
    finally:
        _here.is_looked_after = before


def wake(*, at_once: bool = False) -> None:
    """Something ended: sends a worker for whoever is next, once that is committed.

    :param at_once: also when this thread looks after the line
    """
    if at_once or not _here.is_looked_after:
        transaction.on_commit(_send_for_next)


def _send_for_next() -> None:
    statement = TURNS.format(which=READY) + "SELECT id FROM turn LIMIT 1"  # noqa: S608 - our own words
    for pk in _ids(statement, [timezone.now()]):
        queue.execute_run(pk)


def _ids(statement: str, given: list[Any]) -> list[UUID]:
    with planned_once() as cursor:
        cursor.execute(statement, given)
        return [row[0] for row in cursor.fetchall()]
