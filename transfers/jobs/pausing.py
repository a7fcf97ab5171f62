"""Holds one or many jobs back, and lets them go on; each time with who and why."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from transfers.jobs.models import Hold, Job


def pause(jobs: Iterable[Job], *, by: User | None, reason: str) -> list[Job]:
    """Pauses those that are not paused yet, and returns them."""
    found = []
    with transaction.atomic():
        for job in jobs:
            _, is_new = Hold.objects.get_or_create(
                job=job,
                mode=Hold.Mode.PAUSE,
                ended_at=None,
                defaults={"by": by, "reason": reason[:500]},
            )
            if is_new:
                found.append(job)
                _note("pause", job, by, reason)
    return found


def resume(jobs: Iterable[Job], *, by: User | None, reason: str = "") -> list[Job]:
    """Ends the pauses of these jobs, and returns those that had one."""
    found = []
    now = timezone.now()
    with transaction.atomic():
        for job in jobs:
            holds = Hold.objects.in_force().filter(job=job)
            if holds.update(ended_at=now, ended_by=by):
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
        reason=reason[:500],
    )
