"""Sends worker functions on their way, once the rows they are about are committed,
and reads at the other end which rows those are.

It imports late: ``portal.celery`` starts Django, and Django loads what uses this.
"""

import logging
from uuid import UUID

logger = logging.getLogger(__name__)


def id_of(text: str) -> UUID | None:
    """The id that a message names; nothing if it is none, as somebody made it up."""
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        logger.warning("A message named something that is no id")
        return None


def renew_token(token_id: UUID) -> None:
    from accounts import tasks
    from portal.celery import send_after_commit

    send_after_commit(tasks.renew_token, str(token_id))


def revoke_token(revocation_id: UUID) -> None:
    from accounts import tasks
    from portal.celery import send_after_commit

    send_after_commit(tasks.revoke_token, str(revocation_id))


def revoke_switched_off(kind: str, principal_id: UUID) -> None:
    """:param kind: ``user`` or ``service-account``"""
    from accounts import tasks
    from portal.celery import send_after_commit

    send_after_commit(tasks.revoke_switched_off, kind, str(principal_id))


def send_messages() -> None:
    from accounts import tasks
    from portal.celery import send_after_commit

    send_after_commit(tasks.send_messages)
