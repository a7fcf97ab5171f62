"""What follows from the end of a run, in the transaction that ends it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from portal.planned import planned_once
from transfers.jobs.models import Job, Run
from transfers.jobs.policies import Policies

#: the code of a run that took several workers with it
POISON = "PoisonRun"
LONGEST_MINUTES = 1440


def settle(run: Run, now: datetime) -> None:
    """Called once for each run, by whoever ended it (``transfers.jobs.states``)."""
    from transfers.jobs import line

    if run.succeeded:
        _move_watermark(run)
    elif run.state == Run.State.FAILED:
        _retry(run, now)
    if run.started_at is not None:
        line.wake()


def _move_watermark(run: Run) -> None:
    """To the start of the run: what changed while it ran is news for the next one."""
    with planned_once() as cursor:
        cursor.execute(
            "UPDATE transfers_job SET watermark = %s "
            "WHERE id = %s AND (watermark IS NULL OR watermark < %s)",
            [run.started_at, run.job_id, run.started_at],
        )


def _retry(run: Run, now: datetime) -> None:
    from transfers.jobs.making import new_run
    from transfers.jobs.storing import store

    job = Job.objects.select_related("owner", "service_account").get(pk=run.job_id)
    cause = run.cause or Policies.Cause.OTHER
    if (
        run.error_code == POISON
        or run.retry_number >= job.retry_attempts
        or not job.retries(cause)
        or not job.enabled
    ):
        return
    ready_at = now + pause_before(job, run.retry_number + 1)
    store(
        [
            new_run(
                job,
                now=now,
                trigger=Run.Trigger.RETRY,
                parent=run,
                lineage=Run.Lineage.SAME,
                inputs=run.inputs,
                triggered_by_id=run.triggered_by_id,
                schedule_id=run.schedule_id,
                retry_number=run.retry_number + 1,
                ready_at=ready_at,
                waits_for=Run.WaitsFor.RETRY,
                says=(
                    f"Try {run.retry_number + 1} of {job.retry_attempts} after a "
                    f"failure, at {ready_at:%Y-%m-%d %H:%M} UTC."
                ),
            )
        ],
        now,
    )


def pause_before(job: Job, number: int) -> timedelta:
    """Doubles with each try; up to a tenth is taken off, to spread them."""
    minutes = min(job.retry_pause_minutes * 2 ** min(number - 1, 20), LONGEST_MINUTES)
    return timedelta(minutes=minutes * random.uniform(0.9, 1))  # noqa: S311 - only spreads load
