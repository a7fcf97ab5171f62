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
from sandbox.transfer.access import check_local_user, usable_collection
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
    return submit_transfer(caller, document_of(request, "transfer"))


def submit_transfer(caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    """Accept a transfer, from a client or from a timer; returns the result.

    :raises TransferFailure: it is refused
    """
    submission = submission_of(document)
    if earlier := _repeated(caller, submission):
        return _result(earlier, "Duplicate")
    _check_common(document)
    source = usable_collection(caller, text_of(document, "source_endpoint"))
    destination = usable_collection(caller, text_of(document, "destination_endpoint"))
    check_local_user(caller, source, document.get("source_local_user"))
    check_local_user(caller, destination, document.get("destination_local_user"))
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
    check_local_user(caller, collection, document.get("local_user"))
    _check_flags(document, _DELETE_FLAGS)
    for item in document["DATA"]:
        _check_type(item, ("delete_item",))
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


def check_transfer(document: dict[str, Any]) -> None:
    """Look at a transfer document without its collections.

    :raises TransferFailure: it would be refused
    """
    _check_common(document)
    for name in ("source_endpoint", "destination_endpoint"):
        text_of(document, name)
    _check_transfer(document)


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
    if label != label.strip() or set("\r\n\0") & set(label):
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
    except (ValueError, OverflowError) as err:
        raise bad_request(f"Invalid deadline: '{text}'") from err
    if moment <= clock.now():
        raise bad_request("deadline is in the past")
    return moment


_DELETE_FLAGS = (
    "recursive",
    "ignore_missing",
    "interpret_globs",
    "notify_on_succeeded",
    "notify_on_failed",
    "notify_on_inactive",
)
_FLAGS = (
    "verify_checksum",
    "preserve_timestamp",
    "encrypt_data",
    "skip_source_errors",
    "fail_on_quota_errors",
    "delete_destination_extra",
    "store_base_path_info",
    "notify_on_succeeded",
    "notify_on_failed",
    "notify_on_inactive",
)


def _check_flags(document: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        value = document.get(name)
        if value is not None and not isinstance(value, bool):
            raise bad_request(f"{name} must be true or false")


def _check_type(item: dict[str, Any], known: tuple[str, ...]) -> None:
    kind = item.get("DATA_TYPE", known[0])
    if kind not in known:
        raise bad_request(f"Invalid item DATA_TYPE: '{kind}'")


def _check_transfer(document: dict[str, Any]) -> None:
    for item in document["DATA"]:
        _check_type(item, ("transfer_item", "transfer_symlink_item"))
        text_of(item, "source_path")
        text_of(item, "destination_path")
        _check_flags(item, ("recursive",))
        _check_checksum(item)
    _check_flags(document, _FLAGS)
    level = document.get("sync_level")
    if level is not None and (type(level) is not int or not 0 <= level <= 3):
        raise bad_request("sync_level must be null or 0 to 3")
    if document.get("recursive_symlinks") not in (None, "ignore", "keep", "copy"):
        raise bad_request("recursive_symlinks must be ignore, keep or copy")
    _check_filter_rules(document.get("filter_rules"))


#: not known of production: which checksum algorithms an item may name
ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def _check_checksum(item: dict[str, Any]) -> None:
    for name in ("external_checksum", "checksum_algorithm"):
        if not isinstance(item.get(name), str | None):
            raise bad_request(f"{name} must be a text")
    algorithm = item.get("checksum_algorithm")
    if algorithm and algorithm.lower().replace("-", "") not in ALGORITHMS:
        raise bad_request(f"Unknown checksum_algorithm: '{algorithm}'")


def _check_filter_rules(rules: Any) -> None:
    if rules is not None and not isinstance(rules, list):
        raise bad_request("filter_rules must be a list")
    for rule in rules or []:
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
        has_own_deadline=wish.document.get("deadline") is not None,
        timer_id=caller.timer_id,
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
