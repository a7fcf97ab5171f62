"""Stops what was asked for: before it is sent, while that is open, and at Globus."""

from __future__ import annotations

import logging

from django.utils import timezone
from globus_sdk import TransferClient

from portal.globus.errors import GlobusFailure, NotFound, PortalError, globus_errors
from transfers import monitoring
from transfers.models import Transfer
from transfers.submission.outcomes import may_pass
from transfers.submission.resuming import resume

logger = logging.getLogger(__name__)


def cancel_blocker(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Stops the task in the way of this one, which is sent when it has ended.

    :raises GlobusFailure: Globus did not take the wish
    :raises NotFound: it is not known which task that is
    """
    blocker = (
        Transfer.objects.acted_by(transfer.principal)
        .filter(task_id=transfer.blocked_by, task_id__isnull=False)
        .first()
    )
    if blocker is None:
        raise NotFound("It is not known which task is in the way.")
    cancel(transfer_client, blocker)
    resume(transfer)


def cancel(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Asks Globus to stop the task; what was not sent is not sent any more.

    The task is cancelled when the monitor hears so. While its outcome is open (the
    POST went out and no answer came back) it is sent once more, to learn the task id,
    and stopped then. Nothing happens to a finished transfer.

    :raises GlobusFailure: Globus did not take the wish

    https://docs.globus.org/api/transfer/task/#cancel_task_by_id
    """
    if _cancel_unsent(transfer) or transfer.is_finished:
        return
    if transfer.task_id is None and _leave_to_sender(transfer):
        return
    if transfer.task_id is not None and not transfer.is_finished:
        _cancel_task(transfer_client, transfer)


def _leave_to_sender(transfer: Transfer) -> bool:
    """Whether whoever sends it stops it; if not, Globus has taken it this moment."""
    open_outcome = Transfer.objects.unsent() | Transfer.objects.waiting()
    noted = open_outcome.filter(pk=transfer.pk).update(cancel_asked_at=timezone.now())
    # Whoever held it may have let go of it before that was noted.
    return bool(_cancel_unsent(transfer) or noted)


def cancel_wanted(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Keeps the promise of ``wishes.want_cancelled``, in a later try if need be."""
    if transfer.cancel_wanted_at is None:
        return
    failed_at = None
    try:
        cancel(transfer_client, transfer)
    except PortalError as err:
        logger.warning("Transfer %s was not cancelled: %s", transfer.pk, type(err))
        if may_pass(err):
            return
        failed_at = timezone.now()
    Transfer.objects.filter(pk=transfer.pk).update(
        cancel_wanted_at=None, cancel_failed_at=failed_at
    )
    transfer.refresh_from_db()


def _cancel_unsent(transfer: Transfer) -> bool:
    """Whether it is certain that Globus knows nothing of it, and never will."""
    now = timezone.now()
    rows = Transfer.objects.filter(
        pk=transfer.pk, claimed_at__isnull=True, outcome_open=False
    )
    cancelled = (rows.unsent() | rows.waiting()).update(
        status=Transfer.Status.FAILED,
        error_code="CANCELED",
        last_error="Cancelled before it was sent.",
        cancel_asked_at=now,
        finished_at=now,
        next_try_at=None,
    )
    transfer.refresh_from_db()
    return cancelled == 1


def _cancel_task(transfer_client: TransferClient, transfer: Transfer) -> None:
    assert transfer.task_id is not None
    with globus_errors():
        transfer_client.cancel_task(transfer.task_id)
    now = timezone.now()
    Transfer.objects.filter(pk=transfer.pk).update(
        cancel_asked_at=now, cancel_failed_at=None
    )
    monitoring.watch(transfer.principal, now=now)
    transfer.refresh_from_db()


def cancel_late(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Keeps the promise of a cancellation that came while it was being sent."""
    if transfer.task_id is None:
        _cancel_unsent(transfer)
        return
    try:
        _cancel_task(transfer_client, transfer)
    except GlobusFailure as err:
        Transfer.objects.filter(pk=transfer.pk).update(
            cancel_asked_at=None, cancel_failed_at=timezone.now()
        )
        transfer.refresh_from_db()
        logger.warning("Task %s was not cancelled: %s", transfer.task_id, err.code)
