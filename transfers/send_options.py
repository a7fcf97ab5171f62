"""The options of a transfer by a person: those that all have, and those beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from transfers import filters, options
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
_ZONES = available_timezones()


class LocalUserField(forms.CharField):
    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=LONGEST_LOCAL_USER,
            help_text="Only if you have several accounts on this mapped collection.",
            widget=forms.TextInput(attrs={"autocomplete": "off"}),
        )


class SendOptions(OptionFields):
    """The filter rules come beside the form; see ``transfers.filters``."""

    label = LabelField(
        help_text="What you will recognise it by in the list of transfers."
    )
    deadline = forms.DateTimeField(
        label="Give up at",
        required=False,
        help_text="Empty: Globus gives up when nothing has moved for a day or more.",
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
    deadline_zone = forms.CharField(
        label="Time zone of this time",
        required=False,
        initial="UTC",
        help_text="As in “Europe/London”; nothing stands for UTC.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
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
        if not self.is_bound and not self.initial.get("deadline_zone"):
            # A script puts the person's own zone here.
            self.fields["deadline_zone"].widget.attrs["data-zone"] = ""
        self.initial.setdefault("globus_mail", MAILS)

    def clean_filter_rules(self) -> list[dict[str, str]]:
        if trouble := filters.trouble_with_all(self.rules):
            raise ValidationError(trouble)
        return [rule.as_globus() for rule in self.rules if not rule.is_blank]

    def clean_deadline_zone(self) -> ZoneInfo:
        name = self.cleaned_data["deadline_zone"] or "UTC"
        if name not in _ZONES:
            raise ValidationError(
                "There is no such time zone. Write it as in “Europe/London”."
            )
        return ZoneInfo(name)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self._check_deadline(data)
        return data

    def _check_deadline(self, data: dict[str, Any]) -> None:
        written, zone = data.get("deadline"), data.get("deadline_zone")
        if written is None or zone is None:
            return
        moment = in_zone(written, zone)
        if moment is None:
            says = "There is no such time there: the clocks skip this hour."
            self.add_error("deadline", says)
        elif moment <= timezone.now():
            self.add_error("deadline", "This moment has passed already.")
        else:
            data["deadline"] = moment

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


def in_zone(written: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment at which clocks of the zone show this; nothing if they never do.

    :param written: as a field read it, in whatever zone
    """
    local = written.replace(tzinfo=zone)
    try:
        moment = local.astimezone(UTC)
        back = moment.astimezone(zone)
    except OverflowError:
        return written  # of the year 1 or 9999: refused for that, or far away
    return moment if back.replace(tzinfo=None) == local.replace(tzinfo=None) else None
