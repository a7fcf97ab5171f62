"""What the staff desk keeps of a job beside its work: names, versions, who is told."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models

from accounts.models import User, Webhook


def events_told_by_default() -> list[str]:
    return ["failed", "recovered", "missed", "stalled"]


class Desk(models.Model):
    """Columns of ``Job`` that only the desk reads and writes."""

    #: what the collections were called when somebody looked; untrusted text
    source_name = models.CharField(max_length=255, blank=True, editable=False)
    destination_name = models.CharField(max_length=255, blank=True, editable=False)
    #: of ``transfers.jobs.events.EVENTS``
    tell_events = models.JSONField(
        "tell of", default=events_told_by_default, blank=True
    )
    tell_owner = models.BooleanField("tell the owner by mail", default=True)
    tell_groups = models.BooleanField(
        "tell the groups that may run it by mail", default=False
    )
    long_minutes = models.PositiveIntegerField(
        "a run is long after (minutes)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="It is told, and goes on. Empty: no run is too long.",
    )
    webhook = models.ForeignKey(
        Webhook,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="jobs",
    )
    #: out of the lists, never run again; its runs stay
    archived_at = models.DateTimeField(null=True, editable=False)
    #: the version that the row is now
    version = models.ForeignKey(
        "transfers.JobVersion",
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        abstract = True


class JobVersion(models.Model):
    """How a job was, from one change to the next; never changed itself.

    :ivar content: of ``transfers.jobs.exchange.document``
    :ivar changes: what differs from the version before, a sentence each
    """

    job = models.ForeignKey(
        "transfers.Job", on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    content: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    changes: models.JSONField[list[str], list[str]] = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["job", "number"], name="one_version_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
