"""How a person wants to be told of what happens: a row of wishes for each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

#: what a person can be told of, and how the settings say it
EVENTS = {
    "waits": "Something waits for me: a consent, a sign-in, a choice",
    "stalled": "A transfer does not get on, or its owner paused a collection",
    "failed": "A transfer or a repeat has failed",
    "succeeded": "A transfer is done",
}


def usual_events() -> list[str]:
    """Globus itself mails about each success."""
    return ["waits", "stalled", "failed"]


class Wishes(models.Model):
    """A person without a row has the defaults.

    ``next_digest_at`` is when what was held back is mailed, while mails come as a
    digest; whatever is held back after that waits for the next day.
    """

    class Mail(models.TextChoices):
        AT_ONCE = "at_once", "At once, a mail for each"
        DIGEST = "digest", "Together, once a day"
        NEVER = "never", "Never"

    user = models.OneToOneField(
        "accounts.User",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="wishes",
    )
    mail = models.CharField(max_length=10, choices=Mail, default=Mail.AT_ONCE)
    #: by the clock of the zone
    digest_hour = models.PositiveSmallIntegerField(default=8)
    zone = models.CharField("time zone", max_length=64, default="UTC")
    events = models.JSONField(default=usual_events)
    webhook = models.OneToOneField(
        "accounts.Webhook",
        null=True,
        on_delete=models.SET_NULL,
        related_name="wishes",
    )
    next_digest_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "wishes"
        indexes: ClassVar = [
            models.Index(
                fields=["next_digest_at"],
                condition=Q(next_digest_at__isnull=False),
                name="wishes_digest_due",
            )
        ]

    def __str__(self) -> str:
        return f"wishes of {self.user_id}"

    def digest_after(self, now: datetime) -> datetime:
        """The next time that it is the hour of the digest where the person is.

        An hour that the clocks leave out is the one after it.
        """
        local = now.astimezone(ZoneInfo(self.zone))
        due = local.replace(hour=self.digest_hour, minute=0, second=0, microsecond=0)
        if due <= local:
            # By the calendar: a day may have 23 hours.
            due = (due.replace(tzinfo=None) + timedelta(days=1)).replace(
                tzinfo=local.tzinfo
            )
        return due
