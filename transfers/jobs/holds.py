"""Pause and drain: who holds back what, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import ServiceAccount, User
from portal.prepared import Prepared
from transfers.jobs.models import Hold, Job
from transfers.storable import storable_text

_Key = tuple[str, UUID | None]


@dataclass(frozen=True)
class Holds:
    """All holds in force, read once. There are few."""

    pauses: dict[_Key, Hold] = field(default_factory=dict)
    drains: dict[_Key, Hold] = field(default_factory=dict)

    @classmethod
    def in_force(cls) -> Holds:
        found = cls()
        for hold in _IN_FORCE.rows():
            kept = found.pauses if hold.mode == Hold.Mode.PAUSE else found.drains
            kept[_key(hold)] = hold
        return found

    def pausing(self, job: Job) -> str:
        """Why runs of this job wait; empty if nothing holds them."""
        return _says(self.pauses, job)

    def draining(self, job: Job) -> str:
        """Why due times of this job make no run that waits."""
        return _says(self.drains, job)

    def holding(self, job: Job) -> str:
        """Who holds this job back, in any way; empty if nobody does."""
        return self.pausing(job) or self.draining(job)


_IN_FORCE = Prepared[Hold](
    lambda: Hold.objects.in_force().select_related("by", "service_account")
)


def _key(hold: Hold) -> _Key:
    if hold.job_id:
        return "job", hold.job_id
    if hold.service_account_id:
        return "account", hold.service_account_id
    return "everything", None


def _says(holds: dict[_Key, Hold], job: Job) -> str:
    keys: tuple[_Key, ...] = (
        ("everything", None),
        ("account", job.service_account_id),
        ("job", job.pk),
    )
    return next((holds[key].says for key in keys if key in holds), "")


def hold(
    what: Job | ServiceAccount | None,
    *,
    mode: Hold.Mode,
    by: User | None,
    reason: str,
) -> tuple[Hold, bool]:
    """Pauses or drains a job, a service account, or (nothing) everything.

    Again is harmless: the hold that is in force stays as it is.

    :returns: the hold that is in force, and whether it is new
    """
    with transaction.atomic():
        return Hold.objects.in_force().get_or_create(
            **_names(what),
            mode=mode,
            ended_at=None,
            defaults={"by": by, "reason": storable_text(reason, longest=500)},
        )


def release(what: Job | ServiceAccount | None, *, by: User | None) -> int:
    """Ends what holds this; the sweep finds what waited.

    :returns: how many holds were ended
    """
    from transfers.jobs import line

    with transaction.atomic():
        ended = (
            Hold.objects.in_force()
            .filter(**_names(what))
            .update(ended_at=timezone.now(), ended_by=by)
        )
        if ended:
            line.wake()
    return ended


def _names(what: Job | ServiceAccount | None) -> dict[str, Job | ServiceAccount | None]:
    return {
        "job": what if isinstance(what, Job) else None,
        "service_account": what if isinstance(what, ServiceAccount) else None,
    }
