"""What a run makes of the news about its transfer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from transfers.jobs.models import Run
from transfers.jobs.policies import Policies
from transfers.jobs.states import SOURCES, advance
from transfers.models import Transfer


def follow_all(transfer_ids: Iterable[UUID], *, now: datetime | None = None) -> None:
    """Takes the runs of these transfers along; one query when none has any."""
    runs = Run.objects.unfinished().filter(transfer__in=list(transfer_ids))
    for run in runs.select_related("transfer"):
        follow(run, now=now)


def follow(run: Run, *, now: datetime | None = None) -> None:
    """Takes one run as far as its transfer has come. Again is harmless."""
    now = now or timezone.now()
    transfer = run.transfer
    if transfer is None or run.is_finished:
        return
    if run.state == Run.State.WAITING and transfer.task_id:
        # Its worker died, or gave up, after Globus had it.
        advance(run, Run.State.PREPARING, says="Found at Globus.", now=now)
    if run.state == Run.State.PREPARING and transfer.task_id:
        advance(run, Run.State.SUBMITTED, says="Globus has accepted it.", now=now)
    to = state_for(transfer, now)
    if to == Run.State.CANCELLED and run.cause:
        _stopped_by_us(run, now)
        return
    if to == Run.State.SUBMITTED and run.state == Run.State.STALLED:
        to = Run.State.MOVING
    if to is None or to == run.state or Run.State(run.state) not in SOURCES[to]:
        return
    # Why it is being stopped by us stays, unless it came through before that.
    is_stopped = run.cause and transfer.status != Transfer.Status.SUCCEEDED
    errors = {} if is_stopped else _errors(transfer, to)
    advance(run, to, says=transfer.says, now=now, **errors)


def _stopped_by_us(run: Run, now: datetime) -> None:
    """It is no person's wish, so it has failed; see ``transfers.jobs.stopping``."""
    if run.state == Run.State.WAITING:
        advance(run, Run.State.PREPARING, says="It is being stopped.", now=now)
    says = run.last_error or "It was stopped."
    advance(run, Run.State.FAILED, says=says, now=now)


def state_for(transfer: Transfer, now: datetime) -> Run.State | None:
    """Nothing when the transfer tells nothing new."""
    if transfer.status == Transfer.Status.SUCCEEDED:
        if transfer.has_skips:
            return Run.State.SUCCEEDED_WITH_SKIPS
        return Run.State.SUCCEEDED
    if transfer.status == Transfer.Status.FAILED:
        return Run.State.CANCELLED if transfer.was_cancelled else Run.State.FAILED
    if transfer.is_stalled(now):
        return Run.State.STALLED
    if transfer.status != Transfer.Status.ACTIVE:
        return None
    has_moved = transfer.bytes_transferred or transfer.subtasks_succeeded
    return Run.State.MOVING if has_moved else Run.State.SUBMITTED


def _errors(transfer: Transfer, to: Run.State) -> dict[str, Any]:
    cause = {Run.State.FAILED: Policies.Cause.TASK}.get(to, "")
    # While it goes on, somebody may write down just now why it is to be stopped.
    return ({"cause": cause} if to in Run.FINISHED else {}) | {
        "last_error": transfer.last_error,
        "error_code": transfer.error_code,
        "error_detail": transfer.error_detail,
    }
