"""Finds what was committed and then lost: by the queue, or with a worker.

Redis may be wiped and workers killed at any moment; the rows still say what is to be
done, and every row here says when to look at it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import broken_credentials, digests, outbox, pending
from accounts import queue as accounts_queue
from portal.planned import Sql
from transfers import queue, telling, timer_checks
from transfers.claims import RUN_CLAIM_LASTS
from transfers.jobs import explaining, line, notify, stopping, storing, trials
from transfers.jobs.aftermath import POISON
from transfers.jobs.following import follow_all
from transfers.jobs.models import Run
from transfers.jobs.states import advance
from transfers.models import Transfer

logger = logging.getLogger(__name__)

#: rows of a kind that one sweep takes
BATCH = 1000
#: how long a row that was queued again may wait before it is queued once more
QUEUED_LASTS = timedelta(seconds=60)
#: a run that took this many workers with it is not given to another one
MOST_DEATHS = 3


def sweep(*, now: datetime | None = None) -> None:
    """Two sweeps at once share the rows; each is queued by one of them."""
    now = now or timezone.now()
    send_unsent(now)
    cancel_wanted(now)
    take_over(now)
    execute_waiting(now)
    trials.sweep(now, again=now + QUEUED_LASTS)
    follow_finished(now)
    stopping.queue_due(now)
    explaining.explain(now)
    notify.sweep(now)
    telling.sweep(now)
    broken_credentials.sweep(now)
    timer_checks.queue_due(now)
    digests.put_due(now)
    if outbox.is_due(now):
        accounts_queue.send_messages()
    pending.forget_old(now=now)


def send_unsent(now: datetime) -> None:
    """Transfers whose message was lost, whose next try is due, or whose worker died.

    Those of runs are left to their runs.
    """
    with transaction.atomic():
        due = (
            Transfer.objects.unsent()
            .select_for_update(skip_locked=True, of=("self",))
            .filter(next_try_at__lte=now, run__isnull=True)
            .order_by("next_try_at")
            .values_list("pk", flat=True)[:BATCH]
        )
        found = list(due)
        if found:
            Transfer.objects.filter(pk__in=found).update(
                next_try_at=now + QUEUED_LASTS, claimed_at=None
            )
        for pk in found:
            queue.send_transfer(pk)


def cancel_wanted(now: datetime) -> None:
    """Transfers to be cancelled whose message was lost, or that Globus did not stop."""
    due = Transfer.objects.unfinished().filter(cancel_wanted_at__lte=now - QUEUED_LASTS)
    found = list(due.values_list("pk", flat=True)[:BATCH])
    if found:
        # Two sweeps at once may queue one twice, which does no harm.
        Transfer.objects.filter(pk__in=found).update(cancel_wanted_at=now)
    for pk in found:
        queue.cancel_transfer(pk)


def take_over(now: datetime) -> None:
    """Runs whose worker has not been heard of go back to Waiting, or are given up."""
    stale = Run.objects.filter(_unheard_of(now), state=Run.State.PREPARING)
    for run in stale.order_by("heartbeat_at")[:BATCH]:
        if run.takeovers + 1 >= MOST_DEATHS:
            _give_up(run, now)
        else:
            _put_back(run, now)


def _unheard_of(now: datetime) -> Q:
    return Q(heartbeat_at__lt=now - RUN_CLAIM_LASTS)


def _still_unheard_of(now: datetime) -> Sql:
    return Sql("heartbeat_at < %s", [now - RUN_CLAIM_LASTS])


def _put_back(run: Run, now: datetime) -> None:
    with transaction.atomic():
        taken = advance(
            run,
            Run.State.WAITING,
            from_states=[Run.State.PREPARING],
            only_if=_still_unheard_of(now),
            says="Its worker died; another one goes on with it.",
            now=now,
            next_try_at=now,
            takeovers=Sql("takeovers + 1"),
        )
        if taken:
            Transfer.objects.unsent().filter(run=run).update(claimed_at=None)
            logger.warning("Run %s is taken over from a dead worker", run.pk)


def _give_up(run: Run, now: datetime) -> None:
    says = (
        f"{MOST_DEATHS} workers died with it, so it is not tried again. "
        "An operator should look at the logs of the workers."
    )
    given_up = advance(
        run,
        Run.State.FAILED,
        from_states=[Run.State.PREPARING],
        only_if=_still_unheard_of(now),
        says=says,
        now=now,
        last_error=says,
        error_code=POISON,
        takeovers=Sql("takeovers + 1"),
    )
    if given_up:
        logger.error("Run %s was given up after %s workers", run.pk, MOST_DEATHS)


def execute_waiting(now: datetime) -> None:
    """Runs whose message was lost, whose next try is due, or that may start now."""
    with transaction.atomic():
        found = line.startable(now, limit=BATCH)
        if found:
            Run.objects.filter(pk__in=found).update(next_try_at=now + QUEUED_LASTS)
        queue.execute_runs(found[: storing.MOST_MESSAGES])


def follow_finished(now: datetime) -> None:
    """Runs whose transfer has ended while the monitor died before it told them."""
    left_behind = Run.objects.filter(
        state__in=Run.AT_GLOBUS, transfer__status__in=Transfer.FINISHED
    ).values_list("transfer", flat=True)[:BATCH]
    found = [pk for pk in left_behind if pk is not None]
    if found:
        follow_all(found, now=now)
