"""A job in one paragraph of plain words, for whoever has to answer for it.

Texts are plain: names in them are made inert (``names.inert_text``) and not escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from transfers.jobs.events import EVENTS
from transfers.jobs.models import Job, Schedule
from transfers.jobs.schedule_fields import blackouts_text
from transfers.templatetags.names import inert_text

DAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1440
#: characters of a path or a name in a sentence; all of it stands beside
LONGEST_IN_WORDS = 120
#: the hours that people call night
NIGHT = (*range(22, 24), *range(5))

_SYNC_WORDS = {
    0: "files that are not there yet",
    1: "files whose size differs",
    2: "files that are newer or whose size differs",
    3: "files whose checksum differs",
}


def paragraph(job: Job, schedules: Iterable[Schedule] = ()) -> str:
    """What the job does, when, and what happens when things go wrong."""
    rhythms = [when(each) for each in schedules]
    does = work(job)
    if not rhythms:
        said = f"When somebody runs it, {does}."
    elif len(rhythms) == 1:
        said = f"{rhythms[0]}, {does}."
    else:
        said = f"{does[0].upper()}{does[1:]}: {'; '.join(map(_small, rhythms))}."
    return " ".join([said, *troubles(job, is_scheduled=bool(rhythms)), *_told(job)])


def work(job: Job) -> str:
    who = _bold(job.service_account.name)
    source = place(job.source_name, job.source_collection, job.source_path)
    if job.kind == Job.Kind.LIST:
        return (
            f"{who} lists {source}{part_of_tree(job.recursive, job.depth, job.filters)}"
        )
    goal = place(job.destination_name, job.destination_collection, job.destination_path)
    verb = "mirrors" if job.kind == Job.Kind.MIRROR else "copies"
    if job.items:
        source = f"{counted(len(job.items), 'item')} below {source}"
    said = f"{who} {verb} {source} to {goal}"
    level = job.options.get("sync_level")
    if isinstance(level, int) and level in _SYNC_WORDS:
        said += f", only {_SYNC_WORDS[level]}"
    if job.delete_extra:
        said += ", and deletes there what the source does not have"
    return said


_TYPE_WORDS = {"file": "files", "dir": "folders", "link": "symbolic links"}


def part_of_tree(recursive: bool, depth: int | None, filters: Mapping[str, Any]) -> str:
    """“, 3 levels deep, files like *.csv, without tmp”."""
    said = " with all folders below" if recursive else ""
    if recursive and depth:
        said = f", {counted(depth, 'level')} deep"
    types = [_TYPE_WORDS.get(each, each) for each in filters.get("types", [])]
    if types:
        said += f", only {joined(types)}"
    if filters.get("include"):
        said += f", {'those' if types else 'files'} like {_few(filters['include'])}"
    out = [_few(filters["exclude"])] if filters.get("exclude") else []
    if filters.get("hidden") is False:
        out.append("what begins with a dot")
    return f"{said}, without {joined(out)}" if out else said


def _few(patterns: list[str]) -> str:
    """The first three; names of files are untrusted text."""
    words = [inert_text(each) for each in patterns[:3]]
    more = len(patterns) - 3
    return joined([*words, f"{more} more"] if more > 0 else words)


def place(name: str, collection_id: object, path: str) -> str:
    where = inert_text(_short(name)) if name else collection_id
    return f"{inert_text(_short(path))} on {where}"


def _short(text: str) -> str:
    """How it begins and how it ends: a path may be as long as four pages."""
    if len(text) <= LONGEST_IN_WORDS:
        return text
    half = LONGEST_IN_WORDS // 2
    return f"{text[:half]}…{text[-half:]}"


def when(schedule: Schedule) -> str:
    """“Every night at 02:00 Europe/London, except on 24 Dec 2026”."""
    kinds = Schedule.Kind
    if schedule.kind == kinds.CRON:
        said = f"{cron_in_words(schedule.cron)} {schedule.zone}"
    elif schedule.kind == kinds.INTERVAL:
        said = f"Every {span(schedule.interval_minutes or 0, one='')}"
    elif schedule.kind == kinds.ONCE:
        return f"Once, on {_moment(schedule.start_at, schedule.zone)}"
    else:
        said = f"By the calendar rule “{inert_text(schedule.rule)}”, {schedule.zone}"
    if schedule.start_at:
        said += f", from {_moment(schedule.start_at, schedule.zone)}"
    if schedule.end_at:
        said += f", until {_moment(schedule.end_at, schedule.zone)}"
    if schedule.excluded_dates:
        days = schedule.excluded_dates
        few = ", ".join(map(str, days[:3]))
        more = f" and {len(days) - 3} more days" if len(days) > 3 else ""
        said += f", except on {few}{more}"
    if schedule.blackouts:
        windows = "; ".join(blackouts_text(schedule.blackouts).splitlines())
        said += f", never within {windows}"
    if schedule.paused:
        said += " (paused)"
    return said


def cron_in_words(line: str) -> str:
    """The usual cron lines in words; any other as it stands."""
    fields = line.split()
    if len(fields) != 5:
        return f"By the cron line “{inert_text(line)}”"
    minute, hour, day, month, weekday = fields
    if month == "*" and minute.isdigit() and hour.isdigit():
        at = f"at {int(hour):02}:{int(minute):02}"
        if day == "*" and weekday == "*":
            part = "night" if int(hour) in NIGHT else "day"
            return f"Every {part} {at}"
        if day == "*" and (names := _weekdays(weekday)):
            return f"Every {names} {at}"
        if day.isdigit() and weekday == "*":
            return f"On day {int(day)} of every month {at}"
    if [hour, day, month, weekday] == ["*"] * 4:
        if minute.isdigit():
            return f"Every hour at minute {int(minute)}"
        step = minute.removeprefix("*/")
        if minute == "*" or step.isdigit():
            return f"Every {span(1 if minute == '*' else int(step), one='')}"
    return f"By the cron line “{inert_text(line)}”"


def _weekdays(field: str) -> str:
    if field == "1-5":
        return "working day"
    parts = field.split(",")
    if not all(part.isdigit() and int(part) <= 7 for part in parts):
        return ""
    return joined([DAYS[(int(part) - 1) % 7] for part in parts])


def troubles(job: Job, *, is_scheduled: bool) -> list[str]:
    """A sentence for each policy that says something."""
    said = []
    if is_scheduled:
        said += [_OVERLAP[Job.Overlap(job.overlap_policy)], _missed(job)]
    if job.retry_attempts:
        said.append(
            f"A run that fails is tried {counted(job.retry_attempts, 'more time')}, "
            f"the first after {span(job.retry_pause_minutes)}."
        )
    if job.kind != Job.Kind.LIST:
        does = (
            "it is cancelled"
            if job.stall_policy == Job.Stall.CANCEL
            else "it is told and goes on"
        )
        said.append(f"When nothing moves for {span(job.stall_minutes)}, {does}.")
    if job.deadline_minutes:
        said.append(f"No run lasts longer than {span(job.deadline_minutes)}.")
    return said


_OVERLAP = {
    Job.Overlap.SKIP: (
        "If the run before has not ended, the new one is skipped and says so."
    ),
    Job.Overlap.QUEUE: "If the run before still moves, the new one waits.",
    Job.Overlap.ALLOW: "Runs may go side by side.",
}


def _missed(job: Job) -> str:
    grace = span(job.missed_grace_minutes) if job.missed_grace_minutes else "any time"
    late = f"What could not start within {grace}"
    if job.missed_policy == Job.Missed.SKIP:
        return f"{late} is skipped."
    if job.missed_policy == Job.Missed.ONCE:
        return f"{late} is made up for by one run."
    return f"{late} is made up for, by up to {counted(job.missed_most, 'run')}."


def _told(job: Job) -> list[str]:
    if not job.tell_events:
        return ["Nobody is told when it fails."]
    people = []
    if job.tell_owner:
        people.append(str(job.owner))
    if job.tell_groups:
        people.append("its groups")
    if job.webhook_id:
        people.append("a webhook")
    if not people:
        return ["Nobody is told when it fails."]
    events = [EVENTS[each].words for each in EVENTS if each in job.tell_events]
    return [
        f"{joined([inert_text(each) for each in people])} "
        f"{'hears' if len(people) == 1 else 'hear'} of {joined(events)}."
    ]


def span(minutes: int, *, one: str = "1 ") -> str:
    """“90 minutes”, “2 hours”, “1 day”.

    :param one: what stands before a single one: “every hour” has nothing there
    """
    for size, word in ((MINUTES_PER_DAY, "day"), (MINUTES_PER_HOUR, "hour")):
        if minutes >= size and minutes % size == 0:
            return _span(minutes // size, word, one)
    return _span(minutes, "minute", one)


def _span(number: int, word: str, one: str) -> str:
    return f"{one}{word}" if number == 1 else f"{number:,} {word}s"


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def joined(words: list[str]) -> str:
    """“a, b and c”."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _moment(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return "a moment that is not chosen yet"
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%-d %b %Y at %H:%M} {zone}"


def _bold(text: str) -> str:
    return inert_text(text)


def _small(text: str) -> str:
    return f"{text[0].lower()}{text[1:]}"
