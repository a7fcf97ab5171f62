"""The options of a transfer by a person: those that all have, and those beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers import filters, options
from transfers.deadlines import DeadlineFields
from transfers.editing import as_globus_writes
from transfers.filters import Rule
from transfers.forms import LabelField
from transfers.options import MAILS, OptionFields

LONGEST_LOCAL_USER = 255
#: boxes of the form; one that is missing in a form that was sent was not ticked
BOXES = (
    "verify_checksum",
    "cancel_if_stalled",
    "store_base_path_info",
    "delete_destination_extra",
    *options.SWITCHES,
)
#: texts that are an option only when something stands in them
TEXTS = ("source_local_user", "destination_local_user")


class LocalUserField(forms.CharField):
    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=LONGEST_LOCAL_USER,
            help_text="Only if you have several accounts on this mapped collection.",
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )


class SendOptions(DeadlineFields, OptionFields):
    """The filter rules come beside the form; see ``transfers.filters``."""

    label = LabelField(
        help_text="What you will recognise it by in the list of transfers."
    )
    #: holds what is wrong with the rules; they themselves come beside the form
    filter_rules = forms.CharField(required=False, widget=forms.HiddenInput)
    delete_destination_extra = forms.BooleanField(
        label="Delete what the source does not have",
        required=False,
        help_text="Everything in the folders at the destination that is not at the "
        "source is deleted, for good.",
    )
    delete_confirm = forms.CharField(
        label="To confirm, type the name of the destination collection or folder",
        required=False,
        strip=False,
        max_length=8192,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    cancel_if_stalled = forms.BooleanField(
        label="Cancel it if it stalls",
        required=False,
        help_text="When the same fault has kept it from moving for ten minutes.",
    )
    store_base_path_info = forms.BooleanField(
        label="Keep the names of the folders it is about",
        required=False,
        help_text="Globus stores them with the task, so that those who manage the "
        "collections can see them in its list.",
    )
    source_local_user = LocalUserField("Local account at the source")
    destination_local_user = LocalUserField("Local account at the destination")

    def __init__(self, *args: Any, rules: Sequence[Rule] = (), **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.rules = list(rules)
        self.initial.setdefault("globus_mail", MAILS)

    def clean_filter_rules(self) -> list[dict[str, str]]:
        if trouble := filters.trouble_with_all(self.rules):
            raise ValidationError(trouble)
        return [rule.as_globus() for rule in self.rules if not rule.is_blank]

    @staticmethod
    def options(data: Mapping[str, Any]) -> dict[str, Any]:
        # Globus sends mail unless it is told not to.
        found = {
            name: value
            for name, value in options.chosen(data).items()
            if not (name.startswith("notify_on_") and value)
        }
        found |= {name: data[name] for name in TEXTS if data[name]}
        if data["store_base_path_info"]:
            found["store_base_path_info"] = True
        if data["filter_rules"]:
            found["filter_rules"] = data["filter_rules"]
        if data["deadline"]:
            found["deadline"] = as_globus_writes(data["deadline"])
        return found
