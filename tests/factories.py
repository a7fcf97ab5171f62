"""Rows with good defaults; what a test is about stands in the test."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.models import (
    Principal,
    ServiceAccount,
    ServiceAccountRole,
    Token,
    User,
    owner_fields,
)
from accounts.service_accounts import replace_secret
from portal.globus import scopes
from sandbox import seed
from transfers.jobs import planning
from transfers.jobs.models import Job, Run, Schedule
from transfers.models import Transfer
from transfers.submission import Item, document_for, row_for


def make_user(**fields: Any) -> User:
    identity_id = fields.pop("identity_id", uuid.uuid4())
    return User.objects.create(
        identity_id=identity_id,
        username=str(identity_id),
        **{"name": "Emmy Noether", "preferred_username": "emmy@uni.example"} | fields,
    )


def make_service_account(
    *,
    secret: str = seed.HARVEST_CLIENT_SECRET,
    for_all_staff: bool = False,
    **fields: Any,
) -> ServiceAccount:
    account = ServiceAccount.objects.create(
        **{
            "name": f"archive robot {uuid.uuid4().hex[:6]}",
            "client_id": seed.HARVEST_CLIENT_ID,
            "owner": fields.pop("owner", None) or make_user(),
        }
        | fields
    )
    replace_secret(account, secret, by=None)
    if for_all_staff:
        ServiceAccountRole.objects.create(
            service_account=account, all_staff=True, can_use=True
        )
    return account


def make_token(
    principal: Principal, *, lasts: timedelta = timedelta(hours=1), **fields: Any
) -> Token:
    token = Token(
        **owner_fields(principal),
        resource_server=fields.pop("resource_server", scopes.TRANSFER),
    )
    token.put(
        access_token=fields.pop("access_token", "AgAccess"),
        refresh_token=fields.pop("refresh_token", "AgRefresh"),
        scope="urn:globus:auth:scope:transfer.api.globus.org:all",
        expires_in=lasts,
    )
    for name, value in fields.items():
        setattr(token, name, value)
    token.save()
    return token


def make_transfer(
    principal: Principal | None = None, *, status: str = "NEW", **fields: Any
) -> Transfer:
    """A transfer of the tutorial's files; one that Globus has gets its ids."""
    document = fields.pop("document", None) or document_for(
        source_collection=UUID(seed.TUTORIAL_1),
        destination_collection=UUID(seed.TUTORIAL_2),
        items=[Item("/share/godata/", "/~/godata/")],
        label="Numbers",
    )
    transfer = row_for(document)
    transfer.principal = principal or make_user()
    transfer.status = status
    if status in (*Transfer.AT_GLOBUS, Transfer.Status.SUCCEEDED):
        transfer.submission_id, transfer.task_id = uuid.uuid4(), uuid.uuid4()
        transfer.sent_at = transfer.moved_at = timezone.now()
    for name, value in fields.items():
        setattr(transfer, name, value)
    transfer.save()
    return transfer


def make_job(service_account: ServiceAccount | None = None, **fields: Any) -> Job:
    """Lists the harvest's sensors, or transfers them to the archive."""
    account = service_account or make_service_account(for_all_staff=True)
    defaults: dict[str, Any] = {
        "name": f"job {uuid.uuid4().hex[:6]}",
        "kind": Job.Kind.LIST,
        "service_account": account,
        "owner": account.owner,
        "source_collection": seed.HARVEST,
        "source_path": "/sensors/",
    }
    if fields.get("kind") in Job.MOVING:
        defaults["destination_collection"] = seed.ARCHIVE
        defaults["destination_path"] = f"/incoming/{uuid.uuid4().hex[:6]}/"
    job = Job.objects.create(**defaults | fields)
    job.refresh_from_db()
    return job


def make_run(job: Job | None = None, *, state: str = "waiting", **fields: Any) -> Run:
    job = job or make_job()
    if state not in (Run.State.WAITING, Run.State.SKIPPED, Run.State.CANCELLED):
        now = timezone.now()
        fields = {"started_at": now, "claimed_at": now, "heartbeat_at": now} | fields
    return Run.objects.create(
        job=job,
        service_account=job.service_account,
        inputs=fields.pop("inputs", None) or job.inputs(),
        source_collection=job.source_collection,
        destination_collection=job.destination_collection,
        state=state,
        **fields,
    )


def make_schedule(job: Job | None = None, **fields: Any) -> Schedule:
    """Every hour, on the hour, from the given moment (``now``) on."""
    now = fields.pop("now", None) or timezone.now()
    schedule = Schedule(job=job or make_job(), **{"cron": "0 * * * *"} | fields)
    planning.save(schedule, now=now)
    return schedule
