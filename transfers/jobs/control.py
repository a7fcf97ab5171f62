"""What holds runs back on purpose, and what shares the workers out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import ServiceAccount, User

if TYPE_CHECKING:
    from transfers.jobs.models import Job


class HoldQuerySet(models.QuerySet["Hold"]):
    def in_force(self) -> HoldQuerySet:
        return self.filter(ended_at__isnull=True)

    def beyond(self, job: Job) -> HoldQuerySet:
        """Those that hold this job back together with others."""
        return self.filter(
            Q(service_account=job.service_account_id) | Q(service_account=None),
            job=None,
        )


class Hold(models.Model):
    """Somebody stopped a job, a service account, or everything (neither is named).

    *Pause*: due times make runs, and those wait. *Drain*: what waits or runs goes on
    to its end, and nothing new comes: due times are skipped, each as a row. Never
    deleted; it ends.
    """

    class Mode(models.TextChoices):
        PAUSE = "pause", "Paused"
        DRAIN = "drain", "Draining"

    mode = models.CharField(max_length=10, choices=Mode, default=Mode.PAUSE)
    job = models.ForeignKey(
        "transfers.Job", null=True, on_delete=models.CASCADE, related_name="holds"
    )
    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.CASCADE, related_name="holds"
    )
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500)
    began_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = HoldQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-began_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(job__isnull=True) | Q(service_account__isnull=True),
                name="hold_names_one_thing",
            ),
            models.UniqueConstraint(
                fields=["job", "mode"],
                condition=Q(ended_at__isnull=True),
                name="one_hold_per_job",
            ),
            models.UniqueConstraint(
                fields=["service_account", "mode"],
                condition=Q(ended_at__isnull=True),
                name="one_hold_per_account",
            ),
            models.UniqueConstraint(
                fields=["mode"],
                condition=Q(
                    ended_at__isnull=True,
                    job__isnull=True,
                    service_account__isnull=True,
                ),
                name="one_hold_on_everything",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_mode_display()}: {self.reason}"

    @property
    def says(self) -> str:
        """Who holds what back and why, in a sentence."""
        who = str(self.by) if self.by else "an operator"
        if self.job_id:
            what = "The job"
        elif self.service_account_id:
            what = f"The service account {self.service_account}"
        else:
            what = "Everything"
        verb = "paused" if self.mode == self.Mode.PAUSE else "being drained"
        return f"{what} is {verb} (by {who}): {self.reason}"

    def is_in_force(self, now: datetime) -> bool:
        return self.ended_at is None or self.ended_at > now


class Limit(models.Model):
    """How many runs may be under way at once: with one service account, at one
    collection (as source or destination), or in all (neither is named).

    Globus's own limits hold besides (``transfers.jobs.sharing``).
    """

    service_account = models.OneToOneField(
        ServiceAccount,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="limit",
    )
    collection = models.UUIDField(null=True, blank=True, unique=True)
    most_running = models.PositiveIntegerField(
        "at most", validators=[MinValueValidator(1)]
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(service_account__isnull=True) | Q(collection__isnull=True),
                name="limit_names_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(most_running__gte=1), name="limit_lets_something_run"
            ),
        ]

    def __str__(self) -> str:
        if self.service_account_id:
            return f"{self.service_account}: {self.most_running} at once"
        if self.collection:
            return f"collection {self.collection}: {self.most_running} at once"
        return f"in all: {self.most_running} at once"

    def clean(self) -> None:
        if self.service_account_id and self.collection:
            raise ValidationError("Name a service account or a collection, not both.")


class Share(models.Model):
    """The last place in the line that an owner's runs were given.

    See ``transfers.jobs.sharing``: owners take turns, however much one of them asks.
    """

    owner = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE)
    last_rank = models.BigIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-last_rank"], name="share_front")]

    def __str__(self) -> str:
        return f"share of {self.owner}"


class Chore(models.Model):
    """Something that a tick does only now and then, by whoever comes first."""

    name = models.CharField(max_length=40, primary_key=True)
    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
