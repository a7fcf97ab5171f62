"""Reads the document of a job, and says everything that is wrong with it at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import CharField, DateTimeField, Field, Model

from accounts.models import ServiceAccount, User
from portal.globus.errors import PortalError
from transfers import batch
from transfers.jobs import schedules, templates
from transfers.jobs.events import EVENTS
from transfers.jobs.exchange import FORMAT, PLAIN, POLICIES, SCHEDULE, TOLD, Parts
from transfers.jobs.models import Job, JobRole, Schedule
from transfers.paths import BadPath, normalised
from transfers.storable import storable, storable_text

LARGEST_DOCUMENT = 1_000_000  # bytes
MOST_SCHEDULES = 20


class CannotImport(PortalError):
    """:ivar problems: a sentence each"""

    title = "This cannot be taken in"
    status = 400

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


def parsed(text: str | bytes) -> Any:
    """:raises CannotImport: it is no JSON document of ours"""
    if len(text) > LARGEST_DOCUMENT:
        raise CannotImport(["The document is larger than a job can be."])
    try:
        found = json.loads(text)
    except ValueError as err:
        raise CannotImport([f"This is not JSON: {err}."]) from err
    except RecursionError as err:
        raise CannotImport(["This is not a job: it is nested too deeply."]) from err
    return storable(found)


def read(
    found: Any,
    *,
    owner: User,
    name: str = "",
    accounts: Callable[[], Iterable[ServiceAccount]],
) -> Parts:
    """The job of a document; checked here, and at Globus by whoever saves it.

    :param name: instead of the document's
    :param accounts: the service accounts that may be chosen
    :raises CannotImport: everything that is wrong, each as a sentence
    """
    if not isinstance(found, Mapping) or found.get("causeway_job") != FORMAT:
        raise CannotImport(
            [f"This is not a job of Causeway: “causeway_job” has to be {FORMAT}."]
        )
    problems: list[str] = []
    job = Job(owner=owner)
    unknown = sorted(set(found) - _KNOWN)
    problems += [f"There is no part “{str(each)[:40]}” in a job." for each in unknown]
    _fill(job, found, PLAIN, problems)
    _fill(job, _part(found, "policies", problems), POLICIES, problems)
    _fill(job, _part(found, "told", problems), TOLD, problems)
    job.name = storable_text(name) or job.name
    _find_account(job, found.get("service_account"), accounts(), problems)
    for side in ("source", "destination"):
        _find_collection(job, side, found.get(f"{side}_collection"), problems)
    parts = Parts(job)
    parts.roles = _roles(job, found.get("groups") or [], problems)
    parts.schedules = _schedules(job, found.get("schedules") or [], problems)
    if not problems:
        problems = check(parts)
    if problems:
        raise CannotImport(problems)
    return parts


_KNOWN = {
    "causeway_job",
    *PLAIN,
    "service_account",
    "source_collection",
    "destination_collection",
    "policies",
    "told",
    "groups",
    "schedules",
}


def check(parts: Parts) -> list[str]:
    """What the rows themselves have to say; empty when they can be saved."""
    problems: list[str] = []
    _check(parts.job, "", problems)
    problems += _bad_items(parts.job.items)
    told = parts.job.tell_events
    if not isinstance(told, list) or not all(
        isinstance(each, str) and each in EVENTS for each in told
    ):
        problems.append(f"Tell of: choose among {', '.join(EVENTS)}.")
    for number, schedule in enumerate(parts.schedules, start=1):
        _check(schedule, f"Schedule {number}, ", problems)
        try:
            schedules.rhythm_of(schedule)
        except schedules.BadSchedule as err:
            problems += [f"Schedule {number}: {each}" for each in err.problems.values()]
    return problems


def _bad_items(items: Any) -> list[str]:
    """What is wrong with a batch that no form has read."""
    if not isinstance(items, list) or len(items) > batch.MOST_LINES:
        return ["“items” is a list of things to copy."]
    for number, item in enumerate(items, start=1):
        try:
            line = batch.Line.from_json(item)
            paths = line.source_path, line.destination_path
            for path in paths:
                templates.check(normalised(path))
            batch.line_of(paths, line.recursive, line.external_checksum)
            if line.as_json() | item != line.as_json():
                return [f"Item {number} has parts that are not known."]
        except batch.BadLine as err:
            return [f"Item {number}: {err}"]
        except (BadPath, templates.BadTemplate) as err:
            return [f"Item {number}: {err.advice}"]
        except (AttributeError, KeyError, TypeError):
            return [f"Item {number} of “items” needs source_path, destination_path."]
    return []


def _check(row: Job | Schedule, what: str, problems: list[str]) -> None:
    exclude = {"job"} if isinstance(row, Schedule) else set()
    try:
        row.full_clean(exclude=exclude)
    except ValidationError as err:
        problems += [
            f"{what}{name}: {says}" if name != "__all__" else f"{what}{says}"
            for name, sentences in err.message_dict.items()
            for says in sentences
        ]
    except (TypeError, ValueError) as err:
        problems.append(f"{what}a value has the wrong type ({err}).")


def _part(found: Mapping[str, Any], name: str, problems: list[str]) -> Any:
    part = found.get(name, {})
    if isinstance(part, Mapping):
        return part
    problems.append(f"“{name}” has to be an object.")
    return {}


def _fill(
    row: Model, values: Mapping[str, Any], names: Iterable[str], problems: list[str]
) -> None:
    names = set(names)
    for name, value in values.items():
        if name not in names:
            continue
        column = row._meta.get_field(name)
        assert isinstance(column, Field)
        if isinstance(column, CharField) and not isinstance(value, str):
            problems.append(f"“{name}” has to be text.")
            continue
        try:
            setattr(row, name, _read_value(column, value))
        except (ValidationError, TypeError, ValueError, OverflowError):
            problems.append(f"“{name}” cannot be {json.dumps(value)[:60]}.")


def _read_value(column: Field[Any, Any], value: Any) -> Any:
    """:raises ValueError: and whatever a column raises of what it cannot hold"""
    if value is None:
        if not column.null:
            raise ValueError
        return None
    found = column.to_python(value)
    if isinstance(column, DateTimeField):
        # A moment without its offset is another one in each zone; and what cannot
        # be told in UTC cannot be compared or stored.
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC)
    return found


def _find_account(
    job: Job, wanted: Any, accounts: Iterable[ServiceAccount], problems: list[str]
) -> None:
    client_id = wanted.get("client_id") if isinstance(wanted, Mapping) else None
    known = {str(each.client_id): each for each in accounts}
    account = known.get(str(client_id))
    if account is not None:
        job.service_account = account
        return
    if not client_id:
        problems.append(
            "The document does not say which service account acts. Put "
            '"service_account" into it, with the "client_id" of one.'
        )
        return
    named = wanted.get("name")
    problems.append(
        f"There is no service account with the client ID {str(client_id)[:60]} here "
        f"that you may use (it was called “{str(named)[:60]}”). Have an administrator "
        "enter it, or put the client ID of another one into the document."
    )


def _find_collection(job: Job, side: str, wanted: Any, problems: list[str]) -> None:
    if wanted is None:
        return
    try:
        setattr(job, f"{side}_collection", UUID(wanted["id"]))
        setattr(job, f"{side}_name", str(wanted.get("name") or "")[:255])
    except (TypeError, KeyError, ValueError, AttributeError):
        problems.append(f"The {side} collection has no usable “id”.")


def _roles(job: Job, wanted: Any, problems: list[str]) -> list[JobRole]:
    try:
        rows = {str(row["name"]): row for row in wanted}
    except (TypeError, KeyError):
        problems.append("“groups” is a list of {name, run, edit}.")
        return []
    groups = {group.name: group for group in Group.objects.filter(name__in=rows)}
    for name in sorted(set(rows) - set(groups)):
        problems.append(f"There is no group of staff “{name[:60]}” here.")
    return [
        JobRole(
            job=job,
            group=group,
            can_run=rows[name].get("run") is True,
            can_edit=rows[name].get("edit") is True,
        )
        for name, group in sorted(groups.items())
    ]


def _schedules(job: Job, wanted: Any, problems: list[str]) -> list[Schedule]:
    if not isinstance(wanted, list) or not all(
        isinstance(each, Mapping) for each in wanted
    ):
        problems.append("“schedules” is a list of objects.")
        return []
    if len(wanted) > MOST_SCHEDULES:
        problems.append(f"A job has at most {MOST_SCHEDULES} schedules.")
        return []
    found = []
    for values in wanted:
        schedule = Schedule(job=job)
        _fill(schedule, values, SCHEDULE, problems)
        found.append(schedule)
    return found
