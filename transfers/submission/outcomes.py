"""Writes down why a transfer was not sent, and what happens next."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.globus.errors import (
    ConsentRequired,
    GlobusFailure,
    PortalError,
    QueueFull,
    RateLimited,
    SameTaskRunning,
    SessionRequired,
    SignInRequired,
    UnexpectedAnswer,
)
from transfers import blocking, needs, places, queue
from transfers.claims import KEEP_TRYING, back_off, sweep_time
from transfers.consents import sentence_for
from transfers.models import Transfer
from transfers.storable import storable_text

logger = logging.getLogger(__name__)

NO_ERROR: dict[str, Any] = {
    "waiting_reason": "",
    "required_collections": [],
    "session_parameters": {},
    "last_error": "",
    "error_code": "",
    "error_detail": "",
}
NOT_HELD: dict[str, Any] = {
    "place_asked_at": None,
    "blocked_at": None,
    "blocked_by": None,
}


def note(transfer: Transfer, err: PortalError) -> None:
    """Writes down why it was not sent, and what happens next."""
    now = timezone.now()
    says = needs.sentence(transfer.principal, err) or sentence_for(
        transfer.principal, err
    )
    changes: dict[str, Any] = {
        **NO_ERROR,
        **NOT_HELD,
        "claimed_at": None,
        "next_try_at": None,
        "last_error": says[:500],
        **_words_of(err),
    }
    if isinstance(err, QueueFull):
        changes |= places.hold(transfer)
    elif may_pass(err):
        if now - (transfer.trying_since or now) < KEEP_TRYING:
            pause = back_off(transfer.attempts, at_least=asked_pause(err))
            changes["next_try_at"] = now + pause
        else:
            changes |= _gave_up(transfer) | {"finished_at": now}
    elif transfer.user_id and isinstance(err, _NEEDS_A_PERSON):
        changes |= {"status": Transfer.Status.WAITING, "waiting_reason": says[:500]}
        changes |= _needs(err)
    else:
        changes |= {"status": Transfer.Status.FAILED, "finished_at": now}
    rows = Transfer.objects.unsent().filter(pk=transfer.pk)
    with transaction.atomic():
        if changes.get("status") != Transfer.Status.WAITING:
            rows.update(**changes)
        elif rows.filter(trying_since=transfer.trying_since).update(**changes):
            needs.tell(transfer.principal, err, says=says)
        elif rows.update(claimed_at=None, next_try_at=sweep_time()):
            # The person has signed in since it was tried; see ``resume_all``.
            queue.send_transfer(transfer.pk)
    transfer.refresh_from_db()
    logger.warning(
        "Transfer %s was not sent: %s %s; now %s",
        transfer.pk,
        type(err).__name__,
        transfer.error_code,
        transfer.status,
    )


def _words_of(err: PortalError) -> dict[str, str]:
    return {
        "error_code": getattr(err, "code", "")[:200],
        "error_detail": storable_text(getattr(err, "detail", ""), longest=10_000),
    }


def note_blocked(
    transfer: Transfer, err: SameTaskRunning, task_id: UUID | None
) -> None:
    """A person chooses what to do about it, once; a service account waits at once."""
    now = timezone.now()
    changes: dict[str, Any] = {
        **NO_ERROR,
        **NOT_HELD,
        **_words_of(err),
        "claimed_at": None,
        "blocked_at": transfer.blocked_at or now,
        "blocked_by": task_id,
    }
    if transfer.user_id and transfer.blocked_at is None:
        changes |= {
            "status": Transfer.Status.WAITING,
            "waiting_reason": blocking.SAYS,
            "next_try_at": None,
        }
    else:
        changes |= blocking.hold()
    Transfer.objects.unsent().filter(pk=transfer.pk).update(**changes)
    transfer.refresh_from_db()
    logger.warning("Transfer %s is blocked by task %s", transfer.pk, task_id)


_NEEDS_A_PERSON = (ConsentRequired, SessionRequired, SignInRequired)


def may_pass(err: PortalError) -> bool:
    """Whether the same request may work later.

    An answer that makes no sense says nothing about the outcome, so it is asked for
    again: with the same submission id that cannot do harm.
    """
    return isinstance(err, GlobusFailure) and (
        err.passing or isinstance(err, UnexpectedAnswer)
    )


def asked_pause(err: PortalError) -> int | None:
    """The seconds that Globus asked to wait; never more than an hour."""
    seconds = err.retry_after if isinstance(err, RateLimited) else None
    return min(seconds, 3600) if seconds else None


def _gave_up(transfer: Transfer) -> dict[str, Any]:
    says = "Globus could not be reached for a day, so the portal gave up."
    if transfer.outcome_open:
        says += " Look in the Globus web app whether it got there after all."
    return {"status": Transfer.Status.FAILED, "last_error": says}


def _needs(err: ConsentRequired | SessionRequired | SignInRequired) -> dict[str, Any]:
    """As ``Transfer.requirement`` reads it: checked, not as Globus said it."""
    assert err.requirement is not None
    wanted = err.requirement.as_json()
    return {
        "required_collections": wanted.pop("collections", []),
        "session_parameters": wanted,
    }
