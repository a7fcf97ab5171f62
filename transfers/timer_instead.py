"""Sends once, and now, what the last run of a timer did not bring about."""

from __future__ import annotations

from uuid import UUID, uuid5

from accounts.models import User
from portal.globus.errors import UnexpectedAnswer
from transfers import submission
from transfers.models import Transfer
from transfers.timers import Timer


def transfer_id_of(timer: Timer) -> UUID | None:
    """The same for the same run, so that two clicks are one transfer.

    Nothing when it never ran. A second attempt, after the first has failed, is a
    repeat of that transfer and not of the timer.
    """
    if not timer.results:
        return None
    ran_at = timer.results[0].ran_at
    return uuid5(timer.id, f"instead of {ran_at and ran_at.isoformat()}")


def mended(user: User, timer: Timer) -> bool:
    """Whether it was sent instead, and has not failed too."""
    pk = transfer_id_of(timer)
    mine = Transfer.objects.owned_by(user).exclude(status=Transfer.Status.FAILED)
    return pk is not None and mine.filter(pk=pk).exists()


def send(user: User, timer: Timer) -> Transfer:
    """
    :raises UnexpectedAnswer: what Globus shows of the timer is no transfer
    """
    document = {"DATA_TYPE": "transfer", **timer.document}
    try:
        return submission.ask(
            user, document, asked_by=user, transfer_id=transfer_id_of(timer)
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code="Timers") from err
