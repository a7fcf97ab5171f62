"""What was asked of Globus, by whom, and how far it got."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Principal, ServiceAccount, User, owner_fields
from portal.globus.requirements import Requirement
from transfers.claims import sweep_time
from transfers.history import Sample, TaskDetails
from transfers.jobs.inventory_models import (
    Inventory,
    InventoryChunk,
    InventoryFolder,
    InventoryPage,
    Trial,
)
from transfers.jobs.models import (
    Chore,
    Hold,
    Job,
    JobRole,
    JobVersion,
    Limit,
    Run,
    RunStep,
    Schedule,
    Share,
)
from transfers.template_models import TransferTemplate
from transfers.timer_rows import TimerWatch, TroubledTimer

__all__ = [
    "AskedTimer",
    "Chore",
    "Hold",
    "Inventory",
    "InventoryChunk",
    "InventoryFolder",
    "InventoryPage",
    "Job",
    "JobRole",
    "JobVersion",
    "Limit",
    "Run",
    "RunStep",
    "Sample",
    "Schedule",
    "Share",
    "TaskDetails",
    "TimerWatch",
    "Transfer",
    "TransferTemplate",
    "Trial",
    "TroubledTimer",
    "Watch",
]

#: A task that reports faults and has not moved for this long is called stalled.
STALLED_AFTER = timedelta(minutes=10)
#: Longer than a page waits for Globus.
CLAIM_OF_A_FORM = timedelta(minutes=1)


def one_principal(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(user__isnull=True) ^ Q(service_account__isnull=True), name=name
    )


class TransferQuerySet(models.QuerySet["Transfer"]):
    def owned_by(self, user: User) -> TransferQuerySet:
        """A person's own; what a service account did belongs to its runs."""
        return self.filter(user=user)

    def acted_by(self, principal: Principal) -> TransferQuerySet:
        return self.filter(**owner_fields(principal))

    def unfinished(self) -> TransferQuerySet:
        return self.exclude(status__in=Transfer.FINISHED)

    def finished(self) -> TransferQuerySet:
        return self.filter(status__in=Transfer.FINISHED)

    def unsent(self) -> TransferQuerySet:
        return self.filter(status=Transfer.Status.NEW)

    def at_globus(self) -> TransferQuerySet:
        """What the monitor watches."""
        return self.filter(status__in=Transfer.AT_GLOBUS)

    def waiting(self) -> TransferQuerySet:
        return self.filter(status=Transfer.Status.WAITING)

    def held_back(self) -> TransferQuerySet:
        """What waits here because Globus takes no more tasks for now."""
        return self.unsent().filter(place_asked_at__isnull=False)

    def stalled(self, now: datetime) -> TransferQuerySet:
        """What ``Transfer.is_stalled`` says of each, as a question to the database."""
        long_ago = now - STALLED_AFTER
        stands = Q(is_ok=False) & (
            Q(fault_since__lte=long_ago)
            | Q(fault_since__isnull=True, moved_at__lte=long_ago)
            | Q(fault_since__isnull=True, moved_at__isnull=True, sent_at__lte=long_ago)
        )
        return self.filter(
            Q(status=Transfer.Status.INACTIVE)
            | Q(status=Transfer.Status.UNKNOWN, missed_polls__gt=0)
            | Q(stands | Q(is_paused=True), status=Transfer.Status.ACTIVE)
        )


