"""What a tree held at one moment, and the tries that precede a run.

An inventory grows in two steps. While it is listed, one row per folder says whether
the folder waits, was read, or could not be read, and holds what was in it: those rows
are the checkpoint. Then its entries are settled, sorted by path, into chunks of a few
thousand rows each, and the rows of the folders go, but for those that were not read.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Principal, ServiceAccount, User
from transfers.claims import sweep_time
from transfers.jobs.models import Job, Run


class Inventory(models.Model):
    """Listing -> Settling -> Ready. What does not get there is never shown.

    The counters are exact at any moment: they change with the folder's row.
    """

    class State(models.TextChoices):
        LISTING = "listing"
        SETTLING = "settling"
        READY = "ready"

    class Part(models.TextChoices):
        """What it is for."""

        RUN = "run", "Of a run"
        SOURCE = "source", "Source of a dry run"
        DESTINATION = "destination", "Destination of a dry run"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: none for a dry run of what a person is about to send
    job = models.ForeignKey(
        Job,
        null=True,
        on_delete=models.PROTECT,
        related_name="inventories",
        db_index=False,
    )
    part = models.CharField(max_length=12, choices=Part, default=Part.RUN)
    run = models.OneToOneField(
        Run, null=True, on_delete=models.CASCADE, related_name="inventory"
    )
    trial = models.ForeignKey(
        "transfers.Trial",
        null=True,
        on_delete=models.CASCADE,
        related_name="inventories",
    )
    state = models.CharField(max_length=10, choices=State, default=State.LISTING)
    collection = models.UUIDField()
    path = models.CharField(max_length=4096)
    #: ``Rules.as_json``: only inventories by the same rules are compared
    rules = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    entries = models.BigIntegerField(default=0)
    files = models.BigIntegerField(default=0)
    folders = models.BigIntegerField(default=0)
    #: of its files
    bytes = models.BigIntegerField(default=0)
    folders_read = models.BigIntegerField(default=0)
    folders_unread = models.BigIntegerField(default=0)

    compared_with = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    new = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    gone = models.BigIntegerField(default=0)
    #: bytes of the files that are new and changed
    bytes_new = models.BigIntegerField(default=0)
    bytes_changed = models.BigIntegerField(default=0)
    bytes_gone = models.BigIntegerField(default=0)
    #: ``types``: ``[[extension, files, bytes], …]``, the most bytes first
    summary = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["job", "-created_at"], name="inventory_of_job"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["trial", "part"],
                condition=Q(trial__isnull=False),
                name="one_inventory_per_side",
            ),
            models.CheckConstraint(
                condition=Q(run__isnull=False) ^ Q(trial__isnull=False),
                name="inventory_of_a_run_or_a_trial",
            ),
        ]

    def __str__(self) -> str:
        return f"inventory {self.pk}"

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def is_complete(self) -> bool:
        """Every folder was read: what is not in it was not there."""
        return self.folders_unread == 0


class InventoryFolder(models.Model):
    """A folder of an inventory: to be read, read, or not readable.

    :ivar says: why not all that is in it is known; empty if it is
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        READ = "read"
        UNREAD = "unread"

    id = models.BigAutoField(primary_key=True)
    inventory = models.ForeignKey(
        Inventory, on_delete=models.CASCADE, related_name="tree"
    )
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    #: UTF-8, lone surrogates included; ends in a slash. Bytes sort as names do
    path = models.BinaryField()
    #: SHA-256 of the path, which is too long for an index
    digest = models.BinaryField(max_length=32)
    depth = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    says = models.CharField(max_length=300, blank=True)
    #: how many answers of Globus its rows came in
    answers = models.PositiveIntegerField(default=0)
    files = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    #: with all that lies below
    tree_files = models.BigIntegerField(default=0)
    tree_bytes = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["inventory", "digest"], name="folder_once_per_inventory"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["inventory", "id"],
                condition=Q(state="waiting"),
                name="folder_waiting",
            ),
            models.Index(fields=["inventory", "depth"], name="folder_by_depth"),
            models.Index(
                fields=["inventory"],
                condition=~Q(says=""),
                name="folder_not_sure",
            ),
            models.Index(fields=["parent"], name="folder_parent"),
        ]

    def __str__(self) -> str:
        return f"folder {self.pk}"

    @property
    def path_text(self) -> str:
        return bytes(self.path).decode("utf-8", "surrogatepass")


