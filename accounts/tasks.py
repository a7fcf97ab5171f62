"""What the queue carries to the workers for credentials: ids, nothing to trust in them.

Any message may come twice, late, or from somebody who made it up.
"""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from accounts import outbox, revocation, upkeep

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def renew_token(token_id: str) -> None:
    """Renew one token ahead of its end, if it still needs it."""
    pk = _id(token_id)
    if pk is not None:
        upkeep.renew(pk)


@shared_task(ignore_result=True)
def revoke_token(revocation_id: str) -> None:
    """Tell Globus that one token is not to be honoured any more."""
    pk = _id(revocation_id)
    if pk is not None:
        revocation.carry_out(pk)


@shared_task(ignore_result=True)
def revoke_switched_off(kind: str, principal_id: str) -> None:
    """Take the tokens from somebody who was switched off, however that was done."""
    pk = _id(principal_id)
    if pk is not None:
        revocation.revoke_switched_off(kind, pk)


@shared_task(ignore_result=True)
def send_messages() -> None:
    """Send what waits in the outbox, until no more of it is due."""
    for _ in range(50):
        if not outbox.send_due():
            return


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        logger.warning("A message named something that is no id")
        return None
