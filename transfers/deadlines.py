"""The moment at which Globus gives up, as people write it: by the clocks of a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

_ZONES = available_timezones()


class DeadlineFields(forms.Form):
    """A time and its zone; a script puts the person's own zone there.

    After cleaning ``deadline`` is a moment that is still to come, or nothing.
    """

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and not self.initial.get("deadline_zone"):
            self.fields["deadline_zone"].widget.attrs["data-zone"] = ""

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
