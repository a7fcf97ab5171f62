"""Mails about secrets that nobody uses or that have grown old; one for each (A07)."""

from __future__ import annotations

import logging
import smtplib
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from accounts import service_accounts
from accounts.models import ServiceAccountSecret, User

logger = logging.getLogger(__name__)

BATCH = 20


def send_due(*, now: datetime | None = None) -> int:
    """Mails the owner and the administrators; returns how many mails there were.

    A row is marked in the transaction that sends its mail. Mail that could not be sent
    leaves the mark out, so that it is tried again.
    """
    now = now or timezone.now()
    sent = 0
    for pk in _due(now).values_list("pk", flat=True)[:BATCH]:
        try:
            with transaction.atomic():
                sent += _remind(pk, now)
        except (smtplib.SMTPException, OSError):
            logger.exception("No reminder could be sent about secret %s", pk)
    return sent


def _due(now: datetime) -> QuerySet[ServiceAccountSecret]:
    last_use = Coalesce("used_at", "promoted_at", "created_at")
    unused = Q(last_use__lt=now - service_accounts.UNUSED_FOR) & (
        Q(unused_reminder_at__isnull=True) | Q(unused_reminder_at__lt=F("last_use"))
    )
    old = Q(
        created_at__lt=now - service_accounts.OLD_AFTER, age_reminder_at__isnull=True
    )
    return ServiceAccountSecret.objects.annotate(last_use=last_use).filter(
        unused | old,
        state=ServiceAccountSecret.State.ACTIVE,
        service_account__enabled=True,
    )


def _remind(pk: UUID, now: datetime) -> int:
    row = (
        _due(now)
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("service_account__owner")
        .filter(pk=pk)
        .first()
    )
    if row is None:
        return 0  # another worker has it
    warnings = service_accounts.warnings_about(row, now=now)
    if row.created_at < now - service_accounts.OLD_AFTER:
        row.age_reminder_at = now
    if service_accounts.last_use(row) < now - service_accounts.UNUSED_FOR:
        row.unused_reminder_at = now
    row.save(update_fields=["age_reminder_at", "unused_reminder_at"])
    addresses = recipients(row.service_account.owner)
    if not addresses:
        logger.warning("Nobody to remind about secret %s has an e-mail address", pk)
        return 0
    send_mail(
        f"Causeway: the secret of “{row.service_account.name}”",
        _text(row, warnings),
        None,
        addresses,
    )
    return 1


def recipients(owner: User) -> list[str]:
    """The named owner and all administrators."""
    people = User.objects.filter(Q(pk=owner.pk) | Q(is_superuser=True), is_active=True)
    return sorted({person.email for person in people if person.email})


def _text(row: ServiceAccountSecret, warnings: list[str]) -> str:
    account = row.service_account
    page = reverse("admin:accounts_serviceaccount_secrets", args=[account.pk])
    address = settings.PUBLIC_BASE_URL._replace(path=page).geturl()
    return (
        f"About the secret “{row.label}” of the service account “{account.name}”:\n\n"
        + "\n".join(f"- {warning}" for warning in warnings)
        + f"\n\n{address}\n\nThis mail is sent once."
    )
