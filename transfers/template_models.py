"""Options of a transfer that somebody keeps under a name."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models import User


class TransferTemplate(models.Model):
    """What a person fills into the form of a transfer again and again.

    :ivar fields: of the form: ``{name: [value, …]}``, never what was picked
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="transfer_templates"
    )
    name = models.CharField(max_length=100)
    fields = models.JSONField()
    #: whether the collections and folders are kept too
    has_places = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "name"], name="template_once_per_person"
            )
        ]

    def __str__(self) -> str:
        return self.name
