"""Jobs that staff define for service accounts, and every run of them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Role, ServiceAccount, User
from transfers.claims import sweep_time
from transfers.paths import BadPath, is_within, normalised


class Job(models.Model):
    """A stored piece of work: what a service account lists or transfers.

    The row is also the permission: a service account acts at these collections and
    paths, and nowhere else.
    """

    class Kind(models.TextChoices):
        LIST = "list", "List a folder"
        TRANSFER = "transfer", "Transfer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, related_name="jobs"
    )
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="jobs")
    source_collection = models.UUIDField(
        help_text="The collection's id, as the Globus web app shows it."
    )
    source_path = models.CharField(max_length=4096, default="/")
    destination_collection = models.UUIDField(null=True, blank=True)
    destination_path = models.CharField(max_length=4096, blank=True)
    recursive = models.BooleanField(
        default=False, help_text="List: also what lies in its folders."
    )
    label = models.CharField(max_length=128, blank=True)
    #: further fields of the transfer document, by Globus's names
    options = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="list") | Q(destination_collection__isnull=False),
                name="job_transfer_has_destination",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Says at each field what is wrong with it, all at once."""
        problems: dict[str, str] = {}
        self._clean_path("source_path", problems)
        if self.kind == self.Kind.TRANSFER:
            self._clean_destination(problems)
        elif self.destination_collection or self.destination_path:
            problems["destination_collection"] = "A listing has no destination."
        self._clean_options(problems)
        if problems:
            raise ValidationError(problems)

    def _clean_path(self, name: str, problems: dict[str, str]) -> None:
        try:
            setattr(self, name, normalised(getattr(self, name)))
        except BadPath as err:
            problems[name] = err.advice

    def _clean_destination(self, problems: dict[str, str]) -> None:
        if not self.destination_collection:
            problems["destination_collection"] = "Say where the files go."
        if not self.destination_path:
            problems["destination_path"] = "Say in which folder the files go."
        else:
            self._clean_path("destination_path", problems)
        if problems or self.source_collection != self.destination_collection:
            return
        if self.source_path.rstrip("/") == self.destination_path.rstrip("/"):
            problems["destination_path"] = (
                "Source and destination are the same folder of the same collection."
            )
        elif is_within(self.destination_path, self.source_path):
            problems["destination_path"] = "The destination lies inside the source."

    def _clean_options(self, problems: dict[str, str]) -> None:
        # Not at the top: submission needs the models.
        from transfers.submission import BadRequest, checked_options

        if not isinstance(self.options, dict):
            problems["options"] = "Options are written as a JSON object."
            return
        try:
            checked_options(self.options)
        except BadRequest as err:
            problems["options"] = err.advice

    def may_be_run_by(self, user: User) -> bool:
        """Whoever runs or changes a job acts as its service account."""
        mine = ServiceAccount.objects.open_to(user, Role.USE)
        return mine.filter(pk=self.service_account_id).exists()

    def inputs(self) -> dict[str, Any]:
        """What a run keeps of this job, whatever becomes of the job later."""
        return {
            "job": self.name,
            "kind": self.kind,
            "service_account": self.service_account.name,
            "client_id": str(self.service_account.client_id),
            "source_collection": str(self.source_collection),
            "source_path": self.source_path,
            "destination_collection": (
                str(self.destination_collection) if self.destination_collection else ""
            ),
            "destination_path": self.destination_path,
            "recursive": self.recursive,
            "label": self.label,
            "options": self.options,
        }


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> RunQuerySet:
        return self.exclude(state__in=Run.FINISHED)


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

    FINISHED = (
        State.SUCCEEDED,
        State.SUCCEEDED_WITH_SKIPS,
        State.FAILED,
        State.SKIPPED,
        State.CANCELLED,
    )
    #: states in which a task at Globus decides what comes next
    AT_GLOBUS = (State.SUBMITTED, State.MOVING, State.STALLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="runs")
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, related_name="runs"
    )
    triggered_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True)
    #: the job as it was when the run was asked for; see ``Job.inputs``
    inputs = models.JSONField()
    state = models.CharField(max_length=25, choices=State, default=State.WAITING)
    #: why it is in this state, in a sentence
    says = models.CharField(max_length=500, blank=True)
    #: null for a run that somebody started by hand
    scheduled_for = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    attempts = models.PositiveIntegerField(default=0)
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
    last_error = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=200, blank=True)
    #: Globus's own words: untrusted text
    error_detail = models.TextField(blank=True)

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
