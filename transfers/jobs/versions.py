"""What a job was, and who changed what, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.models import User
from transfers.jobs import exchange
from transfers.jobs.models import Job, JobVersion

LONGEST_VALUE = 80

#: what parts of a document are called in a sentence; others by their name
WORDS = {
    "name": "the name",
    "kind": "what it does",
    "source_path": "the source path",
    "destination_path": "the destination path",
    "recursive": "“with all folders below”",
    "depth": "how many levels of folders it looks into",
    "include": "which names it notes",
    "exclude": "which names it leaves out",
    "types": "which types it notes",
    "hidden": "“also names that begin with a dot”",
    "label": "the label",
    "items": "the batch",
    "delete_extra": "“delete what the source does not have”",
    "enabled": "“switched on”",
    "service_account": "the service account",
    "source_collection": "the source collection",
    "destination_collection": "the destination collection",
    "groups": "the groups",
    "schedules": "the schedule",
    "missed_policy": "what happens to missed runs",
    "missed_most": "how many missed runs are made up for",
    "missed_grace_minutes": "the minutes that still are on time",
    "overlap_policy": "what happens when runs overlap",
    "retry_attempts": "the tries after a failure",
    "retry_pause_minutes": "the minutes before the first try",
    "retry_causes": "which failures are tried again",
    "stall_policy": "what happens to a stalled run",
    "stall_minutes": "the minutes after which a run has stalled",
    "deadline_minutes": "the longest run in minutes",
    "long_minutes": "the minutes after which a run is long",
    "tell_events": "what is told",
    "tell_owner": "whether the owner is told",
    "tell_groups": "whether the groups are told",
    "sync_level": "the sync level",
    "filter_rules": "the filter rules",
    "verify_checksum": "“verify checksums”",
    "preserve_timestamp": "“keep the time of the last change”",
    "encrypt_data": "“encrypt on the way”",
    "skip_source_errors": "“leave out what cannot be read”",
    "fail_on_quota_errors": "“fail when the destination is full”",
    "delete_destination_extra": "“delete what the source does not have”",
}
#: parts whose own parts are told one by one
NESTED = ("policies", "told", "options", "filters")

#: what a part is that says nothing
EMPTY: tuple[Any, ...] = (None, "", [], {})


def record(job: Job, *, by: User | None) -> JobVersion | None:
    """Notes the job as it is now, if that differs from its last version.

    Call it in the transaction that changes the job.
    """
    with transaction.atomic():
        Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
        last = JobVersion.objects.filter(job=job).first()
        now = json.loads(json.dumps(exchange.stored_document(job)))
        said = changes(last.content, now) if last else []
        if last is not None and not said:
            return None
        version = JobVersion.objects.create(
            job=job,
            number=last.number + 1 if last else 1,
            made_by=by,
            content=now,
            changes=said,
        )
        Job.objects.filter(pk=job.pk).update(version=version)
        job.version = version
    return version


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A sentence for each part that differs. A part that an older version does not
    have is as good as an empty one.
    """
    said: list[str] = []
    for name in [*after, *(each for each in before if each not in after)]:
        old, new = before.get(name), after.get(name)
        if old == new or (old in EMPTY and new in EMPTY):
            continue
        if name in NESTED and isinstance(new, dict) and isinstance(old or {}, dict):
            said += changes(old or {}, new)
        else:
            said.append(_sentence(name, old, new))
    return said


def _sentence(name: str, old: Any, new: Any) -> str:
    what = WORDS.get(name, f"“{name}”")
    if old in EMPTY:
        return f"Set {what} to {_value(new)}."
    if new in EMPTY:
        return f"Took {what} away, which was {_value(old)}."
    if isinstance(old, bool) and isinstance(new, bool):
        return f"Switched {what} {'on' if new else 'off'}."
    return f"Changed {what} from {_value(old)} to {_value(new)}."


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        named = value.get("name") or value.get("id")
        return f"“{str(named)[:LONGEST_VALUE]}”" if named else _values(value.values())
    if isinstance(value, list):
        if len(value) > 3:
            return f"{len(value)} entries"
        return _values(value)
    text = str(value)
    if len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}…"
    return f"“{text}”"


def _values(values: Any) -> str:
    said = [_value(each) for each in values if each not in (None, "", [], {}, False)]
    return ", ".join(said) or "nothing"
