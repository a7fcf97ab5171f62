"""Every run of a job as a state machine, and all models of jobs under one name."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import ServiceAccount, User
from transfers.claims import sweep_time
from transfers.jobs.control import Chore, Hold, Limit, Share
from transfers.jobs.desk import JobVersion
from transfers.jobs.job_model import Job
from transfers.jobs.policies import Policies
from transfers.jobs.roles import JobRole
from transfers.jobs.timing import Schedule

__all__ = [
    "STEPS",
    "Chore",
    "Hold",
    "Job",
    "JobRole",
    "JobVersion",
    "Limit",
    "Run",
    "RunStep",
    "Schedule",
    "Share",
]


_UNDER_WAY = ["preparing", "submitted", "moving", "stalled"]
_ENDS = ["succeeded", "succeeded_with_skips", "failed", "skipped", "cancelled"]


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> RunQuerySet:
        return self.exclude(state__in=Run.FINISHED)

    def under_way(self) -> RunQuerySet:
        """What counts against limits."""
        return self.filter(state__in=Run.UNDER_WAY)


class Run(models.Model):
    """One execution of a job, as a state machine in this row.

    Waiting -> Preparing -> Submitted -> Moving <-> Stalled -> one of the ends. A list
    goes from Preparing to its end. Preparing goes back to Waiting when Globus is out
    of reach, or when the worker died. ``STEPS`` has every legal step.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        PREPARING = "preparing"
        SUBMITTED = "submitted"
        MOVING = "moving"
        STALLED = "stalled"
        SUCCEEDED = "succeeded"
        SUCCEEDED_WITH_SKIPS = "succeeded_with_skips", "Succeeded with skips"
        FAILED = "failed"
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "Schedule"
        HAND = "hand", "By hand"
        RERUN = "rerun", "Run again"
        RETRY = "retry", "Tried again after a failure"

    class Lineage(models.TextChoices):
        """What a run has of its parent."""

        SAME = "same", "The same input"
        FAILED_ONLY = "failed_only", "Only what failed"
        EDITED = "edited", "Edited input"

    class WaitsFor(models.TextChoices):
        WORKER = "worker", "a worker"
        LIMIT = "limit", "others to finish"
        BLACKOUT = "blackout", "the end of a blackout"
        HOLD = "hold", "the end of a pause"
        OVERLAP = "overlap", "an earlier run"
        RETRY = "retry", "its next try"

    FINISHED = (
        State.SUCCEEDED,
        State.SUCCEEDED_WITH_SKIPS,
        State.FAILED,
        State.SKIPPED,
        State.CANCELLED,
    )
    #: states in which a task at Globus decides what comes next
    AT_GLOBUS = (State.SUBMITTED, State.MOVING, State.STALLED)
    #: states that count against limits
    UNDER_WAY = (State.PREPARING, *AT_GLOBUS)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, related_name="runs", db_index=False
    )
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, related_name="runs"
    )
    triggered_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.HAND)
    schedule = models.ForeignKey(
        Schedule, null=True, on_delete=models.SET_NULL, related_name="runs"
    )
    #: the run that this one repeats
    parent = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="children",
        db_index=False,
    )
    lineage = models.CharField(max_length=15, choices=Lineage, blank=True)
    #: the version of the job that it runs
    job_version = models.ForeignKey(
        JobVersion, null=True, on_delete=models.PROTECT, related_name="runs"
    )
    #: the job as it was when the run was asked for; see ``Job.inputs``
    inputs = models.JSONField()
    #: as in the inputs, for limits and plots
    source_collection = models.UUIDField(null=True)
    destination_collection = models.UUIDField(null=True)
    state = models.CharField(max_length=25, choices=State, default=State.WAITING)
    #: why it is in this state, in a sentence
    says = models.CharField(max_length=500, blank=True)
    #: of a waiting run, with the sentence
    waits_for = models.CharField(
        max_length=10, choices=WaitsFor, default=WaitsFor.WORKER
    )
    #: null for a run that somebody started by hand
    scheduled_for = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: when it is stopped and has failed; set when it starts
    deadline_at = models.DateTimeField(null=True)
    #: since when nothing moves, while stalled
    stalled_at = models.DateTimeField(null=True)

    attempts = models.PositiveIntegerField(default=0)
    #: of a run that the retry policy made: the how-manieth try after the failure
    retry_number = models.PositiveSmallIntegerField(default=0)
    #: its place in the line; see ``transfers.jobs.sharing``
    rank = models.BigIntegerField(default=0)
    #: no worker takes it before
    ready_at = models.DateTimeField(default=timezone.now)
    #: how often a worker died with it
    takeovers = models.PositiveSmallIntegerField(default=0)
    #: when the sweep looks at it again, while it waits
    next_try_at = models.DateTimeField(null=True, default=sweep_time)
    claimed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    transfer = models.OneToOneField(
        "transfers.Transfer", null=True, on_delete=models.PROTECT, related_name="run"
    )
    #: of a list: count, bytes, files, folders, complete, entries (the first 1,000)
    result = models.JSONField(null=True)
    #: after a failure, of ``Policies.Cause``
    cause = models.CharField(max_length=10, choices=Policies.Cause, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=200, blank=True)
    #: Globus's own words: untrusted text
    error_detail = models.TextField(blank=True)

    #: when its end was looked at for ``transfers.jobs.notify``
    told_at = models.DateTimeField(null=True)
    #: what was told of it while it was under way
    told_of = models.JSONField(default=list)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["job", "scheduled_for"], name="one_run_per_due_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "preparing", "skipped", "cancelled"])
                | Q(started_at__isnull=False),
                name="run_started_before_it_ends",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["job", "-created_at"], name="run_of_job"),
            models.Index(
                fields=["next_try_at"],
                condition=Q(state="waiting"),
                name="run_waiting",
            ),
            models.Index(
                fields=["rank"], condition=Q(state="waiting"), name="run_line"
            ),
            models.Index(
                fields=["service_account", "rank"],
                condition=Q(state="waiting"),
                name="run_turn",
            ),
            models.Index(
                fields=["job"],
                condition=~Q(state__in=_ENDS),
                name="run_unfinished",
            ),
            models.Index(
                fields=["service_account"],
                condition=Q(state__in=_UNDER_WAY),
                name="run_under_way",
            ),
            models.Index(
                fields=["finished_at"],
                condition=Q(told_at__isnull=True, state__in=_ENDS),
                name="run_untold",
            ),
            models.Index(fields=["parent"], name="run_children"),
            models.Index(
                fields=["deadline_at"],
                condition=~Q(state__in=_ENDS) & Q(deadline_at__isnull=False),
                name="run_deadline",
            ),
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(state="preparing"),
                name="run_preparing",
            ),
            models.Index(
                fields=["transfer"],
                condition=Q(state__in=["submitted", "moving", "stalled"]),
                name="run_at_globus",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.state in self.FINISHED

    @property
    def succeeded(self) -> bool:
        return self.state in (self.State.SUCCEEDED, self.State.SUCCEEDED_WITH_SKIPS)


_S = Run.State
_ENDS_AT_GLOBUS = {_S.SUCCEEDED, _S.SUCCEEDED_WITH_SKIPS, _S.FAILED, _S.CANCELLED}

#: Every legal step; a state that leads nowhere is an end.
STEPS: dict[Run.State, set[Run.State]] = {
    _S.WAITING: {_S.PREPARING, _S.SKIPPED, _S.CANCELLED},
    _S.PREPARING: {_S.WAITING, _S.SUBMITTED, _S.SKIPPED} | _ENDS_AT_GLOBUS,
    _S.SUBMITTED: {_S.MOVING, _S.STALLED} | _ENDS_AT_GLOBUS,
    _S.MOVING: {_S.STALLED} | _ENDS_AT_GLOBUS,
    _S.STALLED: {_S.MOVING} | _ENDS_AT_GLOBUS,
} | {end: set() for end in Run.FINISHED}


class RunStep(models.Model):
    """What a run went through, in order; never changed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=25, choices=Run.State)
    says = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.state}: {self.says}"
