"""What the queue carries to the workers: ids, and nothing to trust in them.

Each worker function loads its row and does nothing if there is nothing (more) to do,
so that any message may come twice, late, or from somebody who made it up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import shared_task

from accounts import reminders, sealing, upkeep
from accounts.clients import transfer_client
from accounts.models import User
from accounts.queue import id_of
from portal.globus.transport import WORKER
from transfers import details, monitoring, submission, sweeping, timer_checks
from transfers.jobs import chores, ledger, runs, stopping, trials
from transfers.models import Transfer, principal_of
from transfers.work import owners_at_work

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def send_transfer(transfer_id: str) -> None:
    """Send one stored transfer to Globus."""
    pk = id_of(transfer_id)
    if pk is None:
        return
    unsent = Transfer.objects.unsent().select_related("user", "service_account")
    transfer = unsent.filter(pk=pk).first()
    if transfer is not None:
        submission.send(transfer_client(transfer.principal, WORKER), transfer)


@shared_task(ignore_result=True)
def execute_run(run_id: str) -> None:
    """Carry out a run: the one named, or one whose turn is before."""
    pk = id_of(run_id)
    if pk is not None:
        runs.execute_next(pk)


@shared_task(ignore_result=True)
def stop_run(run_id: str) -> None:
    """Stop a run that went on for too long, or does not move any more."""
    pk = id_of(run_id)
    if pk is not None:
        stopping.stop(pk)


@shared_task(ignore_result=True)
def execute_trial(trial_id: str) -> None:
    """Carry out one preflight or dry run."""
    pk = id_of(trial_id)
    if pk is not None:
        trials.execute(pk)


@shared_task(ignore_result=True)
def poll_transfers(kind: str, principal_id: str) -> None:
    """Bring the transfers of one principal up to date; see ``Watch.key``."""
    principal = principal_of(kind, id_of(principal_id))
    if principal is not None:
        monitoring.poll(principal)


@shared_task(ignore_result=True)
def check_timers(user_id: str) -> None:
    """Look how the timers of one person get on."""
    user = principal_of("user", id_of(user_id))
    if isinstance(user, User):
        timer_checks.check(user)


@shared_task(ignore_result=True)
def fetch_details(transfer_id: str) -> None:
    """Fetch what the page of a transfer shows beside its row."""
    pk = id_of(transfer_id)
    if pk is None:
        return
    known = Transfer.objects.filter(task_id__isnull=False)
    transfer = known.select_related("user", "service_account").filter(pk=pk).first()
    if transfer is not None:
        details.fetch(transfer_client(transfer.principal, WORKER), transfer)


@shared_task(ignore_result=True)
def cancel_transfer(transfer_id: str) -> None:
    """Cancel what somebody wants cancelled."""
    pk = id_of(transfer_id)
    if pk is None:
        return
    wanted = Transfer.objects.unfinished().filter(cancel_wanted_at__isnull=False)
    transfer = wanted.select_related("user", "service_account").filter(pk=pk).first()
    if transfer is not None:
        client = transfer_client(transfer.principal, WORKER)
        submission.cancel_wanted(client, transfer)


@shared_task(ignore_result=True)
def tick() -> None:
    """Queue what is due. Beat sends this; any number of them do no harm."""
    ledger.fire_due()
    monitoring.queue_due_polls()
    sealing.seal_new()
    for name in chores.due():
        _CHORES[name]()


_CHORES: dict[str, Callable[[], object]] = {
    chores.SWEEP: sweeping.sweep,
    chores.UPKEEP: lambda: upkeep.queue_due(working=owners_at_work()),
    chores.REMINDERS: reminders.send_due,
}
