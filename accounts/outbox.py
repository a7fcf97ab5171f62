"""Tells people and webhooks what happened: each of it once.

A message is a row that is put in by the transaction that notices the event, and its
key is unique: however many workers notice, it is one message. A sweep claims what is
due with ``SKIP LOCKED`` and sends it. A worker that dies after the mail has left and
before that is written down makes a second attempt, under the same Message-ID or
delivery id, which is what receivers know a repeat by.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts import queue, webhooks
from accounts.models import OutboxMessage, Webhook, Wishes
from accounts.vault import CannotOpen

logger = logging.getLogger(__name__)

_STATE = OutboxMessage.State

#: a worker that has a message for longer than this is taken for dead
CLAIM_LASTS = timedelta(minutes=5)
#: messages that one sweep takes; each may wait for a slow server
BATCH = 20
PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
)
#: what was sent is kept this long, so that nothing old is told again
KEPT = timedelta(days=90)


class Undeliverable(Exception):
    """No later attempt would do better; its text is the reason."""


def put(messages: Iterable[OutboxMessage], *, as_is: bool = False) -> None:
    """Stores what is not known yet, in the caller's transaction; sent after it.

    What is for a person goes the way they wish: as a mail at once, into their digest
    or not by mail at all, and to their webhook as well.

    :param as_is: it is a digest already
    """
    rows = list(messages)
    if not as_is:
        rows = _as_wished([each for each in rows if _is_there(each)])
    if not rows:
        return
    for row in rows:
        row.subject = " ".join(row.subject.split())[:200]
    OutboxMessage.objects.bulk_create(rows, ignore_conflicts=True)
    if any(row.state == _STATE.WAITING for row in rows):
        queue.send_messages()


def _is_there(message: OutboxMessage) -> bool:
    return message.user is None or message.user.is_active


def _as_wished(messages: list[OutboxMessage]) -> list[OutboxMessage]:
    people = {each.user_id for each in messages if each.user_id}
    known = Wishes.objects.select_related("webhook").in_bulk(list(people))
    found = list(messages)
    for message in messages:
        if message.user is None:
            continue
        wishes = known.get(message.user.pk)
        message.state = _state(message, wishes)
        if wishes and wishes.webhook and message.payload:
            found.append(_for_webhook(message, wishes.webhook))
    return found


def _state(message: OutboxMessage, wishes: Wishes | None) -> OutboxMessage.State:
    if not can_be_mailed(message):
        return _STATE.QUIET
    return _BY_WISH[Wishes.Mail(wishes.mail if wishes else Wishes.Mail.AT_ONCE)]


_BY_WISH = {
    Wishes.Mail.AT_ONCE: _STATE.WAITING,
    Wishes.Mail.DIGEST: _STATE.HELD,
    Wishes.Mail.NEVER: _STATE.QUIET,
}


def _for_webhook(message: OutboxMessage, webhook: Webhook) -> OutboxMessage:
    return OutboxMessage(
        key=f"{message.key}:webhook:{webhook.pk}",
        webhook=webhook,
        subject=message.subject,
        payload=message.payload | {"says": message.subject},
    )


def can_be_mailed(message: OutboxMessage) -> bool:
    """Whether there is an address at all."""
    assert message.user is not None
    try:
        validate_email(message.user.email)
    except ValidationError:
        return False
    return message.user.is_active


def nothing_to_show() -> datetime:
    """``shown_at`` of what no page shows."""
    return timezone.now()


def is_due(now: datetime | None = None) -> bool:
    due = OutboxMessage.objects.filter(
        state=_STATE.WAITING, next_try_at__lte=now or timezone.now()
    )
    return due.exists()


def send_due(*, now: datetime | None = None) -> int:
    """Sends what is due, as far as no other worker has it; how many it took."""
    now = now or timezone.now()
    taken = _claim(now)
    for message in taken:
        _send(message)
    if taken:
        forget_old(now)
    return len(taken)


def _claim(now: datetime) -> list[OutboxMessage]:
    with transaction.atomic():
        due = OutboxMessage.objects.select_for_update(skip_locked=True).filter(
            state=_STATE.WAITING, next_try_at__lte=now
        )
        found = list(due.order_by("next_try_at").values_list("pk", flat=True)[:BATCH])
        OutboxMessage.objects.filter(pk__in=found).update(
            next_try_at=now + CLAIM_LASTS, attempts=F("attempts") + 1
        )
    return list(
        OutboxMessage.objects.filter(pk__in=found)
        .select_related("user", "webhook")
        .order_by("created_at")
    )


def _send(message: OutboxMessage) -> None:
    try:
        _deliver(message)
    except Undeliverable as err:
        _settle(message, _STATE.GIVEN_UP, str(err))
    except (OSError, SMTPException, webhooks.NotDelivered) as err:
        _try_later(message, err)
    else:
        _settle(message, _STATE.SENT, "")


def _deliver(message: OutboxMessage) -> None:
    """:raises Undeliverable, OSError, SMTPException, webhooks.NotDelivered: not sent"""
    if message.webhook is None:
        _mail(message)
        return
    if message.webhook.off_at is not None:
        raise Undeliverable("The webhook is switched off.")
    try:
        key = message.webhook.key()
    except CannotOpen as err:
        raise Undeliverable("Its key cannot be opened; make a new one.") from err
    body = json.dumps({"id": str(message.pk), **message.payload}).encode()
    webhooks.deliver(message.webhook.url, body, key=key, delivery_id=str(message.pk))


def _mail(message: OutboxMessage) -> None:
    assert message.user is not None
    if not can_be_mailed(message):
        raise Undeliverable("There is no address to mail it to.")
    host = settings.PUBLIC_BASE_URL.hostname
    EmailMessage(
        subject=message.subject,
        body=message.body,
        to=[message.user.email],
        headers={"Message-ID": f"<{message.pk}@{host}>"},
    ).send()


def _try_later(message: OutboxMessage, err: Exception) -> None:
    says = str(err) if isinstance(err, webhooks.NotDelivered) else type(err).__name__
    logger.warning("Message %s was not sent: %s", message.pk, says)
    is_final = isinstance(err, webhooks.NotDelivered) and err.is_final
    if is_final or message.attempts > len(PAUSES):
        _settle(message, _STATE.GIVEN_UP, says)
        return
    pause = PAUSES[message.attempts - 1]
    _mine(message).update(next_try_at=timezone.now() + pause, last_error=says[:300])


def _settle(message: OutboxMessage, state: OutboxMessage.State, says: str) -> None:
    sent_at = timezone.now() if state == _STATE.SENT else None
    with transaction.atomic():
        is_mine = _mine(message).update(
            state=state, sent_at=sent_at, last_error=says[:300]
        )
        if is_mine and message.webhook is not None:
            webhooks.note_outcome(message.webhook, says if sent_at is None else "")


def _mine(message: OutboxMessage) -> QuerySet[OutboxMessage]:
    """The row, unless another worker took it meanwhile."""
    return OutboxMessage.objects.filter(
        pk=message.pk, state=_STATE.WAITING, attempts=message.attempts
    )


def forget_old(now: datetime) -> None:
    OutboxMessage.objects.exclude(state=_STATE.WAITING).filter(
        created_at__lt=now - KEPT
    ).delete()
