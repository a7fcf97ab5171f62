"""The form of a job: what it does and what happens when things go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Field

from accounts.models import User
from transfers import batch
from transfers.forms import LookMixin, PathField
from transfers.jobs.events import EVENTS
from transfers.jobs.form_batch import read_lines, with_known_fields
from transfers.jobs.form_words import HELP_TEXTS, LABELS
from transfers.jobs.models import Job, JobRole
from transfers.jobs.permissions import accounts_open_to
from transfers.templatetags.names import inert_text

MOST_GROUPS = 60
ACCESS = [
    ("", "Nothing; they do not see it"),
    ("see", "See it"),
    ("run", "See and run it"),
    ("edit", "See, run and edit it"),
]
_FIELD_OF = {"items": "batch"}
#: what fits or not depends on what the job does
_OF_A_KIND = {
    "destination_collection",
    "destination_path",
    "depth",
    "filters",
    "options",
    "items",
    "delete_extra",
}
#: whole numbers and choices that have a default, which an empty field means
_WITH_DEFAULT = (
    "missed_policy",
    "missed_most",
    "missed_grace_minutes",
    "overlap_policy",
    "retry_attempts",
    "retry_pause_minutes",
    "stall_policy",
    "stall_minutes",
)


class JobForm(LookMixin, forms.ModelForm[Job]):
    """``Job.clean`` says what is wrong where; the options have a form of their own."""

    batch = forms.CharField(
        label="Batch",
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 5,
                "spellcheck": "false",
                "wrap": "off",
                "class": "form-control mono",
            }
        ),
        help_text="Instead of the whole source path: a line per file or folder, as "
        "for globus transfer --batch. Paths without a slash in front lie below the "
        "two folders above.",
    )
    delete_confirm = forms.CharField(
        label="To confirm, type the destination path",
        required=False,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Everything below it that the source does not have is deleted at "
        "each run.",
    )
    retry_causes = forms.MultipleChoiceField(
        label="Only after these failures",
        choices=Job.Cause,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: after every failure.",
    )
    tell_events = forms.MultipleChoiceField(
        label="Tell when",
        choices=[(key, event.label) for key, event in EVENTS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Job
        fields: ClassVar = [
            "name",
            "service_account",
            "source_collection",
            "source_path",
            "destination_collection",
            "destination_path",
            "kind",
            "recursive",
            "depth",
            "label",
            "delete_extra",
            "missed_policy",
            "missed_most",
            "missed_grace_minutes",
            "overlap_policy",
            "retry_attempts",
            "retry_pause_minutes",
            "retry_causes",
            "stall_policy",
            "stall_minutes",
            "deadline_minutes",
            "long_minutes",
            "tell_events",
            "tell_owner",
            "tell_groups",
            "owner",
            "enabled",
        ]
        field_classes: ClassVar = {
            "source_path": PathField,
            "destination_path": PathField,
        }
        labels: ClassVar = LABELS
        help_texts: ClassVar = HELP_TEXTS
        widgets: ClassVar = {
            "source_path": forms.TextInput,
            "destination_path": forms.TextInput,
        }

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        """:param by: offers what this person may choose"""
        super().__init__(*args, **kwargs)
        self.by = by
        accounts = self.fields["service_account"]
        assert isinstance(accounts, forms.ModelChoiceField)
        accounts.queryset = accounts_open_to(by).filter(enabled=True)
        accounts.empty_label = "Choose…"
        accounts.error_messages["invalid_choice"] = (
            "This service account is switched off, or you may not use it. Choose "
            "another, or ask an administrator."
        )
        kinds = self.fields["kind"]
        assert isinstance(kinds, forms.ChoiceField)
        kinds.choices = [("", "Choose…"), *Job.Kind.choices]
        self._prepare_owner()
        for name in _WITH_DEFAULT:
            self.fields[name].required = False
        if not self.instance._state.adding or self.instance.items:
            self.initial.setdefault("batch", batch.written(self.instance.items))
        self._prepare_groups()
        self.dress()

    def _prepare_owner(self) -> None:
        owners = self.fields["owner"]
        assert isinstance(owners, forms.ModelChoiceField)
        # Whoever owns it now stays to be chosen, also if they are staff no more.
        staff = User.objects.filter(is_staff=True, is_active=True)
        current = User.objects.filter(pk=self.instance.owner_id or self.by.pk)
        owners.queryset = (staff | current).order_by("name", "preferred_username")
        owners.empty_label = None
        owners.required = False
        if not self.initial.get("owner"):  # a new row has an empty one
            self.initial["owner"] = self.by.pk

    def _prepare_groups(self) -> None:
        has = {role.group_id: role for role in self._roles_now()}
        self.groups = list(Group.objects.order_by("name")[:MOST_GROUPS])
        for group in self.groups:
            role = has.get(group.pk)
            self.fields[f"group_{group.pk}"] = forms.ChoiceField(
                label=inert_text(group.name),
                choices=ACCESS,
                required=False,
                initial=_access(role) if role else "",
            )

    def _roles_now(self) -> list[JobRole]:
        if self.instance._state.adding:
            return []
        return list(self.instance.roles.select_related("group"))

    @property
    def group_fields(self) -> list[forms.BoundField]:
        return [self[f"group_{group.pk}"] for group in self.groups]

    def roles(self) -> list[JobRole]:
        """Of the checked form; groups that it did not offer stay as they are."""
        offered = {group.pk for group in self.groups}
        kept = [role for role in self._roles_now() if role.group_id not in offered]
        chosen = [
            (group, self.cleaned_data.get(f"group_{group.pk}")) for group in self.groups
        ]
        return kept + [
            JobRole(
                job=self.instance,
                group=group,
                can_run=access in ("run", "edit"),
                can_edit=access == "edit",
            )
            for group, access in chosen
            if access
        ]

    def clean_batch(self) -> list[dict[str, Any]]:
        return read_lines(self.cleaned_data["batch"])

    def _lay_below(self, data: dict[str, Any]) -> None:
        """The paths of a batch as they are from the top of the collections."""
        for row in data["batch"]:
            for side in ("source_path", "destination_path"):
                if side not in self.errors:
                    row[side] = batch.below(data.get(side) or "/", row[side])

    def clean_source_path(self) -> str:
        return with_known_fields(self.cleaned_data["source_path"])

    def clean_destination_path(self) -> str:
        return with_known_fields(self.cleaned_data["destination_path"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in _WITH_DEFAULT:
            if data.get(name) in (None, "") and name not in self.errors:
                column = Job._meta.get_field(name)
                assert isinstance(column, Field)
                data[name] = column.get_default()
        if not data.get("owner"):
            data["owner"] = self.instance.owner if self.instance.owner_id else self.by
        if data.get("kind") == Job.Kind.LIST and data.get("batch"):
            self.add_error("batch", "A list takes one folder, and no batch.")
        elif data.get("batch"):
            self._lay_below(data)
        if data.get("kind") in Job.MOVING:
            data["depth"] = None
        self._clean_deletion(data)
        return data

    def _clean_deletion(self, data: Mapping[str, Any]) -> None:
        """Deleting is typed out, whenever it is new or means another place."""
        if not data.get("delete_extra"):
            return
        before = self.initial
        same = all(
            str(before.get(name) or "") == str(data.get(name) or "")
            for name in ("delete_extra", "destination_collection", "destination_path")
        )
        if same and not self.instance._state.adding:
            return
        path = data.get("destination_path")
        if path and data.get("delete_confirm") != path:
            self.add_error(
                "delete_confirm", f"Type {path} here, exactly, to have things deleted."
            )

    def _update_errors(self, errors: ValidationError) -> None:
        """What the row says of columns that are no field here, or called otherwise."""
        for name, found in errors.update_error_dict({}).items():
            if name in _OF_A_KIND and not self.cleaned_data.get("kind"):
                continue  # the row's default is not what somebody chose
            field = _FIELD_OF.get(name, name)
            self.add_error(field if field in self.fields else None, found)

    def _post_clean(self) -> None:
        if "batch" in self.cleaned_data:
            self.instance.items = self.cleaned_data["batch"]
        super()._post_clean()  # type: ignore[misc]  # the stubs leave it out


def _access(role: JobRole) -> str:
    if role.can_edit:
        return "edit"
    return "run" if role.can_run else "see"
