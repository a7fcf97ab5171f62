"""Transfers that Globus Timers repeats in a person's own name.

Timers are kept at Globus, not here: also those made in the Globus web app are shown,
and those made here go on when the portal does not.
https://docs.globus.org/api/timers/
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from globus_sdk import TimersClient, TransferClient

from accounts import tokens
from accounts.clients import timers_client, transfer_client
from accounts.models import Token, User
from accounts.step_up import has_consents
from portal.globus import requirements, scopes
from portal.globus.errors import (
    Conflict,
    ConsentRequired,
    GlobusFailure,
    GlobusUnreachable,
    NotFound,
    UnexpectedAnswer,
    globus_errors,
)
from portal.globus.requirements import Requirement
from portal.globus.scopes import Right
from portal.globus.transport import ONCE
from transfers import collections
from transfers.browsing import moment
from transfers.models import AskedTimer

logger = logging.getLogger(__name__)

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=365)
LONGEST_NAME = 255
#: kinds of status that Globus no longer runs
ENDED = ("ended", "deleted")


@dataclass(frozen=True)
class Schedule:
    """When a transfer is repeated.

    :ivar interval: none for a single run
    :ivar start: none for at once
    :ivar runs: after so many it ends
    :ivar until: after this moment it ends
    """

    start: datetime | None = None
    interval: timedelta | None = None
    runs: int | None = None
    until: datetime | None = None

    def document(self) -> dict[str, Any]:
        """As ``POST /v2/timer`` takes it."""
        start = None if self.start is None else self.start.isoformat()
        if self.interval is None:
            return {"type": "once"} | ({"datetime": start} if start else {})
        found: dict[str, Any] = {
            "type": "recurring",
            "interval_seconds": int(self.interval.total_seconds()),
        }
        if start:
            found["start"] = start
        if self.runs is not None:
            found["end"] = {"condition": "iterations", "count": self.runs}
        elif self.until is not None:
            found["end"] = {"condition": "time", "datetime": self.until.isoformat()}
        return found


@dataclass(frozen=True)
class TimerRun:
    """:ivar task_id: none when nothing was sent"""

    ran_at: datetime | None
    task_id: UUID | None
    status: str
    error: str


@dataclass(frozen=True)
class Timer:
    """A timer as Globus shows it; texts are untrusted.

    :ivar status: new, loaded, active, inactive, ended, or a word that we do not know
    :ivar paused_by: user, globus_auth_requirements, or empty
    :ivar requirement: what its owner must do before it can go on
    :ivar document: the transfer that each run submits
    :ivar results: the last runs, the latest first
    """

    id: UUID
    name: str
    status: str
    paused_by: str
    requirement: Requirement | None
    schedule: Schedule
    is_transfer: bool
    document: Mapping[str, Any]
    submitted_at: datetime | None
    last_run_at: datetime | None
    next_run_at: datetime | None
    runs: int
    errors: int
    is_running: bool
    results: Sequence[TimerRun] = field(default=())

    @property
    def is_paused(self) -> bool:
        return self.status == "inactive"

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def waits_for_owner(self) -> bool:
        return self.is_paused and self.paused_by == "globus_auth_requirements"

    @property
    def source_id(self) -> UUID | None:
        return _id(self.document.get("source_endpoint"))

    @property
    def destination_id(self) -> UUID | None:
        return _id(self.document.get("destination_endpoint"))


def mine(client: TimersClient) -> list[Timer]:
    """Every timer of the caller that was not deleted, the newest first."""
    with globus_errors():
        answer = client.list_jobs(query_params={"order": "submitted_at desc"})
        rows = answer.data.get("jobs") if isinstance(answer.data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="Timers")
    found = [_timer(row) for row in rows]
    return [timer for timer in found if timer.status != "deleted"]


def one(client: TimersClient, timer_id: UUID) -> Timer:
    """:raises NotFound: there is none, or it is another person's"""
    with globus_errors():
        timer = _timer(client.get_job(timer_id).data)
    if timer.status == "deleted":
        raise NotFound(code="Deleted")
    return timer


def create(
    user: User,
    asked: AskedTimer,
    name: str,
    schedule: Schedule,
    document: Mapping[str, Any],
) -> UUID:
    """Makes the timer that a form asked for; once, however often it arrives.

    Timers have no submission id. So what was asked is a row first, and when it arrives
    again without an outcome, the timer is looked for before it is made.

    :raises ConsentRequired: the owner must first allow what the runs will need;
        Globus itself would only find out when the first run fails
    """
    if asked.timer_id:
        return asked.timer_id
    check_consents(user, _collections_of(document))
    was_tried = asked.claimed_at is not None
    if not asked.claim(timezone.now()):
        raise Conflict("This timer is being made right now.")
    client = timers_client(user, ONCE)
    body = {"timer_type": "transfer", "name": name} | {
        "schedule": schedule.document(),
        "body": dict(document),
    }
    try:
        found = _made_before(client, name, asked.created_at) if was_tried else None
        return asked.note(found or _create(client, body))
    except GlobusUnreachable:
        raise  # it may be there: the next try looks for it
    except GlobusFailure:
        asked.let_go()
        raise


