"""Makes runs: rows that say what is to be done, not stored yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from transfers.claims import QUEUE_GRACE
from transfers.jobs.models import Job, Run

WAITS = "Waits for a worker."


def new_run(job: Job, *, now: datetime, trigger: Run.Trigger, **fields: Any) -> Run:
    """A waiting run of the job as it is now; it has no place in the line yet.

    :param fields: of ``Run``; with ``inputs`` it does not do what the job says now
    """
    due = fields.get("scheduled_for") or now
    inputs = fields.pop("inputs", None) or {
        **job.inputs(),
        "scheduled_for": due.isoformat(),
        "watermark": job.watermark.isoformat() if job.watermark else "",
    }
    ready_at = fields.pop("ready_at", None) or now
    return Run(
        job=job,
        job_version_id=_version_id(job, fields.get("parent")),
        service_account_id=job.service_account_id,
        source_collection=inputs["source_collection"],
        destination_collection=inputs["destination_collection"] or None,
        inputs=inputs,
        trigger=trigger,
        ready_at=ready_at,
        next_try_at=max(now, ready_at) + QUEUE_GRACE,
        **{"says": WAITS} | fields,
    )


def _version_id(job: Job, parent: Run | None) -> int | None:
    """What repeats a run does what the version of that run says."""
    return parent.job_version_id if parent is not None else job.version_id