class Transfer(models.Model):
    """One submission to Globus, a copy or a deletion, by a person or a service account.

    New -> Active -> Succeeded or Failed (a cancelled task is Failed). Waiting means
    that a person must do something before it can be sent; then it is New again.
    Inactive means that Globus waits for the owner, and goes back to Active. Unknown
    is whatever Globus says that makes no sense, until it does again.

    ``submission_id`` is stored before the first POST and never changes, so that any
    repeat is the same submission. A task that was begun elsewhere, in the web app or
    with the CLI, has none; the monitor made its row.
    """

    class Origin(models.TextChoices):
        """Who started it."""

        PORTAL = "portal", "Here"
        JOB = "job", "A job"
        ELSEWHERE = "elsewhere", "Elsewhere"

    class Kind(models.TextChoices):
        TRANSFER = "TRANSFER", "Transfer"
        DELETE = "DELETE", "Deletion"

    class Status(models.TextChoices):
        """Globus's words, and before them our own."""

        NEW = "NEW", "About to be sent"
        WAITING = "WAITING", "Waits for you"
        ACTIVE = "ACTIVE", "Active"
        INACTIVE = "INACTIVE", "Inactive"
        UNKNOWN = "UNKNOWN", "Unknown"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"

    FINISHED = (Status.SUCCEEDED, Status.FAILED)
    AT_GLOBUS = (Status.ACTIVE, Status.INACTIVE, Status.UNKNOWN)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="transfers"
    )
    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.PROTECT, related_name="transfers"
    )
    asked_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PORTAL)
    #: what it repeats, whole or in part
    again_of = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="repeats"
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TRANSFER)
    #: what is sent to Globus, without the submission id
    document = models.JSONField()
    label = models.CharField(max_length=128, blank=True)
    source_id = models.UUIDField("source collection")
    source_name = models.CharField(max_length=255, blank=True)
    source_path = models.TextField(blank=True)
    destination_id = models.UUIDField("destination collection", null=True)
    destination_name = models.CharField(max_length=255, blank=True)
    destination_path = models.TextField(blank=True)
    items_count = models.PositiveIntegerField("items", default=1)

    submission_id = models.UUIDField(null=True, unique=True, editable=False)
    task_id = models.UUIDField(null=True, unique=True, editable=False)

    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    #: what a person must do, while the status is Waiting
    waiting_reason = models.CharField(max_length=500, blank=True)
    #: ids of the collections whose consent is missing, while Waiting
    required_collections = models.JSONField(default=list, blank=True)
    #: ``session_required_*`` that a sign-in must fulfil, while Waiting
    session_parameters = models.JSONField(default=dict, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=200, blank=True)
    #: Globus's own words: untrusted text
    error_detail = models.TextField(blank=True)

    #: a POST may have reached Globus without an answer that says what came of it
    outcome_open = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    #: when the sweep looks at it again, while the status is New
    next_try_at = models.DateTimeField(null=True, default=sweep_time)
    #: set while a worker is sending it
    claimed_at = models.DateTimeField(null=True)
    #: since when it could be sent; waiting for a person or a place does not count
    trying_since = models.DateTimeField(null=True)
    #: since when it waits for a place among the tasks that Globus takes, while New
    place_asked_at = models.DateTimeField(null=True)
    #: Globus refused it because of a task with the same paths: since when ...
    blocked_at = models.DateTimeField(null=True)
    #: ... and which, where that is known
    blocked_by = models.UUIDField(null=True)
    #: the sender wants it cancelled when it stalls
    cancel_if_stalled = models.BooleanField(default=False)
    #: somebody wants it cancelled, and a worker has yet to tell Globus
    cancel_wanted_at = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)
    #: a worker could not have it stopped, and does not try again by itself
    cancel_failed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: when its end was noticed by what tells people; of those begun elsewhere, too
    told_at = models.DateTimeField(null=True)
    #: since when its person knows of the trouble that it is in
    trouble_told_at = models.DateTimeField(null=True)

    # What the monitor last heard
    task_document = models.JSONField(null=True)
    checked_at = models.DateTimeField(null=True)
    #: when bytes or files last moved on
    moved_at = models.DateTimeField(null=True)
    #: polls in a row in which Globus did not know the task
    missed_polls = models.PositiveSmallIntegerField(default=0)
    nice_status = models.CharField(max_length=100, blank=True)
    #: fine, a fault, or (also when finished) nothing said
    is_ok = models.BooleanField(null=True)
    is_paused = models.BooleanField(default=False)
    #: the words of whoever paused it: untrusted text
    pause_message = models.TextField(blank=True)
    #: since when it has had this same trouble without moving
    fault_since = models.DateTimeField(null=True)
    faults = models.PositiveBigIntegerField(default=0)
    files = models.PositiveBigIntegerField(default=0)
    directories = models.PositiveBigIntegerField(default=0)
    files_transferred = models.PositiveBigIntegerField(default=0)
    files_skipped = models.PositiveBigIntegerField(default=0)
    bytes_transferred = models.PositiveBigIntegerField(default=0)
    #: on average, as Globus says
    bytes_per_second = models.PositiveBigIntegerField(default=0)
    #: between the last two polls
    speed_now = models.PositiveBigIntegerField(null=True)
    subtasks_total = models.PositiveBigIntegerField(default=0)
    subtasks_succeeded = models.PositiveBigIntegerField(default=0)
    subtasks_failed = models.PositiveBigIntegerField(default=0)
    #: files that could not be read and were left out on request
    subtasks_skipped_errors = models.PositiveBigIntegerField(default=0)
    requested_at = models.DateTimeField("accepted by Globus at", null=True)
    completed_at = models.DateTimeField("completed at Globus at", null=True)
    deadline = models.DateTimeField(null=True)
    #: what stood there when Globus was asked; not stored
    deadline_before: datetime | None = None

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            one_principal("transfer_has_one_principal"),
            models.CheckConstraint(
                condition=Q(task_id__isnull=True)
                | Q(submission_id__isnull=False)
                | Q(origin="elsewhere"),
                name="transfer_id_before_task",
            ),
            models.CheckConstraint(
                condition=Q(task_id__isnull=False)
                | ~Q(status__in=["ACTIVE", "INACTIVE", "UNKNOWN", "SUCCEEDED"]),
                name="transfer_at_globus_has_task",
            ),
            models.CheckConstraint(
                condition=Q(kind="DELETE") | Q(destination_id__isnull=False),
                name="transfer_has_destination",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at"], name="transfer_of_user"),
            models.Index(
                fields=["service_account", "-created_at"], name="transfer_of_account"
            ),
            models.Index(
                fields=["user", "service_account"],
                condition=Q(status__in=["ACTIVE", "INACTIVE", "UNKNOWN"]),
                name="transfer_watched",
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(status="NEW"),
                name="transfer_unsent",
            ),
            models.Index(
                fields=["user", "service_account"],
                condition=Q(status="NEW", place_asked_at__isnull=False),
                name="transfer_held_back",
            ),
            models.Index(
                fields=["cancel_wanted_at"],
                condition=Q(cancel_wanted_at__isnull=False),
                name="transfer_to_cancel",
            ),
            models.Index(
                fields=["finished_at"],
                condition=Q(
                    status__in=["SUCCEEDED", "FAILED"],
                    user__isnull=False,
                    told_at__isnull=True,
                ),
                name="transfer_untold",
            ),
            models.Index(
                fields=["user"],
                condition=Q(trouble_told_at__isnull=False),
                name="transfer_trouble_told",
            ),
            models.Index(
                fields=["blocked_by"],
                condition=Q(blocked_by__isnull=False),
                name="transfer_blocked",
            ),
        ]

    def __str__(self) -> str:
        return self.label or f"{self.get_kind_display()} {self.pk}"

    @property
    def principal(self) -> Principal:
        who = self.user or self.service_account
        assert who is not None
        return who

    @principal.setter
    def principal(self, who: Principal) -> None:
        for name, value in owner_fields(who).items():
            setattr(self, name, value)

    @property
    def is_finished(self) -> bool:
        return self.status in self.FINISHED

    @property
    def is_at_globus(self) -> bool:
        return self.status in self.AT_GLOBUS

    @property
    def can_be_cancelled(self) -> bool:
        return not self.is_finished and not self.is_being_cancelled

    @property
    def is_being_cancelled(self) -> bool:
        asked = self.cancel_asked_at or self.cancel_wanted_at
        return asked is not None and not self.is_finished

    @property
    def could_not_be_stopped(self) -> bool:
        """Whether it goes on although somebody cancelled it, until they do so again."""
        return self.cancel_failed_at is not None and self.can_be_cancelled

    @property
    def was_cancelled(self) -> bool:
        return self.status == self.Status.FAILED and self.error_code == "CANCELED"

    @property
    def has_skips(self) -> bool:
        return bool(self.subtasks_skipped_errors)

    def is_stalled(self, now: datetime) -> bool:
        """Whether it goes no further by itself: faults, and nothing moved for long."""
        if self.status == self.Status.INACTIVE:
            return True
        if self.status == self.Status.UNKNOWN:
            return bool(self.missed_polls)
        if self.status != self.Status.ACTIVE:
            return False
        return self.is_paused or self.stands_still(now)

    def stands_still(self, now: datetime) -> bool:
        """Whether the same trouble has kept it from moving for long."""
        since = self.fault_since or self.moved_at or self.sent_at
        return (
            self.is_ok is False and since is not None and now - since >= STALLED_AFTER
        )

    @property
    def began_at(self) -> datetime:
        return self.requested_at or self.sent_at or self.created_at

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for the end of a task with the same paths."""
        return self.blocked_at is not None and not self.is_at_globus

    @property
    def can_be_repeated(self) -> bool:
        """Globus tells no paths of what was begun elsewhere."""
        return not self.was_begun_elsewhere

    @property
    def has_file_list(self) -> bool:
        """Globus lists the files of a transfer that has ended."""
        return self.kind == self.Kind.TRANSFER and self.is_finished

    @property
    def was_begun_elsewhere(self) -> bool:
        return self.origin == self.Origin.ELSEWHERE

    @property
    def requirement(self) -> Requirement:
        """What a person must do at Globus, while Waiting."""
        stored = {**self.session_parameters, "collections": self.required_collections}
        return Requirement.from_json(stored)

    @property
    def progress(self) -> int | None:
        """Percent of the files (of a deletion: the steps) known so far.

        Nothing while Globus has not counted anything. Folders are expanded on the
        way, so it may go back; it is 100 only after Globus said so.
        """
        if self.status == self.Status.SUCCEEDED:
            return 100
        if self.kind == self.Kind.DELETE:
            done, of = self.subtasks_succeeded, self.subtasks_total
        else:
            done, of = self.files_transferred + self.files_skipped, self.files
        if not of:
            return None
        return min(99, done * 100 // of)

    @property
    def says(self) -> str:
        """How it stands, in a sentence."""
        if self.status == self.Status.WAITING:
            return self.waiting_reason
        if self.status == self.Status.SUCCEEDED and self.has_skips:
            return f"Done, but {self.subtasks_skipped_errors} could not be read."
        if self.was_cancelled:
            return "Cancelled."
        if self.is_being_cancelled:
            return "Globus is stopping it."
        if self.could_not_be_stopped:
            return "It could not be stopped and goes on. Cancel it again."
        if self.is_paused:
            return "The owner of a collection has paused it."
        return self.last_error or _SENTENCES[Transfer.Status(self.status)]


_SENTENCES = {
    Transfer.Status.NEW: "It is about to be sent to Globus.",
    Transfer.Status.ACTIVE: "Globus is working on it.",
    Transfer.Status.INACTIVE: "Globus waits for a new sign-in of its owner.",
    Transfer.Status.UNKNOWN: "Globus says something that we do not understand.",
    Transfer.Status.SUCCEEDED: "Done.",
    Transfer.Status.FAILED: "It failed.",
}


class Watch(models.Model):
    """When to ask Globus next about a principal's unfinished tasks.

    Asleep (``next_poll_at`` is null) while there are none. One monitor at a time
    holds ``claimed_at``; a claim of a monitor that died runs out.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        User, null=True, on_delete=models.CASCADE, related_name="watch"
    )
    service_account = models.OneToOneField(
        ServiceAccount, null=True, on_delete=models.CASCADE, related_name="watch"
    )
    next_poll_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    interval_seconds = models.PositiveSmallIntegerField(default=5)
    last_polled_at = models.DateTimeField(null=True)
    #: when a person last had a page open that shows these tasks
    looked_at = models.DateTimeField(null=True)
    #: up to when tasks that were begun elsewhere have been looked for
    listed_until = models.DateTimeField(null=True)
    #: why the last poll brought nothing; empty when it did
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [one_principal("watch_has_one_principal")]
        indexes: ClassVar = [
            models.Index(
                fields=["next_poll_at"],
                condition=Q(next_poll_at__isnull=False),
                name="watch_due",
            )
        ]
        verbose_name_plural = "watches"

    def __str__(self) -> str:
        return f"watch over {self.principal}"

    @property
    def principal(self) -> Principal:
        who = self.user or self.service_account
        assert who is not None
        return who

    @property
    def key(self) -> tuple[str, str]:
        """The arguments of the worker function that polls."""
        if self.user_id:
            return "user", str(self.user_id)
        return "service-account", str(self.service_account_id)