def _create(client: TimersClient, body: Mapping[str, Any]) -> UUID:
    with globus_errors():
        answer = client.create_timer(dict(body))
        made = _id((answer.data.get("timer") or {}).get("job_id"))
    if made is None:
        raise UnexpectedAnswer(code="Timers")
    return made


def _made_before(client: TimersClient, name: str, since: datetime) -> UUID | None:
    early = since - timedelta(minutes=1)
    for timer in mine(client):
        if timer.name == name and (timer.submitted_at or early) > early:
            return timer.id
    return None


def check_consents(user: User, collection_ids: Iterable[UUID]) -> None:
    """Whether runs without the person will be let through.

    :raises ConsentRequired: with everything that is needed, so that it is asked once
    """
    client = transfer_client(user)
    mapped = [each for each in collection_ids if _needs_consent(client, each)]
    wanted = Requirement(collections=tuple(sorted(mapped)), rights=(Right.TIMERS,))
    held = Token.objects.filter(
        user=user, resource_server=scopes.TIMERS, state__in=Token.ALIVE
    )
    if not held.exists() or not has_consents(user, wanted):
        raise ConsentRequired(required_scopes=tuple(wanted.consent_scopes))


def _needs_consent(client: TransferClient, collection_id: UUID) -> bool:
    return collections.collection(client, collection_id).needs_data_access


def pause(client: TimersClient, timer_id: UUID) -> None:
    with globus_errors():
        client.pause_job(timer_id)


def resume(user: User, timer: Timer) -> None:
    """Lets it go on; with the person's present sign-in when that was the reason.

    :raises ConsentRequired: see ``check_consents``
    """
    if timer.waits_for_owner:
        check_consents(user, _collections_of(timer.document))
    with globus_errors():
        timers_client(user).resume_job(
            timer.id, update_credentials=timer.waits_for_owner
        )


def delete(client: TimersClient, timer_id: UUID) -> None:
    with globus_errors():
        client.delete_job(timer_id)


def rename(client: TimersClient, timer_id: UUID, name: str) -> None:
    with globus_errors():
        client.update_job(timer_id, {"name": name})


def may_use(user: User) -> bool:
    """Whether the person has allowed the portal to see their timers."""
    try:
        tokens.access_token(user, scopes.TIMERS)
    except ConsentRequired:
        return False
    return True


def _collections_of(document: Mapping[str, Any]) -> list[UUID]:
    found = (
        _id(document.get(name)) for name in ("source_endpoint", "destination_endpoint")
    )
    return list(dict.fromkeys(each for each in found if each))


def _timer(row: Any) -> Timer:
    try:
        callback = row.get("callback_body") or {}
        reason = row.get("inactive_reason") or {}
        activity = row.get("activity") or {}
        results = row.get("results") or {}
        return Timer(
            id=UUID(str(row["job_id"])),
            name=str(row.get("name") or ""),
            status=str(row.get("status") or ""),
            paused_by=str(reason.get("cause") or ""),
            requirement=requirements.in_document(reason.get("detail")),
            schedule=_schedule(row),
            is_transfer=_is_transfer(row),
            document=_body(callback),
            submitted_at=_moment(row.get("submitted_at")),
            last_run_at=_moment(row.get("last_ran_at")),
            next_run_at=_moment(row.get("next_run")),
            runs=_count(row.get("n_runs")),
            errors=_count(row.get("n_errors")),
            is_running=activity.get("code") in ("run_in_progress", "retrying"),
            results=tuple(_run(each) for each in results.get("data") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code="Timers") from err


def _is_transfer(row: Mapping[str, Any]) -> bool:
    """The older documents say so by the address that is called only."""
    if row.get("timer_type"):
        return bool(row["timer_type"] == "transfer")
    return "transfer" in str(row.get("callback_url") or "")


def _body(callback: Mapping[str, Any]) -> Mapping[str, Any]:
    body = callback.get("body")
    return body if isinstance(body, Mapping) else {}


def _schedule(row: Mapping[str, Any]) -> Schedule:
    stop = row.get("stop_after") or {}
    interval = row.get("interval")
    return Schedule(
        start=_moment(row.get("start")),
        interval=timedelta(seconds=interval) if interval else None,
        runs=stop.get("n_runs") if interval else None,
        until=_moment(stop.get("date")),
    )


def _run(row: Mapping[str, Any]) -> TimerRun:
    data = row.get("data") or {}
    details = data.get("details") or {}
    task_id = _id(data.get("action_id")) or _id(details.get("task_id"))
    return TimerRun(
        ran_at=_moment(row.get("ran_at") or row.get("start_time")),
        task_id=task_id,
        status=str(data.get("status") or ""),
        error="" if task_id else str(details.get("error") or ""),
    )


def _moment(text: Any) -> datetime | None:
    found = moment(text)
    return None if found is None else found.astimezone(UTC)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _id(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
