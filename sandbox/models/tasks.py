"""Transfers and deletes, and what happened to them."""

from django.db import models

from sandbox.models.auth import BrowserSession, Client, Identity
from sandbox.models.base import id_field


class Task(models.Model):
    """A transfer or a delete. ACTIVE, then SUCCEEDED or FAILED.

    INACTIVE means that a consent or a session ran out; it goes back to ACTIVE.
    ``document`` is what was submitted. The counters move while the task runs; the
    engine is their only writer.
    """

    id = id_field(primary_key=True)
    type = models.CharField(max_length=8)
    status = models.CharField(max_length=12, default="ACTIVE")
    submission_id = id_field()
    owner = models.ForeignKey(Identity, models.CASCADE)
    client = models.ForeignKey(Client, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.SET_NULL, null=True)
    label = models.CharField(max_length=128, null=True)  # noqa: DJ001 - JSON null
    document = models.JSONField()
    #: the items' paths and both collections, hashed: what makes two tasks identical
    fingerprint = models.CharField(max_length=64)
    source_id = id_field()
    #: "" for a delete
    destination_id = id_field(blank=True)
    requested_at = models.FloatField()
    completed_at = models.FloatField(null=True)
    deadline_at = models.FloatField()
    #: the service may move a deadline that nobody has set
    has_own_deadline = models.BooleanField(default=False)
    #: the timer that submitted it; "" is a client
    timer_id = id_field(blank=True)
    cancel_requested = models.BooleanField(default=False)
    nice_status = models.CharField(max_length=64, default="Queued")
    nice_status_details = models.TextField(blank=True)
    is_paused = models.BooleanField(default=False)
    #: an administrator paused this one task
    is_held = models.BooleanField(default=False)
    admin_message = models.TextField(blank=True)
    #: "", SOURCE, DESTINATION or BOTH
    canceled_by_admin = models.CharField(max_length=16, blank=True)
    fatal_error = models.JSONField(null=True)
    faults = models.IntegerField(default=0)
    files = models.IntegerField(default=0)
    directories = models.IntegerField(default=0)
    symlinks = models.IntegerField(default=0)
    files_skipped = models.IntegerField(default=0)
    files_transferred = models.IntegerField(default=0)
    bytes_transferred = models.IntegerField(default=0)
    bytes_checksummed = models.IntegerField(default=0)
    effective_bytes_per_second = models.IntegerField(default=0)
    subtasks_total = models.IntegerField(default=0)
    subtasks_succeeded = models.IntegerField(default=0)
    subtasks_failed = models.IntegerField(default=0)
    subtasks_expired = models.IntegerField(default=0)
    subtasks_canceled = models.IntegerField(default=0)
    subtasks_retrying = models.IntegerField(default=0)
    subtasks_skipped_errors = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-requested_at"]),
            models.Index(fields=["status", "requested_at"]),
            models.Index(fields=["fingerprint", "status"]),
            models.Index(fields=["timer_id"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "submission_id"], name="one_task_per_submission"
            )
        ]

    def __str__(self) -> str:
        return self.id


class TaskEvent(models.Model):
    """Something that happened to a task."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="events")
    code = models.CharField(max_length=64)
    is_error = models.BooleanField(default=False)
    description = models.CharField(max_length=255)
    details = models.TextField(blank=True)
    time = models.FloatField()

    def __str__(self) -> str:
        return self.code


class SuccessfulTransfer(models.Model):
    """A file that a finished transfer wrote."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="successes")
    source_path = models.TextField()
    destination_path = models.TextField()
    size = models.IntegerField()
    checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return self.destination_path


class SkippedError(models.Model):
    """A file that a transfer with ``skip_source_errors`` left out."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="skips")
    source_path = models.TextField()
    destination_path = models.TextField()
    error_code = models.CharField(max_length=64)
    error_details = models.TextField()
    error_time = models.FloatField()
    is_directory = models.BooleanField(default=False)
    is_symlink = models.BooleanField(default=False)
    external_checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return self.source_path


class AdminCancel(models.Model):
    """An order of an administrator over several tasks, for ``admin_cancel/<id>``."""

    id = id_field(primary_key=True)
    owner = models.ForeignKey(Identity, models.CASCADE)
    task_ids = models.JSONField()

    def __str__(self) -> str:
        return self.id
