"""Tells people by mail, once, what work in the background needs of them.

A notice is claimed before its mail leaves and marked after it, so that a worker
function that is delivered twice sends one mail. Should a worker die between the two,
the sweep sends it again after a while, under the same Message-ID.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import asking, pending
from accounts.models import RequirementNotice, User
from portal.globus.requirements import Requirement

logger = logging.getLogger(__name__)

#: how long its message may be on its way before the sweep queues it again
QUEUE_GRACE = timedelta(seconds=30)
#: a mail server that did not take it is asked again after this long
CLAIM_LASTS = timedelta(minutes=10)
#: nobody wants to hear of it after this
STALE_AFTER = timedelta(days=3)
BATCH = 200


def tell(user: User, requirement: Requirement, says: str) -> RequirementNotice | None:
    """Notes what is needed of ``user``; nothing if they were told of it already.

    The caller queues the mail once this is committed.

    :param says: of ``asking.sentence``
    """
    if not settings.MAIL_WHEN_NEEDED or not _has_address(user):
        return None
    notice, is_new = RequirementNotice.objects.get_or_create(
        user=user,
        fingerprint=pending.fingerprint(requirement),
        settled_at=None,
        defaults={"says": f"{asking.TITLES[requirement.kind]}.\n\n{says}"},
    )
    return notice if is_new else None


def settle(user: User) -> None:
    """The person signed in: whatever is needed from now on is told anew."""
    RequirementNotice.objects.filter(user=user, settled_at=None).update(
        settled_at=timezone.now()
    )


def send(notice_id: UUID, *, link: str, now: datetime | None = None) -> None:
    """Mails one notice, if nobody did so yet.

    :param link: the address of the page that has the button
    """
    now = now or timezone.now()
    if not _unsent(now).filter(pk=notice_id).update(claimed_at=now):
        return
    notice = RequirementNotice.objects.select_related("user").get(pk=notice_id)
    if not notice.user.is_active:
        return
    try:
        _mail(notice, link).send()
    except (OSError, SMTPException) as err:
        # The claim stays, and runs out: that is the pause before the next try.
        logger.warning("Notice %s was not mailed: %s", notice_id, type(err).__name__)
        return
    RequirementNotice.objects.filter(pk=notice_id).update(mailed_at=timezone.now())


def due(now: datetime) -> list[UUID]:
    """Notices whose message was lost, or whose mail did not leave."""
    waiting = _unsent(now).filter(
        created_at__lt=now - QUEUE_GRACE, created_at__gt=now - STALE_AFTER
    )
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:BATCH])


def _unsent(now: datetime) -> QuerySet[RequirementNotice]:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_LASTS)
    return RequirementNotice.objects.filter(free, mailed_at=None, settled_at=None)


def _mail(notice: RequirementNotice, link: str) -> EmailMessage:
    host = settings.PUBLIC_BASE_URL.hostname
    return EmailMessage(
        subject="Something of yours waits for you in Causeway",
        body=(
            f"Hello {notice.user},\n\n"
            "work that you asked for goes on once you have done this:\n\n"
            f"{notice.says}\n\n"
            f"Sign in and press the button here:\n{link}\n\n"
            "You get one mail for this, however much waits for it.\n"
        ),
        to=[notice.user.email],
        headers={"Message-ID": f"<{notice.pk}@{host}>"},
    )


def _has_address(user: User) -> bool:
    try:
        validate_email(user.email)
    except ValidationError:
        return False
    return True
