"""Sends a stored transfer: its id first, then the POST, then what came of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from globus_sdk import TransferClient

from portal.globus.errors import (
    PortalError,
    QueueFull,
    SameTaskRunning,
    UnexpectedAnswer,
    globus_errors,
)
from transfers import blocking, monitoring, places
from transfers.claims import CLAIM_LASTS
from transfers.consents import with_own_consent
from transfers.models import Transfer
from transfers.submission.cancelling import cancel_late
from transfers.submission.outcomes import (
    NO_ERROR,
    NOT_HELD,
    may_pass,
    note,
    note_blocked,
)


def send(transfer_client: TransferClient, transfer: Transfer) -> None:
    """Submits a transfer that is New, and writes down what came of it.

    Nothing is raised for what Globus says: the row then is Active, or Waiting for a
    person, or New with a time for the next try, or Failed, and says why. Calling
    again is safe at any moment, also while another worker is at it.

    :param transfer_client: acts for the principal of the transfer, never for another

    https://docs.globus.org/api/transfer/task_submit/#submit_transfer_task
    """
    if not _claim(transfer):
        return
    if not _hold_back(transfer):
        _try(transfer_client, transfer)
    if transfer.cancel_asked_at:
        cancel_late(transfer_client, transfer)


def _try(transfer_client: TransferClient, transfer: Transfer) -> None:
    try:
        _submit(transfer_client, transfer)
    except SameTaskRunning as err:
        note_blocked(transfer, err, blocking.find(transfer_client, transfer, err))
    except PortalError as err:
        note(transfer, err)


def _claim(transfer: Transfer) -> bool:
    now = timezone.now()
    rows = Transfer.objects.unsent().filter(pk=transfer.pk, claimed_at__isnull=True)
    won = rows.update(
        claimed_at=now,
        next_try_at=now + CLAIM_LASTS,
        attempts=F("attempts") + 1,
        trying_since=Coalesce("trying_since", now),
    )
    transfer.refresh_from_db()
    return won == 1


def _hold_back(transfer: Transfer) -> bool:
    """Keeps it here while it is known that Globus would not take it.

    Not what Globus may have already: it is asked for, to learn its task id.
    """
    if transfer.outcome_open:
        return False
    if blocking.must_wait(transfer):
        changes = blocking.hold()
    elif not places.is_turn_of(transfer):
        changes = places.hold(transfer)
    else:
        return False
    Transfer.objects.unsent().filter(pk=transfer.pk).update(claimed_at=None, **changes)
    transfer.refresh_from_db()
    return True


def _submit(transfer_client: TransferClient, transfer: Transfer) -> None:
    submission_id = reserved_submission_id(transfer_client, transfer)
    was_open = transfer.outcome_open
    _set_outcome_open(transfer, True)
    document = {**transfer.document, "submission_id": str(submission_id)}
    post = (
        transfer_client.submit_delete
        if transfer.kind == Transfer.Kind.DELETE
        else transfer_client.submit_transfer
    )

    def call() -> UUID:
        with globus_errors():
            return _uuid(post(dict(document)).data, "task_id")

    try:
        task_id = with_own_consent(transfer.principal, call)
    except PortalError as err:
        if not was_open and (isinstance(err, QueueFull) or not may_pass(err)):
            _set_outcome_open(transfer, False)  # a clear no
        raise
    _accepted(transfer, task_id)


def _set_outcome_open(transfer: Transfer, value: bool) -> None:
    if transfer.outcome_open != value:
        transfer.outcome_open = value
        transfer.save(update_fields=["outcome_open"])


def reserved_submission_id(transfer_client: TransferClient, transfer: Transfer) -> UUID:
    """The submission id of the row; the first one stored is the one for all.

    It is committed when this returns, so that a repeat after any crash is the same
    submission.
    """
    if transfer.submission_id is None:
        with globus_errors():
            value = _uuid(transfer_client.get_submission_id().data, "value")
        try:
            with transaction.atomic(durable=True):
                Transfer.objects.filter(
                    pk=transfer.pk, submission_id__isnull=True
                ).update(submission_id=value)
        except IntegrityError as err:  # another transfer has this one already
            raise UnexpectedAnswer(code="SubmissionId") from err
        transfer.refresh_from_db(fields=["submission_id"])
    assert transfer.submission_id is not None
    return transfer.submission_id


def _accepted(transfer: Transfer, task_id: UUID) -> None:
    """Also of a row that somebody gave up meanwhile: Globus has it, so we say so."""
    now = timezone.now()
    try:
        with transaction.atomic():
            # Should the monitor have taken it for one that was begun elsewhere.
            Transfer.objects.filter(
                task_id=task_id, origin=Transfer.Origin.ELSEWHERE
            ).delete()
            Transfer.objects.filter(pk=transfer.pk, task_id__isnull=True).update(
                task_id=task_id,
                status=Transfer.Status.ACTIVE,
                sent_at=now,
                moved_at=now,
                finished_at=None,
                claimed_at=None,
                next_try_at=None,
                outcome_open=False,
                **NO_ERROR,
                **NOT_HELD,
            )
            monitoring.watch(transfer.principal, now=now)
            places.let_in(transfer.principal, now=now)
    except IntegrityError as err:  # a task of another submission
        raise UnexpectedAnswer(code="TaskId") from err
    transfer.refresh_from_db()


def _uuid(data: Any, key: str) -> UUID:
    try:
        return UUID(data[key])
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code=key) from err
