"""Which groups of staff a job is shared with."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models


class JobRole(models.Model):
    """What everybody in a group of staff may do with one job, besides seeing it.

    A job without such rows is open to all staff; ``transfers.jobs.permissions`` is
    the only reader.
    """

    job = models.ForeignKey(
        "transfers.Job", on_delete=models.CASCADE, related_name="roles"
    )
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")
    can_run = models.BooleanField("run", default=False)
    can_edit = models.BooleanField("edit", default=False)

    class Meta:
        ordering: ClassVar = ["group__name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["job", "group"], name="one_role_per_job_and_group"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.words}"

    @property
    def words(self) -> str:
        if self.can_edit:
            return "see, run and edit"
        return "see and run" if self.can_run else "see"
