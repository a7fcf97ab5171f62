"""What was done, and the seals that show whether something is missing."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone


class AuditEvent(models.Model):
    """Something that was done with a credential, a right or a sign-in. Never changed.

    Names and ids are copied, not referenced: an entry outlives whoever it is about.
    ``kind`` reads ``subject:object:verb`` (``person:session:sign-in``).
    """

    class Outcome(models.TextChoices):
        OK = "ok", "OK"
        REFUSED = "refused"
        FAILED = "failed"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    kind = models.CharField(max_length=100, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OK)
    #: who did it: the id of a user; empty for the portal itself and for strangers
    actor_id = models.UUIDField(null=True, db_index=True)
    actor_name = models.CharField(max_length=255, blank=True)
    #: whom or what it concerns: ``user:<id>`` or ``service-account:<id>``
    owner_key = models.CharField(max_length=60, blank=True, db_index=True)
    owner_name = models.CharField(max_length=255, blank=True)
    #: the row of the token or secret that was used or changed
    credential_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=32, blank=True)
    #: small facts for people, never a secret and never text from outside unchecked
    detail = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["kind", "at"], name="audit_kind_at"),
            models.Index(fields=["request_id"], name="audit_request"),
            models.Index(fields=["credential_id"], name="audit_credential"),
            models.Index(fields=["address"], name="audit_address"),
            models.Index(
                fields=["-id"], condition=~Q(outcome="ok"), name="audit_not_ok"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.kind} {self.outcome}"


class AuditUnsealed(models.Model):
    """An entry that waits for its seal. A trigger adds it with the entry."""

    event_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"entry {self.event_id}"


class AuditSeal(models.Model):
    """A link of the chain over the audit. Never changed.

    ``digest`` covers one entry and the digest before it, so that an entry or a link
    that was changed or taken out shows (``manage.py verify_audit``). Links are made
    one after the other by a worker function, so that nobody who writes an entry waits.
    """

    number = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    #: SHA-256, in hexadecimal digits
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"seal {self.number} of entry {self.event_id}"
