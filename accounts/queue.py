"""Sends worker functions on their way, once the rows they are about are committed.

It imports late: ``portal.celery`` starts Django, and Django loads what uses this.
"""

from uuid import UUID


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