class InventoryPage(models.Model):
    """Rows of one folder as they came, sorted by name; see ``chunks.packed``.

    The pages of one ``answer`` follow each other; those of two answers are merged.
    """

    inventory = models.ForeignKey(
        Inventory, on_delete=models.CASCADE, related_name="pages"
    )
    folder = models.ForeignKey(
        InventoryFolder, on_delete=models.DO_NOTHING, related_name="pages"
    )
    answer = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["folder", "answer", "number"], name="page_of_folder"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["inventory"], name="page_of_inventory")
        ]

    def __str__(self) -> str:
        return f"page {self.pk}"


class InventoryChunk(models.Model):
    """Some thousand entries, sorted by folder and name, and what can be known of them
    without opening it. Gone ones have a row of chunks of their own.
    """

    class Kind(models.TextChoices):
        HERE = "here"
        GONE = "gone"

    inventory = models.ForeignKey(
        Inventory, on_delete=models.CASCADE, related_name="chunks", db_index=False
    )
    kind = models.CharField(max_length=4, choices=Kind)
    number = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    #: how many rows of its kind come before it
    begins_at = models.BigIntegerField()
    first_folder = models.BinaryField()
    last_folder = models.BinaryField()
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    #: of its files; null if it has none
    smallest = models.BigIntegerField(null=True)
    largest = models.BigIntegerField(null=True)
    #: seconds since 1970; null if no entry says
    oldest = models.BigIntegerField(null=True)
    newest = models.BigIntegerField(null=True)
    data = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["inventory", "kind", "number"], name="chunk_of_inventory"
            )
        ]

    def __str__(self) -> str:
        return f"chunk {self.pk}"


class Trial(models.Model):
    """A preflight or a dry run, of a job or of what a person is about to send or to
    save: a worker carries it out, nothing is changed at the destination.

    Waiting -> Working -> Done or Failed; back to Waiting when the worker died or
    Globus is out of reach.
    """

    class Kind(models.TextChoices):
        PREFLIGHT = "preflight", "Preflight"
        DRY_RUN = "dry_run", "Dry run"

    class State(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    FINISHED = (State.DONE, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(
        Job, null=True, on_delete=models.CASCADE, related_name="trials"
    )
    #: whose transfer, or whose unsaved job, it is about
    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="trials"
    )
    #: of an unsaved job
    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.CASCADE, related_name="+"
    )
    kind = models.CharField(max_length=9, choices=Kind)
    asked_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: the job as it was, see ``Job.inputs``; a person's: ``transfers.trying``; an
    #: unsaved job's: ``transfers.jobs.drafts``
    inputs = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    says = models.CharField(max_length=500, blank=True)
    #: of a preflight: the checklist; see ``preflight.Checklist.as_json``
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=sweep_time)
    claimed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(
                F("job"), F("kind"), F("created_at").desc(), name="trial_of_job"
            ),
            models.Index(
                F("user"),
                F("created_at").desc(),
                condition=Q(user__isnull=False),
                name="trial_of_user",
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(state="waiting"),
                name="trial_waiting",
            ),
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(state="working"),
                name="trial_working",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(job__isnull=False) ^ Q(user__isnull=False),
                name="trial_of_a_job_or_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def principal(self) -> Principal:
        """Who looks: the job's service account, or the person."""
        if self.job is not None:
            return self.job.service_account
        if self.service_account is not None:
            return self.service_account
        assert self.user is not None
        return self.user

    @property
    def is_finished(self) -> bool:
        return self.state in self.FINISHED

    @property
    def facts(self) -> dict[str, Any]:
        return self.result or {}
