"""What is remembered of people's timers, which live at Globus and not here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class TimerWatch(models.Model):
    """When to look next how somebody's timers get on.

    Made when a person first uses timers here; asleep (``next_check_at`` is null) while
    none of theirs can run, or while the portal may not see them.
    """

    user = models.OneToOneField(
        "accounts.User",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="timer_watch",
    )
    next_check_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "timer watches"
        indexes: ClassVar = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="timer_watch_due",
            )
        ]

    def __str__(self) -> str:
        return f"watch over the timers of {self.user_id}"


class TroubledTimer(models.Model):
    """A timer that waits for its owner, or whose last run failed; gone when mended."""

    class Kind(models.TextChoices):
        WAITS = "waits"
        FAILED = "failed"

    #: at Globus
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, related_name="troubled_timers"
    )
    name = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=10, choices=Kind)
    says = models.CharField(max_length=500)
    since = models.DateTimeField(null=True)
    #: under which it was told
    key = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return f"timer {self.id}"
