"""Runs a run again: the same, only what failed, or with edited input.

The new run has a transfer, and so a submission id, of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import User
from portal.globus.errors import PortalError, globus_errors
from transfers.jobs import runs, templates
from transfers.jobs.making import new_run
from transfers.jobs.models import Job, Run
from transfers.storable import storable_text

#: skipped files that one run takes up again
MOST_ITEMS = 10_000
#: what of the input may be edited; where, how and as whom stays with the job
EDITABLE = frozenset(
    ("source_path", "destination_path", "items", "options", "label", "recursive")
)
#: A failed task is repeated by checksum: what has arrived is not sent again.
_BY_CHECKSUM = 3


class NothingFailed(PortalError):
    title = "Nothing failed in this run"
    advice = "Everything in this run succeeded, so there is nothing to do again."
    status = 409


class NotFinished(PortalError):
    title = "This run has not ended"
    advice = "It can be run again when it has ended."
    status = 409


class NotEditable(PortalError):
    title = "This cannot be edited here"
    status = 400


def rerun(
    parent: Run,
    *,
    by: User | None,
    lineage: Run.Lineage = Run.Lineage.SAME,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Run:
    """Stores a run that repeats another one that has ended.

    :param changes: of an edited run: the new values of some of ``EDITABLE``
    :raises NotFinished: the parent goes on
    :raises NothingFailed: nothing to do again
    :raises NotEditable: what may not be edited
    :raises PortalError: the edited input cannot be sent; or Globus did not say what
        failed; or nothing may start now
    """
    if not parent.is_finished:
        raise NotFinished
    inputs = dict(parent.inputs)
    if lineage == Run.Lineage.EDITED:
        inputs |= _checked(parent, changes or {})
    elif lineage == Run.Lineage.FAILED_ONLY:
        inputs |= _what_failed(parent)
    now = timezone.now()
    run = new_run(
        parent.job,
        now=now,
        trigger=Run.Trigger.RERUN,
        parent=parent,
        lineage=lineage,
        inputs=inputs,
        triggered_by=by,
        schedule=parent.schedule,
        reason=storable_text(reason, longest=500),
    )
    return runs.start(run, now=now)


def _checked(parent: Run, changes: Mapping[str, Any]) -> dict[str, Any]:
    odd = set(changes) - EDITABLE
    if odd:
        raise NotEditable(
            f"{', '.join(sorted(odd))} cannot be edited in one run; edit the job."
        )
    edited = {**templates.unfilled(parent.inputs), **changes}
    if edited["kind"] in Job.MOVING:
        runs.document_of(edited)
    return edited


def _what_failed(parent: Run) -> dict[str, Any]:
    """The files that were left out; or of a failed task all, by checksum."""
    if parent.state == Run.State.SUCCEEDED or parent.transfer is None:
        if parent.state == Run.State.FAILED:
            return {}  # nothing was sent, or it is a list: all of it failed
        raise NothingFailed
    items = _skipped(parent) if parent.state == Run.State.SUCCEEDED_WITH_SKIPS else []
    if items:
        return {"items": items, "recursive": False, "delete_extra": False}
    options = {"sync_level": _BY_CHECKSUM} | parent.inputs["options"]
    return {"options": options}


def _skipped(parent: Run) -> list[dict[str, Any]]:
    """https://docs.globus.org/api/transfer/task/#get_task_skipped_errors"""
    assert parent.transfer is not None
    client = transfer_client(parent.service_account)
    found = []
    with globus_errors():
        rows = client.paginated.task_skipped_errors(parent.transfer.task_id).items()
        for row in rows:
            found.append(
                {
                    "source_path": row["source_path"],
                    "destination_path": row["destination_path"],
                    "recursive": None,
                }
            )
            if len(found) == MOST_ITEMS:
                break
    return found
