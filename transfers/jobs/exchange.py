"""A job as a document: for its versions, for a download, and to be imported elsewhere.

``document`` holds no secret and nothing of one installation but ids and names; what
``incoming.read`` takes in becomes the same document again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model

from transfers.jobs.models import Job, JobRole, Schedule

FORMAT = 1

#: columns that a document holds as they are
PLAIN = (
    "name",
    "kind",
    "source_path",
    "destination_path",
    "recursive",
    "depth",
    "filters",
    "label",
    "options",
    "items",
    "delete_extra",
    "enabled",
)
POLICIES = (
    "missed_policy",
    "missed_most",
    "missed_grace_minutes",
    "overlap_policy",
    "retry_attempts",
    "retry_pause_minutes",
    "retry_causes",
    "stall_policy",
    "stall_minutes",
    "deadline_minutes",
    "long_minutes",
)
TOLD = ("tell_events", "tell_owner", "tell_groups")
SCHEDULE = (
    "kind",
    "cron",
    "interval_minutes",
    "rule",
    "zone",
    "start_at",
    "end_at",
    "excluded_dates",
    "blackouts",
)


@dataclass
class Parts:
    """A job and what hangs on it, none of it saved."""

    job: Job
    roles: list[JobRole] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)


def document(
    job: Job, *, schedules: Iterable[Schedule], roles: Iterable[JobRole]
) -> dict[str, Any]:
    account = job.service_account
    return {
        "causeway_job": FORMAT,
        **_columns(job, PLAIN),
        "service_account": {
            "name": account.name,
            "client_id": str(account.client_id),
        },
        "source_collection": _collection(job.source_collection, job.source_name),
        "destination_collection": _collection(
            job.destination_collection, job.destination_name
        ),
        "policies": _columns(job, POLICIES),
        "told": _columns(job, TOLD),
        "groups": [
            {"name": role.group.name, "run": role.can_run, "edit": role.can_edit}
            for role in roles
        ],
        "schedules": [_columns(each, SCHEDULE) for each in schedules],
    }


def stored_document(job: Job) -> dict[str, Any]:
    """Of a job as it is in the database."""
    return document(
        job,
        schedules=job.schedules.order_by("created_at"),
        roles=job.roles.select_related("group").order_by("group__name"),
    )


def _columns(row: Model, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _collection(collection_id: UUID | str | None, name: str) -> dict[str, str] | None:
    if not collection_id:
        return None
    return {"id": str(collection_id), "name": name}