class AskedTimer(models.Model):
    """A timer that a form asked for, so that a form sent twice makes one.

    :ivar id: made with the form
    :ivar timer_id: at Globus, once it answered
    """

    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    timer_id = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"timer {self.timer_id or 'asked for'}"

    @classmethod
    def of(cls, user: User, form_id: uuid.UUID) -> AskedTimer:
        """
        :raises AskedTimer.DoesNotExist: the form is somebody else's
        """
        row, _ = cls.objects.get_or_create(id=form_id, defaults={"user": user})
        if row.user_id != user.pk:
            raise cls.DoesNotExist
        return row

    def claim(self, now: datetime) -> bool:
        """Whether the caller may make it; of two at once, one does."""
        free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM_OF_A_FORM)
        mine = AskedTimer.objects.filter(free, id=self.id, timer_id=None)
        return mine.update(claimed_at=now) == 1

    def let_go(self) -> None:
        """Nothing was made, so that another try may."""
        AskedTimer.objects.filter(id=self.id).update(claimed_at=None)

    def note(self, timer_id: uuid.UUID) -> uuid.UUID:
        self.timer_id = timer_id
        self.save(update_fields=["timer_id"])
        return timer_id


def principal_of(kind: str, pk: Any) -> Principal | None:
    """Whoever ``Watch.key`` names."""
    if kind == "user":
        return User.objects.filter(pk=pk).first()
    if kind == "service-account":
        return ServiceAccount.objects.filter(pk=pk).first()
    return None
