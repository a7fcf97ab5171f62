"""Keeps tokens usable before anybody waits for them, and revokes what must not be.

Every token says when to look at it next (``renew_at``): shortly before it expires. One
that is in use is then renewed; one that is not sleeps, and its refresh token is used
once before six months without use would end it (security.md T11).
"""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import queue, tokens
from accounts.models import Revocation, ServiceAccount, Token, User
from portal.globus.errors import GlobusFailure, PortalError

logger = logging.getLogger(__name__)

#: rows that one tick takes; the ticks that follow take the rest
BATCH = 100
#: how long a row that was queued may wait for its worker before it is queued again
QUEUED_LASTS = timedelta(seconds=120)
#: A refresh token dies after six months without use. The month in between leaves room
#: for an outage, and the week for spreading the load.
IDLE = timedelta(days=150)
IDLE_SPREAD = timedelta(days=7)


def queue_due(*, working: Q, now: datetime | None = None) -> None:
    """Queues what is due. Two at once share the rows.

    :param working: the tokens whose owners have unfinished work
    """
    now = now or timezone.now()
    queue_renewals(working, now)
    queue_revocations(now)
    queue_switched_off()


def queue_renewals(working: Q, now: datetime) -> None:
    with transaction.atomic():
        due = Token.objects.alive().filter(renew_at__lte=now)
        found = list(
            due.select_for_update(skip_locked=True)
            .order_by("renew_at")
            .defer("sealed_access_token", "sealed_refresh_token")[:BATCH]
        )
        if not found:
            return
        at_work = {
            *Token.objects.filter(pk__in=[row.pk for row in found])
            .filter(working)
            .values_list("pk", flat=True)
        }
        for row in found:
            if row.pk in at_work or was_used(row) or is_idle(row, now):
                row.renew_at = now + QUEUED_LASTS
                queue.renew_token(row.pk)
            else:
                row.renew_at = next_idle_use(row)
        Token.objects.bulk_update(found, ["renew_at"])


def was_used(row: Token) -> bool:
    """Whether somebody acted with it since it was issued, to the hour."""
    if row.used_at is None or row.issued_at is None:
        return False
    return row.used_at + tokens.USED_AT_STEP >= row.issued_at


def is_idle(row: Token, now: datetime) -> bool:
    """Whether its refresh token, if it has one, soon dies of not being used."""
    return (
        row.user_id is not None
        and row.issued_at is not None
        and row.issued_at + IDLE - IDLE_SPREAD <= now
    )


def next_idle_use(row: Token) -> datetime | None:
    """A service account needs none of this: it has its secret."""
    if row.user_id is None or row.issued_at is None:
        return None
    return row.issued_at + IDLE - random.random() * IDLE_SPREAD  # noqa: S311 - only spreads load


def renew(token_id: UUID) -> None:
    """Renews a token unless somebody is at it or it does not need it any more.

    What goes wrong is written in its row, which says when to try again.
    """
    row = (
        Token.objects.alive()
        .select_related("user", "service_account")
        .filter(pk=token_id)
        .first()
    )
    if row is None:
        return
    try:
        tokens.renew(row.principal, row, wait=False)
    except GlobusFailure as err:
        logger.info("Token %s was not renewed: %s", token_id, err.code)
    except PortalError as err:
        logger.info("Token %s is not renewed: %s", token_id, type(err).__name__)


def queue_revocations(now: datetime) -> None:
    with transaction.atomic():
        due = (
            Revocation.objects.select_for_update(skip_locked=True)
            .filter(next_try_at__lte=now)
            .order_by("next_try_at")
            .values_list("pk", flat=True)[:BATCH]
        )
        found = list(due)
        if found:
            Revocation.objects.filter(pk__in=found).update(
                next_try_at=now + QUEUED_LASTS
            )
        for pk in found:
            queue.revoke_token(pk)


def queue_switched_off() -> None:
    """Whatever switched somebody off – a page, a shell, a script – leads here."""
    held = ~Q(tokens__state=Token.State.REVOKED) & Q(tokens__isnull=False)
    people = User.objects.filter(held, is_active=False)
    accounts = ServiceAccount.objects.filter(held, enabled=False)
    for kind, found in (("user", people), ("service-account", accounts)):
        for pk in found.values_list("pk", flat=True).distinct()[:BATCH]:
            queue.revoke_switched_off(kind, pk)
