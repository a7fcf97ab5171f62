"""Stops runs by themselves: past their deadline, or stalled for too long."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet, Value
from django.utils import timezone

from accounts.clients import transfer_client
from portal.globus.transport import WORKER
from transfers import queue, submission
from transfers.jobs.following import follow
from transfers.jobs.models import Job, Run
from transfers.jobs.policies import Policies
from transfers.jobs.states import advance

BATCH = 500

_S = Run.State


def queue_due(now: datetime) -> None:
    """Lists end here; a transfer is stopped at Globus, by a worker."""
    for run in _overdue(now).filter(destination_collection=None)[:BATCH]:
        _end_list(run, now)
    due = Run.objects.filter(_is_overdue(now) | _is_stalled(now))
    wanted = due.filter(
        destination_collection__isnull=False, transfer__cancel_asked_at=None
    ).exclude(transfer=None)
    for pk in wanted.values_list("pk", flat=True)[:BATCH]:
        queue.stop_run(pk)


def _overdue(now: datetime) -> QuerySet[Run]:
    return Run.objects.filter(_is_overdue(now)).select_related("job")


def _is_overdue(now: datetime) -> Q:
    return ~Q(state__in=Run.FINISHED) & Q(deadline_at__lte=now)


def _is_stalled(now: datetime) -> Q:
    minutes = ExpressionWrapper(
        F("job__stall_minutes") * Value(timedelta(minutes=1)),
        output_field=DurationField(),
    )
    return Q(
        state=_S.STALLED,
        job__stall_policy=Policies.Stall.CANCEL,
        stalled_at__lte=Value(now) - minutes,
    )


def _end_list(run: Run, now: datetime) -> None:
    """Whoever has it in hand sees that it has lost it."""
    if run.state == _S.WAITING:
        advance(run, _S.PREPARING, says="It is being stopped.", now=now)
    says = _overdue_sentence(run.job)
    advance(
        run,
        _S.FAILED,
        says=says,
        now=now,
        last_error=says,
        cause=Policies.Cause.DEADLINE,
    )


def _overdue_sentence(job: Job) -> str:
    minutes = job.deadline_minutes
    longest = f"{minutes} minutes" if minutes else "its deadline"
    return f"It took longer than it may ({longest}), so it was stopped."


def stop(run_id: UUID, *, now: datetime | None = None) -> None:
    """Stops one run at Globus, if it still has to be; for a worker.

    The run has failed once Globus says that the task has ended.

    :raises GlobusFailure: Globus did not take the wish; the sweep comes again
    """
    now = now or timezone.now()
    run = (
        Run.objects.filter(_is_overdue(now) | _is_stalled(now), pk=run_id)
        .select_related("job", "service_account", "transfer")
        .first()
    )
    if run is None or run.transfer is None:
        return
    if run.deadline_at is not None and run.deadline_at <= now:
        why = {
            "cause": Policies.Cause.DEADLINE,
            "last_error": _overdue_sentence(run.job),
        }
    else:
        minutes = run.job.stall_minutes
        why = {
            "cause": Policies.Cause.TASK,
            "last_error": f"Nothing moved for {minutes} minutes, so it was cancelled.",
        }
    # It may have ended meanwhile, or moved on; if it has to be stopped still, the sweep
    # comes again.
    if not Run.objects.filter(pk=run.pk, state=run.state).update(**why):
        return
    run.refresh_from_db(fields=list(why))
    submission.cancel(transfer_client(run.service_account, WORKER), run.transfer)
    follow(run, now=now)
