"""Sends on what waited for a person."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from transfers import queue
from transfers.claims import sweep_time
from transfers.models import Transfer
from transfers.submission.outcomes import NO_ERROR


def resume(transfer: Transfer) -> bool:
    """Sends on what waited for a person, who has done what was asked.

    :returns: whether it waited at all
    """
    with transaction.atomic():
        resumed = (
            Transfer.objects.waiting()
            .filter(pk=transfer.pk)
            .update(
                status=Transfer.Status.NEW,
                next_try_at=sweep_time(),
                claimed_at=None,
                trying_since=None,
                **NO_ERROR,
            )
        )
        if resumed:
            queue.send_transfer(transfer.pk)
    transfer.refresh_from_db()
    return resumed == 1


def resume_all(user: User) -> int:
    """Sends on all that waits for this person, e.g. after a sign-in.

    What still lacks something comes back to Waiting, with the reason it has then. What
    is being sent as it was before is tried again, should Globus refuse that.
    """
    mine = Transfer.objects.owned_by(user)
    mine.unsent().filter(claimed_at__isnull=False).update(trying_since=None)
    return sum(map(resume, mine.waiting().filter(blocked_at__isnull=True)))
