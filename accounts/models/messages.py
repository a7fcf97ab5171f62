"""Messages that leave the portal, and where webhooks go."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import vault
from accounts.models.people import User
from accounts.secret import Secret


class Webhook(models.Model):
    """An address that somebody wants to be told at; what is sent is signed.

    The key is shown once, when it is made, and sealed from then on. An address that
    takes nothing any more is switched off (``off_at``) until somebody looks at it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.CharField("address", max_length=1000)
    sealed_key = models.BinaryField(editable=False)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    #: messages in a row that were given up
    failures = models.PositiveSmallIntegerField(default=0)
    off_at = models.DateTimeField(null=True)
    off_because = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"webhook {self.pk}"

    def seal_key(self, key: str) -> None:
        self.sealed_key = vault.seal(key, self.binding_of("sealed_key"))

    def key(self) -> Secret:
        return vault.open_sealed(self.sealed_key, self.binding_of("sealed_key"))

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="webhook", column=column, row=str(self.pk), owner=f"webhook:{self.pk}"
        )


class OutboxMessage(models.Model):
    """Something to be told once, to a person by mail or to a webhook.

    Waiting -> Sent or Given up. Held -> In a digest, which is a message of its own.
    Quiet: nobody wants it by mail, or it was mended before it left. Put in with
    whatever it is about, in one transaction; ``key`` says what that is, so that it is
    told once however often it is noticed. Pages that are open show those of a person
    as well (``shown_at``).
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        HELD = "held", "Waits for the digest"
        QUIET = "quiet", "Not mailed"
        SENT = "sent"
        IN_DIGEST = "in_digest", "Sent in a digest"
        GIVEN_UP = "given_up", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: what happened to what, and whom it is told: ``run:<id>:failed:user:<id>``
    key = models.CharField(max_length=250, unique=True)
    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="outbox_messages"
    )
    webhook = models.ForeignKey(
        Webhook, null=True, on_delete=models.CASCADE, related_name="outbox_messages"
    )
    subject = models.CharField(max_length=200)
    #: the text of the mail
    body = models.TextField(blank=True)
    #: the document for a webhook
    payload = models.JSONField(default=dict, blank=True)
    #: a page of ours, for whoever is told in the browser
    path = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    #: when it is tried (again); while a worker has it, when it is taken for dead
    next_try_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    #: when a browser of the person has shown it, or there is nothing to show
    shown_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(webhook__isnull=True),
                name="message_has_one_recipient",
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["user", "created_at"],
                condition=Q(user__isnull=False, shown_at__isnull=True),
                name="outbox_unshown",
            ),
            models.Index(
                fields=["user"], condition=Q(state="held"), name="outbox_held"
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(state="waiting"),
                name="outbox_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"
