"""When a job runs, as a form: no schedule, or one of the four kinds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from transfers.forms import LookMixin
from transfers.jobs import schedules
from transfers.jobs.models import Schedule
from transfers.jobs.saving import is_other
from transfers.jobs.schedule_fields import blackouts, blackouts_text, days_off

#: that a person may want to pick
ZONES = [*sorted(name for name in available_timezones() if "/" in name), "UTC"]
BY_HAND = ""
KINDS = [
    (BY_HAND, "Only when somebody runs it"),
    (Schedule.Kind.CRON, "By a cron line"),
    (Schedule.Kind.INTERVAL, "Every so many minutes"),
    (Schedule.Kind.ONCE, "Once"),
    (Schedule.Kind.RULE, "By a calendar rule (RFC 5545)"),
]
_MOMENT = forms.TextInput(attrs={"type": "datetime-local"})
_PLAIN = {"autocomplete": "off", "spellcheck": "false", "class": "form-control mono"}


class ScheduleForm(LookMixin, forms.Form):
    """``schedule()`` is the row of a checked form, not saved; or nothing."""

    when = forms.ChoiceField(label="When it runs", choices=KINDS, required=False)
    cron = forms.CharField(
        label="Cron line",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_PLAIN | {"placeholder": "0 2 * * *"}),
        help_text="Minute, hour, day, month, weekday. “0 2 * * *” is every night at "
        "two, “30 6 * * 1-5” half past six on working days.",
    )
    interval_minutes = forms.IntegerField(
        label="Minutes from one to the next", required=False, min_value=1
    )
    rule = forms.CharField(
        label="Calendar rule",
        required=False,
        max_length=1000,
        widget=forms.TextInput(
            attrs=_PLAIN | {"placeholder": "FREQ=MONTHLY;BYDAY=-1FR"}
        ),
        help_text="“FREQ=MONTHLY;BYDAY=-1FR” is the last Friday of every month, at the "
        "time of the moment below.",
    )
    zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text="Like Europe/London. The clocks change as they do there.",
    )
    start_at = forms.CharField(
        label="From",
        required=False,
        widget=_MOMENT,
        help_text="In the time zone. For “once” it is the moment itself.",
    )
    end_at = forms.CharField(label="Until", required=False, widget=_MOMENT)
    days_off = forms.CharField(
        label="Days off",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A date like 2026-12-24 in each line.",
    )
    blackouts = forms.CharField(
        label="Never within",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A window in each line, like “Mon-Fri 08:00-18:00”. What is due in "
        "it waits for its end.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        schedule: Schedule | None = None,
        key: str = "",
    ) -> None:
        """:param key: of a further schedule, which cannot be “only by hand”"""
        prefix = f"schedule-{key}" if key else None
        super().__init__(data, initial=_initial(schedule), prefix=prefix)
        self.key = key
        self._row = schedule or Schedule()
        self._moments: dict[str, datetime | None] = {
            name: getattr(self._row, name) for name in ("start_at", "end_at")
        }
        if key:
            kinds = self.fields["when"]
            assert isinstance(kinds, forms.ChoiceField)
            kinds.choices, kinds.required = KINDS[1:], True
        self.dress()

    @property
    def zones(self) -> list[str]:
        return ZONES

    def clean_zone(self) -> str:
        name: str = self.cleaned_data["zone"].strip() or "UTC"
        if name not in available_timezones():
            raise ValidationError(
                f"There is no time zone “{name}”. Names are like Europe/Berlin."
            )
        return name

    def clean_start_at(self) -> datetime | None:
        return self._moment("start_at")

    def clean_end_at(self) -> datetime | None:
        return self._moment("end_at")

    def _moment(self, name: str) -> datetime | None:
        text = self.cleaned_data[name].strip()
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError as err:
            raise ValidationError("Write it like 2026-12-24 18:30.") from err
        zone = self.cleaned_data.get("zone")
        if text == self.initial.get(name) and zone == self.initial.get("zone"):
            # The text has no seconds, and names an hour that comes twice only once.
            return self._moments[name]
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone or "UTC"))
        return found

    def clean_days_off(self) -> list[str]:
        return days_off(self.cleaned_data["days_off"])

    def clean_blackouts(self) -> list[dict[str, Any]]:
        return blackouts(self.cleaned_data["blackouts"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("when") and not self.errors:
            row = self.schedule()
            assert row is not None
            if is_other(row):
                self._check(row)
        return data

    def _check(self, row: Schedule) -> None:
        try:
            schedules.check(row, timezone.now())
        except schedules.BadSchedule as err:
            for name, says in err.problems.items():
                self.add_error(_FIELDS.get(name, name), says)

    def schedule(self) -> Schedule | None:
        """:returns: nothing when the job only runs by hand"""
        data = self.cleaned_data
        kind = data.get("when")
        if not kind:
            return None
        row = self._row
        row.kind = kind
        row.cron = data["cron"].strip() if kind == Schedule.Kind.CRON else ""
        row.interval_minutes = (
            data["interval_minutes"] if kind == Schedule.Kind.INTERVAL else None
        )
        row.rule = data["rule"].strip() if kind == Schedule.Kind.RULE else ""
        row.zone = data["zone"]
        row.start_at = data["start_at"]
        if row.start_at is None and kind == Schedule.Kind.INTERVAL:
            row.start_at = timezone.now().replace(second=0, microsecond=0)
        row.end_at = data["end_at"]
        row.excluded_dates = data["days_off"]
        row.blackouts = data["blackouts"]
        return row


#: columns of a schedule whose field here is called otherwise
_FIELDS = {"kind": "when", "excluded_dates": "days_off"}


def _initial(schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {"when": BY_HAND, "zone": "UTC"}
    zone = ZoneInfo(schedule.zone)
    return {
        "when": schedule.kind,
        "cron": schedule.cron,
        "interval_minutes": schedule.interval_minutes,
        "rule": schedule.rule,
        "zone": schedule.zone,
        "start_at": _local(schedule.start_at, zone),
        "end_at": _local(schedule.end_at, zone),
        "days_off": "\n".join(schedule.excluded_dates),
        "blackouts": blackouts_text(schedule.blackouts),
    }


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" if moment else ""
