"""What the queue carries to the workers for credentials: ids, nothing to trust in them.

Any message may come twice, late, or from somebody who made it up.
"""

from __future__ import annotations

import logging

from celery import shared_task

from accounts import outbox, revocation, upkeep
from accounts.queue import id_of

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def renew_token(token_id: str) -> None:
    """Renew one token ahead of its end, if it still needs it."""
    pk = id_of(token_id)
    if pk is not None:
        upkeep.renew(pk)


@shared_task(ignore_result=True)
def revoke_token(revocation_id: str) -> None:
    """Tell Globus that one token is not to be honoured any more."""
    pk = id_of(revocation_id)
    if pk is not None:
        revocation.carry_out(pk)


@shared_task(ignore_result=True)
def revoke_switched_off(kind: str, principal_id: str) -> None:
    """Take the tokens from somebody who was switched off, however that was done."""
    pk = id_of(principal_id)
    if pk is not None:
        revocation.revoke_switched_off(kind, pk)


@shared_task(ignore_result=True)
def send_messages() -> None:
    """Send what waits in the outbox, until no more of it is due."""
    for _ in range(50):
        if not outbox.send_due():
            return
