"""Submitting transfers and deletes.

https://docs.globus.org/api/transfer/task_submit/
"""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpRequest

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import Collection, Task
from sandbox.transfer.access import usable_collection
from sandbox.transfer.callers import Caller
from sandbox.transfer.engine import engine
from sandbox.transfer.errors import bad_request, conflict, transfer_view
from sandbox.transfer.files import document_of, text_of

LONGEST_LABEL = 128


@transfer_view
def submission_id(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    return {"DATA_TYPE": "submission_id", "value": str(uuid.uuid4())}


@transfer_view
def transfer(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    document = document_of(request, "transfer")
    submission = submission_of(document)
    if earlier := _repeated(caller, submission):
        return _result(earlier, "Duplicate")
    _check_common(document)
    source = usable_collection(caller, text_of(document, "source_endpoint"))
    destination = usable_collection(caller, text_of(document, "destination_endpoint"))
    _check_transfer(document)
    return _submit(caller, Wish("TRANSFER", submission, document, source, destination))


@transfer_view
def delete(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    document = document_of(request, "delete")
    submission = submission_of(document)
    if earlier := _repeated(caller, submission):
        return _result(earlier, "Duplicate")
    _check_common(document)
    collection = usable_collection(caller, text_of(document, "endpoint"))
    for item in document["DATA"]:
        text_of(item, "path")
    return _submit(caller, Wish("DELETE", submission, document, collection, None))


@dataclass(frozen=True)
class Wish:
    """A checked submission."""

    type: str
    submission_id: str
    document: dict[str, Any]
    source: Collection
    destination: Collection | None


def submission_of(document: dict[str, Any]) -> str:
    text = text_of(document, "submission_id")
    try:
        return str(uuid.UUID(text))
    except ValueError as err:
        raise bad_request("submission_id is not a UUID") from err


def _repeated(caller: Caller, submission: str) -> Task | None:
    return Task.objects.filter(
        owner__in=caller.identity_ids, submission_id=submission
    ).first()


def _check_common(document: dict[str, Any]) -> None:
    items = document.get("DATA")
    if not isinstance(items, list) or not items:
        raise bad_request("No transfer items", "ClientError.BadRequest.NoTransferItems")
    if len(items) > knobs.items_per_task:
        raise bad_request("Too many items in one task")
    if not all(isinstance(item, dict) for item in items):
        raise bad_request("DATA holds something that is not an item")
    check_label(document.get("label"))
    deadline_of(document)


def check_label(label: Any) -> None:
    """:raises TransferFailure: too long, of several lines, or with outer blanks"""
    if label is None:
        return
    if not isinstance(label, str) or len(label) > LONGEST_LABEL:
        raise bad_request(f"label must be a text of at most {LONGEST_LABEL} characters")
    if label != label.strip() or "\n" in label:
        raise bad_request("label must not have outer blanks or line breaks")


def deadline_of(document: dict[str, Any]) -> float:
    """When the task expires, on the virtual clock.

    :raises TransferFailure: not a moment, or past
    """
    text = document.get("deadline")
    if text is None:
        return clock.now() + knobs.deadline_seconds
    try:
        moment = clock.from_text(str(text))
    except ValueError as err:
        raise bad_request(f"Invalid deadline: '{text}'") from err
    if moment <= clock.now():
        raise bad_request("deadline is in the past")
    return moment


_FLAGS = (
    "verify_checksum",
    "preserve_timestamp",
    "encrypt_data",
    "skip_source_errors",
    "fail_on_quota_errors",
    "delete_destination_extra",
)


def _check_transfer(document: dict[str, Any]) -> None:
    for item in document["DATA"]:
        text_of(item, "source_path")
        text_of(item, "destination_path")
        if item.get("recursive") not in (None, True, False):
            raise bad_request("recursive must be true or false")
    for flag in _FLAGS:
        if document.get(flag) not in (None, True, False):
            raise bad_request(f"{flag} must be true or false")
    if document.get("sync_level") not in (None, 0, 1, 2, 3):
        raise bad_request("sync_level must be null or 0 to 3")
    if document.get("recursive_symlinks", "ignore") not in ("ignore", "keep", "copy"):
        raise bad_request("recursive_symlinks must be ignore, keep or copy")
    for rule in document.get("filter_rules") or []:
        if not isinstance(rule, dict) or not isinstance(rule.get("name"), str):
            raise bad_request("A filter rule needs a name")
        if rule.get("method", "exclude") not in ("include", "exclude"):
            raise bad_request("A filter rule's method is include or exclude")
        if rule.get("type") not in (None, "file", "dir"):
            raise bad_request("A filter rule's type is file or dir")


def _submit(caller: Caller, wish: Wish) -> dict[str, Any]:
    task, code = _stored(caller, wish)
    engine.wake()
    return _result(task, code)


@transaction.atomic
def _stored(caller: Caller, wish: Wish) -> tuple[Task, str]:
    """Store the task, unless a limit or an identical task is in the way.

    Transactions wait for each other at their begin, so of two submissions of one id
    at the same moment the second one finds the first.
    """
    if earlier := _repeated(caller, wish.submission_id):
        return earlier, "Duplicate"
    print_of = _fingerprint(wish)
    unfinished = Task.objects.filter(
        owner__in=caller.identity_ids, status__in=("ACTIVE", "INACTIVE")
    )
    if blocking := unfinished.filter(fingerprint=print_of).first():
        raise conflict(
            f"A {wish.type.lower()} with identical paths has not yet completed "
            f"(task {blocking.pk})"
        )
    if unfinished.count() >= knobs.pending_tasks:
        raise conflict(
            f"You have {knobs.pending_tasks} pending tasks; wait for some to complete",
            "ClientError.Conflict",
        )
    now = clock.now()
    task = Task.objects.create(
        id=str(uuid.uuid4()),
        type=wish.type,
        submission_id=wish.submission_id,
        owner=caller.identity,
        client_id=caller.client_id,
        session=caller.session,
        label=wish.document.get("label"),
        document=wish.document,
        fingerprint=print_of,
        source_id=wish.source.pk,
        destination_id=wish.destination.pk if wish.destination else "",
        requested_at=now,
        deadline_at=deadline_of(wish.document),
        subtasks_total=1,
    )
    return task, "Accepted"


def _fingerprint(wish: Wish) -> str:
    """What makes two tasks identical: the type, the collections and the paths."""
    names = ("source_path", "destination_path", "path", "recursive")
    paths = sorted(
        orjson.dumps([item.get(name) for name in names])
        for item in wish.document["DATA"]
    )
    ends = [wish.type, wish.source.pk, wish.destination and wish.destination.pk]
    digest = hashlib.sha256(orjson.dumps(ends))
    for path in paths:
        digest.update(path)
    return digest.hexdigest()


_MESSAGES = {
    "Accepted": "The {kind} has been accepted and a task has been created and queued "
    "for execution",
    "Duplicate": "This {kind} has already been submitted and accepted",
}


def _result(task: Task, code: str) -> dict[str, Any]:
    kind = task.type.lower()
    return {
        "DATA_TYPE": f"{kind}_result",
        "code": code,
        "message": _MESSAGES[code].format(kind=kind),
        "submission_id": task.submission_id,
        "task_id": task.pk,
        "task_link": {
            "DATA_TYPE": "link",
            "href": f"task/{task.pk}?format=json",
            "rel": "related",
            "resource": "task",
            "title": "related task",
        },
        "HTTP_STATUS": knobs.submit_status,
    }
