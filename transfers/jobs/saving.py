"""Stores a job with all that hangs on it, as one change with a version and an audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from accounts import audit
from accounts.models import User
from portal.globus.errors import PortalError
from transfers.jobs import planning, versions
from transfers.jobs.exchange import PLAIN, POLICIES, SCHEDULE, TOLD, Parts
from transfers.jobs.models import Job, JobRole, Run, Schedule


class HasRuns(PortalError):
    title = "This job has run"
    advice = (
        "A job that has run is archived instead of deleted, so that its runs still "
        "say what they did."
    )
    status = 409


class ChangedMeanwhile(PortalError):
    title = "This job has changed meanwhile"
    advice = "Somebody else has saved it. Look at what it is now, and save again."
    status = 409


class InArchive(PortalError):
    title = "This job is in the archive"
    advice = "It never runs there and cannot be changed. Bring it back first."
    status = 409


#: What a form or a document may change; a worker writes the watermark meanwhile.
_COLUMNS = [
    *PLAIN,
    *POLICIES,
    *TOLD,
    "service_account",
    "owner",
    "source_collection",
    "source_name",
    "destination_collection",
    "destination_name",
]


def store(parts: Parts, *, by: User | None, seen: str | None = None) -> Job:
    """Saves a job, its groups and its schedules as they are in ``parts``.

    Schedules that are not in there any more go; their runs stay.

    :param seen: the id of the version that was changed (empty: it had none); whatever
        the job is now, if left out
    :raises ChangedMeanwhile: it has another version
    :raises InArchive: it was put away
    :raises Job.DoesNotExist: it was deleted
    :raises BadSchedule: a schedule cannot be. In all these cases nothing was stored
    """
    job = parts.job
    with transaction.atomic():
        is_new = job._state.adding
        if is_new:
            job.save()
        else:
            _may_change(job, [each.pk for each in parts.schedules], seen)
            job.save(update_fields=_COLUMNS)
        _store_roles(job, parts.roles)
        kept = []
        for schedule in parts.schedules:
            schedule.job = job
            if is_other(schedule):
                planning.save(schedule)
            kept.append(schedule.pk)
        job.schedules.exclude(pk__in=kept).delete()
        _finish(job, by, "create" if is_new else "change")
    return job


def _may_change(job: Job, kept: list[UUID], seen: str | None) -> None:
    """Whoever saves at the same moment comes after us, and is told."""
    row = _locked(job, kept)
    if row is None:
        raise Job.DoesNotExist
    if seen is not None and seen != str(row.version_id or ""):
        raise ChangedMeanwhile
    if row.archived_at is not None:
        raise InArchive


def _locked(job: Job, kept: Iterable[UUID] = ()) -> Job | None:
    """The job as it is stored, held until the change is; nothing if it is not there.

    Before it the runs of schedules that go, and the schedules: whoever ends a run or
    fires a schedule holds that when the job is asked for. In another order each would
    wait for the other.

    :param kept: the schedules that stay
    """
    schedules = Schedule.objects.filter(job=job)
    of_those_that_go = schedules.exclude(pk__in=kept).values("pk")
    runs = Run.objects.unfinished().filter(job=job, schedule__in=of_those_that_go)
    for rows in (runs, schedules):
        held = rows.order_by("pk").select_for_update(no_key=True, of=("self",))
        list(held.values_list("pk", flat=True))
    return Job.objects.select_for_update(of=("self",)).filter(pk=job.pk).first()


def is_other(schedule: Schedule) -> bool:
    """An old schedule that is over does not hinder other changes of its job."""
    before = Schedule.objects.filter(pk=schedule.pk).first()
    return before is None or any(
        getattr(before, name) != getattr(schedule, name) for name in SCHEDULE
    )


def _store_roles(job: Job, roles: list[JobRole]) -> None:
    job.roles.all().delete()
    for role in roles:
        role.pk, role.job = None, job
    JobRole.objects.bulk_create(roles)


def archive(job: Job, *, by: User | None) -> None:
    """Out of the lists, and never due again; its runs stay.

    :raises Job.DoesNotExist: it was deleted
    """
    _put(job, by, "archive", archived_at=timezone.now(), enabled=False)


def bring_back(job: Job, *, by: User | None) -> None:
    """Back from the archive, switched off until somebody switches it on.

    :raises Job.DoesNotExist: it was deleted
    """
    _put(job, by, "bring-back", archived_at=None)


def _put(job: Job, by: User | None, verb: str, **columns: Any) -> None:
    with transaction.atomic():
        # Its version says what it is now, and not what it was when it was read.
        job.refresh_from_db(from_queryset=Job.objects.select_for_update(of=("self",)))
        for name, value in columns.items():
            setattr(job, name, value)
        job.save(update_fields=[*columns])
        _finish(job, by, verb)


def delete(job: Job, *, by: User | None) -> None:
    """Also if somebody else does so at the same moment.

    :raises HasRuns: it has, so it can only be archived
    """
    with transaction.atomic():
        # A run that is being stored holds this row; what it stores is seen then.
        if _locked(job) is None:
            return
        name, account, webhook = job.name, job.service_account, job.webhook
        pk = str(job.pk)
        try:
            job.delete()
        except ProtectedError as err:
            raise HasRuns from err
        if webhook is not None:
            webhook.delete()
        audit.record("job:row:delete", actor=by, owner=account, job=pk, name=name)


def _finish(job: Job, by: User | None, verb: str) -> None:
    version = versions.record(job, by=by)
    audit.record(
        f"job:row:{verb}",
        actor=by,
        owner=job.service_account,
        job=str(job.pk),
        name=job.name,
        version=version.number if version else None,
    )
