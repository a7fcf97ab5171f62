"""What a job does when things do not go as planned; columns of ``Job``."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

#: A month: nothing here waits longer.
MOST_MINUTES = 44_640


class Policies(models.Model):
    """Missed, overlapping, failing, stalling and overlong runs of a job."""

    class Missed(models.TextChoices):
        """Due times that passed while no scheduler was there, or that come too late."""

        SKIP = "skip", "Skip them"
        ONCE = "once", "Run once for all of them"
        ALL = "all", "Run each of them, the newest first to count"

    class Overlap(models.TextChoices):
        """A due time while an earlier run of the job has not ended."""

        SKIP = "skip", "Skip it"
        QUEUE = "queue", "Let one wait for its turn"
        ALLOW = "allow", "Run side by side"

    class Cause(models.TextChoices):
        """Why a run failed, as far as a retry cares."""

        GLOBUS = "globus", "Globus could not be reached"
        COLLECTION = "collection", "A collection did not answer"
        TASK = "task", "Globus gave the task up"
        DEADLINE = "deadline", "It took longer than it may"
        OTHER = "other", "Anything else"

    class Stall(models.TextChoices):
        TELL = "tell", "Tell somebody"
        CANCEL = "cancel", "Cancel it"

    missed_policy = models.CharField(
        "missed due times", max_length=10, choices=Missed, default=Missed.ONCE
    )
    missed_most = models.PositiveSmallIntegerField(
        "run at most",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Of the missed due times, when each of them is run.",
    )
    missed_grace_minutes = models.PositiveIntegerField(
        "still on time (minutes)",
        default=5,
        validators=[MaxValueValidator(MOST_MINUTES)],
        help_text="A run that starts no later than this was not missed.",
    )
    overlap_policy = models.CharField(
        "overlapping runs", max_length=10, choices=Overlap, default=Overlap.SKIP
    )
    retry_attempts = models.PositiveSmallIntegerField(
        "tries after a failure",
        default=0,
        validators=[MaxValueValidator(20)],
        help_text="Each is a run of its own, linked to the one that failed.",
    )
    retry_pause_minutes = models.PositiveIntegerField(
        "pause before the first of them (minutes)",
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MINUTES)],
        help_text="It doubles each time, up to a day.",
    )
    #: of ``Cause``; empty: every cause
    retry_causes = models.JSONField("which failures", default=list, blank=True)
    stall_policy = models.CharField(
        "stalled transfers", max_length=10, choices=Stall, default=Stall.TELL
    )
    stall_minutes = models.PositiveIntegerField(
        "after (minutes)",
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MINUTES)],
    )
    deadline_minutes = models.PositiveIntegerField(
        "longest run (minutes)",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MINUTES)],
        help_text="From its start; empty: no limit of ours.",
    )

    class Meta:
        abstract = True

    def _clean_policies(self, problems: dict[str, str]) -> None:
        if not _is_list_of(self.Cause.values, self.retry_causes):
            names = ", ".join(self.Cause.values)
            problems["retry_causes"] = f"Choose among these causes: {names}."

    def retries(self, cause: str) -> bool:
        """Whether a failure of this cause is tried again at all."""
        return self.retry_attempts > 0 and (
            not self.retry_causes or cause in self.retry_causes
        )


def _is_list_of(known: list[Any], value: Any) -> bool:
    return isinstance(value, list) and all(each in known for each in value)
