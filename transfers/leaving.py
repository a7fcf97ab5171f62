"""What becomes of the work of somebody who takes back the portal's access, or goes.

``settings.WORK_OF_PEOPLE`` names this module to ``accounts``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.template.defaultfilters import pluralize

from accounts.models import User
from transfers.jobs.desk import JobVersion
from transfers.jobs.models import Hold, Job, Run, Schedule
from transfers.models import AskedTimer, Transfer, TransferTemplate, Trial


def consequences(user: User) -> list[str]:
    mine = Transfer.objects.owned_by(user)
    at_globus = mine.filter(status__in=Transfer.AT_GLOBUS).count()
    unsent = mine.filter(
        status__in=(Transfer.Status.NEW, Transfer.Status.WAITING)
    ).count()
    found = []
    if at_globus:
        found.append(
            f"{at_globus} transfer{pluralize(at_globus)} of yours "
            f"{pluralize(at_globus, 'is,are')} under way. Globus goes on with "
            f"{pluralize(at_globus, 'it,them')}, and the Globus web app shows "
            f"{pluralize(at_globus, 'it,them')}; the portal cannot follow any more."
        )
    if unsent:
        found.append(
            f"{unsent} transfer{pluralize(unsent)} of yours "
            f"{pluralize(unsent, 'has,have')} not been sent yet and will not be."
        )
    if AskedTimer.objects.filter(user=user, timer_id__isnull=False).exists():
        found.append(
            "Timers that you made here are Globus’s and go on there until you end "
            "them; the Globus web app shows them."
        )
    return found


def obstacles(user: User) -> list[str]:
    jobs = Job.objects.filter(owner=user).order_by("name")
    return [f"You own the job “{job.name}”." for job in jobs]


def collection_names(user: User, ids: Collection[UUID]) -> dict[UUID, str]:
    mine = Transfer.objects.owned_by(user).order_by("created_at")
    found: dict[UUID, str] = {}
    for end in ("source", "destination"):
        named = mine.filter(**{f"{end}_id__in": ids}).exclude(**{f"{end}_name": ""})
        found |= dict(named.values_list(f"{end}_id", f"{end}_name"))
    return found


def known_about(user: User) -> dict[str, Any]:
    transfers = Transfer.objects.owned_by(user).defer("task_document")
    runs = Run.objects.filter(triggered_by=user).select_related("job")
    return {
        "transfers": [_transfer(each) for each in transfers.iterator()],
        "jobs": sorted(Job.objects.filter(owner=user).values_list("name", flat=True)),
        "timers_asked_for": [_timer(each) for each in _timers(user)],
        "runs_started": [_run(each) for each in runs.defer("result", "inputs")],
        "job_changes": [_version(each) for each in _versions(user)],
        "holds": [_hold(each) for each in _holds(user)],
        "trials_asked_for": [_trial(each) for each in _trials(user)],
        "transfer_templates": [
            {"name": each.name, "fields": each.fields}
            for each in TransferTemplate.objects.filter(user=user)
        ],
        "schedules_paused": list(
            Schedule.objects.filter(paused_by=user).values_list("job__name", flat=True)
        ),
    }


def _trials(user: User) -> Any:
    return Trial.objects.filter(asked_by=user).select_related("job").defer("result")


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "job": trial.job.name if trial.job else None,
        "kind": trial.kind,
        "says": trial.says,
        "asked_for_at": _moment(trial.created_at),
    }


def _versions(user: User) -> Any:
    rows = JobVersion.objects.filter(made_by=user).select_related("job")
    return rows.defer("content").order_by("made_at")


def _version(version: JobVersion) -> dict[str, Any]:
    return {
        "job": version.job.name,
        "version": version.number,
        "changes": version.changes,
        "made_at": _moment(version.made_at),
    }


def _holds(user: User) -> Any:
    return Hold.objects.filter(Q(by=user) | Q(ended_by=user)).order_by("began_at")


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "mode": hold.mode,
        "reason": hold.reason,
        "began_at": _moment(hold.began_at),
        "ended_at": _moment(hold.ended_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "kind": transfer.kind,
        "label": transfer.label,
        "status": transfer.status,
        "document": transfer.document,
        "task_id": str(transfer.task_id) if transfer.task_id else None,
        "asked_for_at": transfer.created_at.isoformat(timespec="seconds"),
        "files": transfer.files_transferred,
        "bytes": transfer.bytes_transferred,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "job": run.job.name,
        "reason": run.reason,
        "state": run.state,
        "asked_for_at": run.created_at.isoformat(timespec="seconds"),
    }


def _timers(user: User) -> Any:
    return AskedTimer.objects.filter(user=user).order_by("created_at")


def _timer(timer: AskedTimer) -> dict[str, Any]:
    return {
        "timer_id": str(timer.timer_id) if timer.timer_id else None,
        "asked_for_at": timer.created_at.isoformat(timespec="seconds"),
    }


def forget(user: User) -> None:
    Transfer.objects.owned_by(user).delete()
    TransferTemplate.objects.filter(user=user).delete()
    Trial.objects.filter(user=user).delete()
