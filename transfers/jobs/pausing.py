"""Holds one or many jobs back, and lets them go on; each time with who and why."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from accounts import audit
from accounts.models import User
from transfers.jobs import holds
from transfers.jobs.models import Hold, Job
from transfers.storable import storable_text


def pause(jobs: Iterable[Job], *, by: User | None, reason: str) -> list[Job]:
    """Pauses these jobs, and returns those that were not paused before.

    Again is harmless: who paused a job first, and why, stays.
    """
    found = []
    with transaction.atomic():
        for job in jobs:
            _, is_new = holds.hold(job, mode=Hold.Mode.PAUSE, by=by, reason=reason)
            if is_new:
                found.append(job)
                _note("pause", job, by, reason)
    return found


def resume(jobs: Iterable[Job], *, by: User | None, reason: str = "") -> list[Job]:
    """Ends what holds these jobs, and returns those that were held."""
    found = []
    with transaction.atomic():
        for job in jobs:
            if holds.release(job, by=by):
                found.append(job)
                _note("resume", job, by, reason)
    return found


def _note(verb: str, job: Job, by: User | None, reason: str) -> None:
    audit.record(
        f"job:hold:{verb}",
        actor=by,
        owner=job.service_account,
        job=str(job.pk),
        name=job.name,
        reason=storable_text(reason, longest=500),
    )
