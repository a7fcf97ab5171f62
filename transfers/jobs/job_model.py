"""What a job is: the work that a service account does, and by which rules."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import ServiceAccount, User
from transfers.jobs import templates, tree_rules
from transfers.jobs.desk import Desk
from transfers.jobs.policies import Policies
from transfers.paths import BadPath, is_within, normalised

#: levels of folders; as many as fit into the longest path
DEEPEST = 2048


class Job(Policies, Desk):
    """A stored piece of work: what a service account lists, transfers or mirrors.

    A mirror is a transfer with a sync level (among its options), and with
    ``delete_extra`` it also removes what the source does not have. Paths may hold
    fields, such as ``{scheduled_for:%Y-%m-%d}``; see ``transfers.jobs.templates``.

    The row is also the permission: a service account acts at these collections and
    paths, and nowhere else.
    """

    class Kind(models.TextChoices):
        LIST = "list", "List a folder"
        TRANSFER = "transfer", "Transfer"
        MIRROR = "mirror", "Mirror a folder"

    #: kinds that end in a task at Globus
    MOVING = (Kind.TRANSFER, Kind.MIRROR)

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
    #: List: levels of folders that are opened; 1 is the folder alone
    depth = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(DEEPEST)],
        help_text="List: levels of folders; 1 is the folder alone. Empty: all.",
    )
    #: List: see ``tree_rules.Rules.of``
    filters = models.JSONField(default=dict, blank=True)
    label = models.CharField(max_length=128, blank=True)
    #: further fields of the transfer document, by Globus's names
    options = models.JSONField(default=dict, blank=True)
    #: instead of the two paths: ``[{"source_path", "destination_path", "recursive"}]``,
    #: the last one true, false or null (Globus finds out)
    items = models.JSONField(default=list, blank=True)
    delete_extra = models.BooleanField(
        default=False,
        help_text="Mirror: delete at the destination what the source does not have.",
    )
    enabled = models.BooleanField(default=True)
    #: when the last run that succeeded was started; what changed since is news
    watermark = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="list") | Q(destination_collection__isnull=False),
                name="job_transfer_has_destination",
            ),
            models.CheckConstraint(
                condition=Q(delete_extra=False) | Q(kind="mirror"),
                name="job_only_mirrors_delete",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Says at each field what is wrong with it, all at once."""
        problems: dict[str, str] = {}
        self._clean_path("source_path", problems)
        if self.kind in self.MOVING:
            self._clean_destination(problems)
        elif self.destination_collection or self.destination_path:
            problems["destination_collection"] = "A listing has no destination."
        self._clean_part(problems)
        self._clean_options(problems)
        self._clean_mirror(problems)
        self._clean_policies(problems)
        if problems:
            raise ValidationError(problems)

    def _clean_path(self, name: str, problems: dict[str, str]) -> None:
        try:
            setattr(self, name, normalised(getattr(self, name)))
            templates.check(getattr(self, name))
        except (BadPath, templates.BadTemplate) as err:
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

    def _clean_part(self, problems: dict[str, str]) -> None:
        """Depth and filters of a list."""
        if not isinstance(self.filters, dict):
            problems["filters"] = "Filters are written as a JSON object."
        elif self.kind != self.Kind.LIST:
            if self.depth is not None or self.filters:
                problems["filters"] = "Only a list has a depth and filters of its own."
        elif says := tree_rules.problem_of(self.filters):
            problems["filters"] = says
        elif self.depth is not None and not self.recursive:
            problems["depth"] = "A depth needs “with all folders below”."

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

    def _clean_mirror(self, problems: dict[str, str]) -> None:
        if self.kind != self.Kind.MIRROR:
            if self.delete_extra:
                problems["delete_extra"] = "Only a mirror may delete anything."
        elif isinstance(self.options, dict) and "sync_level" not in self.options:
            problems.setdefault(
                "options", "Say by which sync level a mirror tells what is new."
            )

    def inputs(self) -> dict[str, Any]:
        """What a run keeps of this job, whatever becomes of the job later."""
        return {
            "job": self.name,
            "kind": self.kind,
            "service_account": self.service_account.name,
            "client_id": str(self.service_account.client_id),
            "source_collection": str(self.source_collection),
            "source_name": self.source_name,
            "source_path": self.source_path,
            "destination_name": self.destination_name,
            "destination_collection": (
                str(self.destination_collection) if self.destination_collection else ""
            ),
            "destination_path": self.destination_path,
            "recursive": self.recursive,
            "depth": self.depth,
            "filters": self.filters,
            "label": self.label,
            "options": self.options,
            "items": self.items,
            "delete_extra": self.delete_extra,
        }
