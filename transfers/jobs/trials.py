"""Preflights and dry runs: asked for on a page, carried out by a worker.

The life of a run in small: a claim by ``UPDATE``, a heartbeat, and a sweep that finds
what was lost.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from portal.globus.errors import PortalError
from transfers import queue, submission
from transfers.claims import CLAIM_LASTS, back_off
from transfers.consents import sentence_for
from transfers.jobs import dry_run, preflight
from transfers.jobs.checklist import Checklist
from transfers.jobs.inventory_models import Trial
from transfers.jobs.models import Job, Run
from transfers.jobs.walking import LostClaim

logger = logging.getLogger(__name__)

#: finished ones of a kind that a job keeps
KEPT = 3
#: how often a worker takes one before it is given up
MOST_ATTEMPTS = 20
BATCH = 100

_S = Trial.State


def ask(job: Job, kind: Trial.Kind, *, by: User | None) -> Trial:
    """Stores a trial of the job as it is now; the one under way, if there is one."""
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=job.pk)
        open_ones = job.trials.filter(kind=kind).exclude(state__in=Trial.FINISHED)
        trial = open_ones.first()
        if trial is None or trial.inputs != job.inputs():
            if trial is not None:
                _stop(trial, "The job was changed meanwhile.")
            says = "Waits for a worker."
            trial = Trial.objects.create(
                job=job, kind=kind, asked_by=by, inputs=job.inputs(), says=says
            )
            _forget_old(job, kind)
        queue.execute_trial(trial.pk)
    return trial


def keep(run: Run, found: Checklist) -> Trial:
    """Stores the preflight that a run has made, as if somebody had asked for it."""
    job = run.job
    inputs = {name: run.inputs.get(name) for name in job.inputs()}
    now = timezone.now()
    with transaction.atomic():
        trial = Trial.objects.create(
            job=job,
            kind=Trial.Kind.PREFLIGHT,
            asked_by=run.triggered_by,
            inputs=inputs,
            state=_S.DONE,
            says=found.sentence[:500],
            result=found.as_json(),
            finished_at=now,
            next_try_at=None,
        )
        _forget_old(job, Trial.Kind.PREFLIGHT)
    return trial


def _forget_old(job: Job, kind: Trial.Kind) -> None:
    finished = job.trials.filter(kind=kind, state__in=Trial.FINISHED)
    old = [*finished.order_by("-created_at").values_list("pk", flat=True)[KEPT:]]
    Trial.objects.filter(pk__in=old).delete()


def latest(job: Job, kind: Trial.Kind) -> Trial | None:
    return job.trials.filter(kind=kind).order_by("-created_at").first()


def execute(trial_id: UUID) -> None:
    """Carries out one trial, if it waits. Safe to call any number of times."""
    now = timezone.now()
    claimed = Trial.objects.filter(pk=trial_id, state=_S.WAITING).update(
        state=_S.WORKING,
        says="A worker has taken it.",
        attempts=F("attempts") + 1,
        claimed_at=now,
        heartbeat_at=now,
        next_try_at=None,
    )
    if not claimed:
        return
    trial = Trial.objects.select_related(
        "job__service_account", "service_account", "user"
    ).get(pk=trial_id)
    try:
        _carry_out(trial)
    except LostClaim:
        logger.warning("Trial %s was taken over, or ended", trial.pk)
    except PortalError as err:
        _note(trial, err)


def _carry_out(trial: Trial) -> None:
    if trial.kind == Trial.Kind.PREFLIGHT and trial.job is not None:
        found = preflight.check_inputs(trial.job.service_account, trial.inputs)
        _end(trial, _S.DONE, found.sentence, result=found.as_json())
    else:
        says = dry_run.carry_out(trial, beat=lambda: heartbeat(trial))
        _end(trial, _S.DONE, says)


def heartbeat(trial: Trial) -> None:
    """:raises LostClaim: another worker has it, or it was stopped"""
    mine = Trial.objects.filter(
        pk=trial.pk, state=_S.WORKING, claimed_at=trial.claimed_at
    )
    if not mine.update(heartbeat_at=timezone.now()):
        raise LostClaim


def _note(trial: Trial, err: PortalError) -> None:
    says = sentence_for(trial.principal, err)
    if not submission.may_pass(err) or trial.attempts >= MOST_ATTEMPTS:
        _end(trial, _S.FAILED, says)
        return
    pause = back_off(trial.attempts, at_least=submission.asked_pause(err))
    _mine(trial).update(
        state=_S.WAITING, says=says[:500], next_try_at=timezone.now() + pause
    )


def _end(trial: Trial, state: Trial.State, says: str, **fields: Any) -> None:
    now = timezone.now()
    _mine(trial).update(
        state=state, says=says[:500], finished_at=now, next_try_at=None, **fields
    )


def _mine(trial: Trial) -> Any:
    """The row, while nobody else has taken it."""
    return Trial.objects.filter(
        pk=trial.pk, state__in=[_S.WAITING, _S.WORKING], claimed_at=trial.claimed_at
    )


def cancel(trial: Trial, *, by: User) -> None:
    _stop(trial, f"Stopped by {by}.")


def _stop(trial: Trial, says: str) -> None:
    """A worker that is at it, or takes it now, notices at its next step."""
    Trial.objects.filter(pk=trial.pk).exclude(state__in=Trial.FINISHED).update(
        state=_S.CANCELLED,
        says=says[:500],
        finished_at=timezone.now(),
        next_try_at=None,
    )


def sweep(now: datetime, *, again: datetime) -> None:
    """Puts back those whose worker died, and queues those that are due.

    :param again: when to look at them once more
    """
    dead = Q(state=_S.WORKING, heartbeat_at__lt=now - CLAIM_LASTS)
    waits = Q(state=_S.WAITING, next_try_at__lte=now)
    if not Trial.objects.filter(dead | waits).exists():
        return
    says = "Its worker died too often, so it is not tried again."
    Trial.objects.filter(dead, attempts__gte=MOST_ATTEMPTS).update(
        state=_S.FAILED, says=says, finished_at=now
    )
    Trial.objects.filter(dead).update(
        state=_S.WAITING, says="Its worker died; another goes on.", next_try_at=now
    )
    with transaction.atomic():
        due = Trial.objects.select_for_update(skip_locked=True).filter(waits)
        found = [*due.order_by("next_try_at").values_list("pk", flat=True)[:BATCH]]
        Trial.objects.filter(pk__in=found).update(next_try_at=again)
        for pk in found:
            queue.execute_trial(pk)
