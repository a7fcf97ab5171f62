"""When jobs are due: rows of schedules."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import User


class Schedule(models.Model):
    """One rhythm of a job; a job may have several.

    ``next_run_at`` is the next due time that no row of ``Run`` stands for yet. It
    moves in the transaction that inserts the run (``transfers.jobs.ledger``), and is
    empty when nothing is due any more: paused, over, or a rule that has come to its
    end. Change a schedule through ``transfers.jobs.planning``, which computes it anew.
    """

    class Kind(models.TextChoices):
        CRON = "cron", "Cron line"
        INTERVAL = "interval", "Every so many minutes"
        ONCE = "once", "Once"
        RULE = "rule", "Calendar rule (RFC 5545)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(
        "transfers.Job", on_delete=models.CASCADE, related_name="schedules"
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CRON)
    cron = models.CharField("cron line", max_length=200, blank=True)
    interval_minutes = models.PositiveIntegerField(
        "every so many minutes", null=True, blank=True
    )
    rule = models.CharField("calendar rule", max_length=1000, blank=True)
    zone = models.CharField("time zone", max_length=64, default="UTC")
    #: of a rule and an interval the moment from which they count; of once the moment
    start_at = models.DateTimeField("from", null=True, blank=True)
    #: the last moment at which it may be due
    end_at = models.DateTimeField("until", null=True, blank=True)
    #: dates in ``zone`` on which nothing is due: ``["2026-12-24", …]``
    excluded_dates = models.JSONField("days off", default=list, blank=True)
    #: weekly windows in ``zone`` in which nothing starts:
    #: ``[{"days": [0, …, 6], "from": "08:00", "to": "18:00"}, …]``; Monday is 0, a
    #: window whose end is not after its beginning ends on the next day
    blackouts = models.JSONField("blackout windows", default=list, blank=True)
    paused = models.BooleanField(default=False)
    paused_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    paused_reason = models.CharField(max_length=500, blank=True)
    next_run_at = models.DateTimeField(null=True, editable=False)
    #: why nothing is due any more, in a sentence; empty while something is
    says = models.CharField(max_length=500, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]
        indexes: ClassVar = [
            models.Index(
                fields=["next_run_at"],
                condition=Q(next_run_at__isnull=False),
                name="schedule_due",
            )
        ]

    def __str__(self) -> str:
        return f"schedule {self.pk}"
