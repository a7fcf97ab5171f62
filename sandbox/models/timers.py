"""Timers and their runs."""

from django.db import models

from sandbox.models.auth import BrowserSession, Client, Identity
from sandbox.models.base import id_field


class Timer(models.Model):
    """Work that repeats on the virtual clock; each run submits a transfer.

    ``new`` until the runner has looked at it, then ``active``; ``inactive`` waits for
    its owner and says why; ``ended`` has no run left.
    """

    id = id_field(primary_key=True)
    owner = models.ForeignKey(Identity, models.CASCADE)
    client = models.ForeignKey(Client, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.SET_NULL, null=True)
    name = models.CharField(max_length=255)
    timer_type = models.CharField(max_length=16, default="transfer")
    schedule = models.JSONField()
    body = models.JSONField()
    status = models.CharField(max_length=16, default="new")
    inactive_reason = models.JSONField(null=True)
    submitted_at = models.FloatField()
    first_run_at = models.FloatField()
    last_ran_at = models.FloatField(null=True)
    next_run_at = models.FloatField(null=True)
    n_runs = models.IntegerField(default=0)
    n_errors = models.IntegerField(default=0)
    #: tries of the run that is due whose submission failed, and when the next one is
    tries = models.IntegerField(default=0)
    retry_at = models.FloatField(null=True)

    class Meta:
        indexes = [models.Index(fields=["status", "next_run_at"])]

    def __str__(self) -> str:
        return self.name


class TimerRun(models.Model):
    """One run of a timer: the task it made, or why it made none."""

    timer = models.ForeignKey(Timer, models.CASCADE, related_name="runs")
    ran_at = models.FloatField()
    #: when it was its turn; a jump of the clock lets it run later
    turn_at = models.FloatField()
    task_id = id_field(blank=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.task_id or self.error
