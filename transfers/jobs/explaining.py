"""Says of each waiting run why it waits, fresh within a sweep."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection

from transfers.jobs.holds import Holds
from transfers.jobs.line import BLOCKED, COUNTS, MOST_TASKS, WAITING
from transfers.jobs.making import WAITS
from transfers.jobs.models import Run

#: waiting runs that are explained at a time
EXPLAINED = 5000


def explain(now: datetime) -> int:
    """Brings the sentences of waiting runs up to date.

    :returns: how many changed
    """
    cases = " ".join(f"WHEN {sql} THEN '{code}'" for code, sql in BLOCKED.items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"{COUNTS} SELECT run.id, CASE {cases} ELSE 'free' END {WAITING} "
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
