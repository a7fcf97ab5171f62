"""The forms of a job's page as one, and the steps that they are filled in by."""

from __future__ import annotations

import re
from typing import Any

from django.forms import Form
from django.http import QueryDict

from transfers.jobs.exchange import Parts
from transfers.jobs.form import JobForm
from transfers.jobs.form_filters import FiltersForm
from transfers.jobs.form_options import OptionsForm
from transfers.jobs.form_schedule import ScheduleForm
from transfers.jobs.models import Job, Schedule

#: further schedules that one form holds; a form has 200 fields (security.md W08)
MOST_FURTHER = 5
_KEY = re.compile(r"[0-9a-z-]{1,36}")

#: The fields of each step; what is wrong with them is said when the step is looked at.
STEPS = {
    "account": ("name", "service_account"),
    "source": ("service_account", "source_collection", "source_path"),
    "destination": ("service_account", "destination_collection", "destination_path"),
    "work": (
        "kind",
        "recursive",
        "batch",
        "delete_extra",
        "delete_confirm",
        "depth",
        "include",
        "exclude",
        "label",
        "sync_level",
        "filter_rules",
    ),
    "when": (
        "when",
        "cron",
        "interval_minutes",
        "rule",
        "zone",
        "start_at",
        "end_at",
        "days_off",
        "blackouts",
    ),
}
SIDES = ("source", "destination")
#: what a preflight needs of the form
STEPS["preflight"] = (
    *STEPS["account"],
    *STEPS["source"],
    *STEPS["destination"],
    *STEPS["work"],
)


class Forms:
    """The forms of the page, as one."""

    def __init__(
        self,
        data: QueryDict | None,
        *,
        job: Job,
        schedules: list[Schedule],
        by: Any,
        initial: dict[str, Any] | None = None,
    ) -> None:
        self.row = job
        self.options = OptionsForm(data, options=job.options)
        self.filters = FiltersForm(data, filters=job.filters)
        first, rest = (schedules[0] if schedules else None), schedules[1:]
        self.when = ScheduleForm(data, schedule=first)
        self.further, self.kept = _further(data, rest)
        self.job = JobForm(data, instance=job, by=by, initial=initial)
        self._kind = data.get("kind", "") if data is not None else job.kind

    @property
    def all(self) -> tuple[Form | JobForm, ...]:
        return self.job, self.options, self.filters, self.when, *self.further

    @property
    def errors(self) -> dict[str, Any]:
        return {name: said for form in self.all for name, said in form.errors.items()}

    def is_valid(self) -> bool:
        """The options first: the job's own rules look at them."""
        moves = self._kind in Job.MOVING
        if self.options.is_valid() and moves:
            self.row.options = self.options.options()
        elif not moves:
            self.row.options = {}
        if moves:
            self.row.filters = {}
        elif self.filters.is_valid():
            self.row.filters = self.filters.filters()
        if self._kind == Job.Kind.MIRROR and self.row.options.get("sync_level") is None:
            self.options.add_error(
                "sync_level", "Say how a mirror tells which files differ."
            )
            self.row.options = {**self.row.options, "sync_level": 1}
        return not self.errors  # of all, not only of the first that has some

    def keep_errors_of(self, step: str) -> None:
        """A form that is still being filled in is not blamed for what is to come."""
        for form in self.all:
            for name in set(form.errors) - set(STEPS.get(step, ())):
                del form.errors[name]

    def schedules(self) -> list[Schedule]:
        """Of the checked forms, and those that the page does not show."""
        found = (form.schedule() for form in (self.when, *self.further))
        return [*(each for each in found if each is not None), *self.kept]

    def parts(self) -> Parts:
        return Parts(self.row, self.job.roles(), self.schedules())


def _further(
    data: QueryDict | None, rows: list[Schedule]
) -> tuple[list[ScheduleForm], list[Schedule]]:
    """The forms of all schedules but the first, and the rows that have none.

    :param data: without ``schedules`` in it the page has not shown them: they stay
    """
    if data is None:
        shown, rest = rows[:MOST_FURTHER], rows[MOST_FURTHER:]
        return [ScheduleForm(schedule=row, key=str(row.pk)) for row in shown], rest
    if "schedules" not in data:
        return [], rows
    by_key = {str(row.pk): row for row in rows[:MOST_FURTHER]}
    keys = [key for key in data.getlist("schedule") if _KEY.fullmatch(key)]
    forms = [
        ScheduleForm(data, schedule=by_key.get(key), key=key)
        for key in [*dict.fromkeys(keys)][:MOST_FURTHER]
    ]
    return forms, rows[MOST_FURTHER:]


def add_schedule(data: QueryDict) -> None:
    """One more, that is still to be filled in."""
    keys = data.getlist("schedule")
    free = (f"n{number}" for number in range(1, MOST_FURTHER + 2))
    key = next(each for each in free if each not in keys)
    data.setlist("schedule", [*keys, key])
    data[f"schedule-{key}-when"] = Schedule.Kind.CRON
    data[f"schedule-{key}-zone"] = data.get("zone") or "UTC"


def drop_schedule(data: QueryDict, key: str) -> None:
    data.setlist("schedule", [each for each in data.getlist("schedule") if each != key])
