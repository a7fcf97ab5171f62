"""When a transfer is repeated, as people say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from transfers.forms import LookMixin
from transfers.timers import LONGEST, LONGEST_NAME, SHORTEST, Schedule

UNITS = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
MOST_RUNS = 1_000_000
ZONES = available_timezones()


class NameForm(LookMixin, forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME,
        error_messages={"required": "Give it a name, so that you find it again."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()


class TimerForm(NameForm):
    """Globus counts in exact intervals from the first run on; it knows no weekdays."""

    repeats = forms.ChoiceField(
        label="How often",
        choices=[("every", "Again and again"), ("once", "Once, later")],
        initial="every",
    )
    every = forms.IntegerField(
        label="Every",
        required=False,
        initial=1,
        min_value=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    unit = forms.ChoiceField(
        label="Unit",
        choices=[(name, name) for name in UNITS],
        initial="days",
        required=False,
    )
    start = forms.DateTimeField(
        label="First run",
        required=False,
        help_text="Empty: at once.",
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
    zone = forms.CharField(
        label="Time zone of these times",
        initial="UTC",
        help_text="As in “Europe/London”. Globus repeats in exact intervals: where "
        "clocks change, the hour by the clock changes too.",
        widget=forms.TextInput(attrs={"spellcheck": "false"}),
    )
    ends = forms.ChoiceField(
        label="It ends",
        choices=[
            ("never", "when I end it"),
            ("runs", "after a number of runs"),
            ("until", "at a certain time"),
        ],
        initial="never",
        required=False,
    )
    runs = forms.IntegerField(
        label="Number of runs",
        required=False,
        min_value=1,
        max_value=MOST_RUNS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    until = forms.DateTimeField(
        label="No run after",
        required=False,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
    )

    schedule: Schedule

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            # A script puts the person's own zone here.
            self.fields["zone"].widget.attrs["data-zone"] = ""

    def clean_zone(self) -> ZoneInfo:
        name = self.cleaned_data["zone"].strip()
        if name not in ZONES:
            raise ValidationError(
                "There is no such time zone. Write it as in “Europe/London”."
            )
        return ZoneInfo(name)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self._check_interval(data)
        self._check_end(data)
        if not self.errors:
            self.schedule = self._schedule(data)
            self._check_moments()
        return data

    def _check_interval(self, data: dict[str, Any]) -> None:
        if data.get("repeats") != "every" or "every" in self.errors:
            return
        if not data.get("every") or data.get("unit") not in UNITS:
            self.add_error("every", "Say how much time lies between two runs.")
        elif not SHORTEST <= _interval(data) <= LONGEST:
            self.add_error(
                "every",
                "Globus repeats at most once a minute and at least once a year.",
            )

    def _check_end(self, data: dict[str, Any]) -> None:
        if data.get("repeats") != "every":
            return
        if data.get("ends") == "runs" and not data.get("runs"):
            self.errors.get("runs") or self.add_error(
                "runs", "Say after how many runs."
            )
        if data.get("ends") == "until" and not data.get("until"):
            self.errors.get("until") or self.add_error("until", "Say until when.")

    def _schedule(self, data: dict[str, Any]) -> Schedule:
        zone = data["zone"]
        start = _in_zone(data.get("start"), zone)
        if data["repeats"] == "once":
            return Schedule(start=start)
        return Schedule(
            start=start,
            interval=_interval(data),
            runs=data["runs"] if data["ends"] == "runs" else None,
            until=_in_zone(data["until"], zone) if data["ends"] == "until" else None,
        )

    def _check_moments(self) -> None:
        now, plan = timezone.now(), self.schedule
        if plan.start and plan.start < now - timedelta(minutes=1):
            self.add_error(
                "start", "This is in the past. Leave it empty to begin at once."
            )
        elif plan.start and plan.start > now + LONGEST:
            self.add_error("start", "Globus wants the first run within a year.")
        if plan.until and plan.until <= (plan.start or now):
            self.add_error("until", "It would end before its first run.")


def _interval(data: dict[str, Any]) -> timedelta:
    try:
        found: timedelta = data["every"] * UNITS[data["unit"]]
    except OverflowError:
        return timedelta.max
    return found


def _in_zone(value: datetime | None, zone: ZoneInfo) -> datetime | None:
    """The form's time was read as the portal's zone; it is meant in the person's."""
    if value is None:
        return None
    try:
        return value.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return value  # of the year 1 or 9999: refused for that


def schedule_words(plan: Schedule) -> str:
    """``every day, 7 times``"""
    if plan.interval is None:
        return "once"
    words = f"every {_interval_words(plan.interval)}"
    if plan.runs is not None:
        return f"{words}, {plan.runs} time{'' if plan.runs == 1 else 's'}"
    if plan.until is not None:
        return f"{words}, until {plan.until:%Y-%m-%d %H:%M} UTC"
    return words


def _interval_words(interval: timedelta) -> str:
    seconds = round(interval.total_seconds())
    for name, length in reversed(UNITS.items()):
        number, left = divmod(seconds, round(length.total_seconds()))
        if number and not left:
            return name.removesuffix("s") if number == 1 else f"{number} {name}"
    return f"{seconds} seconds"
