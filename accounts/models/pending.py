"""What waits for a person: requests that were kept, and notices."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import vault
from accounts.models.people import User
from accounts.secret import Secret


class PendingAction(models.Model):
    """What a person was doing when Globus asked them for something first.

    Kept -> Left (for Globus) -> Returned -> Fulfilled (what was asked is done, and was
    checked) -> Used, once. Nothing goes on after ``expires_at``; the row stays a while
    longer, so that a form can be opened again with all that was in it.

    The body of a POST is sealed: it holds no credential, but paths and labels say what
    somebody works on, and it outlives the request by hours.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="pending_actions"
    )
    #: of ``portal.globus.requirements.Requirement.as_json``
    requirement = models.JSONField(default=dict)
    #: two actions with the same one want the same of the same person
    fingerprint = models.CharField(max_length=64)
    method = models.CharField(max_length=4, default="GET")
    #: with its query
    path = models.TextField()
    #: the page that the form was on
    came_from = models.TextField(blank=True)
    sealed_body = models.BinaryField(null=True, editable=False)
    #: what of the request could not be kept, in a sentence
    left_out = models.CharField(max_length=200, blank=True)
    #: kept when nobody was signed in any more; the next sign-in is what it waits for
    was_signed_out = models.BooleanField(default=False)
    #: Globus asked for this again just after it was done
    asked_again = models.BooleanField(default=False)
    #: what the last sign-in did not show, in a sentence
    lacking = models.CharField(max_length=300, blank=True)
    rounds = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    left_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    fulfilled_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["user", "fingerprint"], name="pending_of_person")
        ]

    def __str__(self) -> str:
        return f"pending action {self.pk}"

    def seal_body(self, body: str) -> None:
        self.sealed_body = vault.seal(body, self.binding_of("sealed_body"))

    def body(self) -> Secret | None:
        if self.sealed_body is None:
            return None
        return vault.open_sealed(self.sealed_body, self.binding_of("sealed_body"))

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="pending_action",
            column=column,
            row=str(self.pk),
            owner=f"user:{self.user_id}",
        )


class RequirementNotice(models.Model):
    """Something that work in the background needs of a person, told once.

    Open -> Settled (the person signed in since). There is one open notice for one
    requirement, however many transfers wait for it and whoever notices.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    fingerprint = models.CharField(max_length=64)
    #: what Globus wants, for the mail
    says = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "fingerprint"],
                condition=Q(settled_at__isnull=True),
                name="one_open_notice",
            )
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}"
