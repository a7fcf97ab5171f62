"""Tasks as clients see them: one, many, their events, their files.

https://docs.globus.org/api/transfer/task/
"""

import posixpath
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import Collection, Task, TaskEvent
from sandbox.transfer import pauses
from sandbox.transfer.callers import Caller
from sandbox.transfer.collections import with_fields
from sandbox.transfer.engine import engine
from sandbox.transfer.errors import (
    TransferFailure,
    bad_request,
    not_found,
    transfer_view,
)
from sandbox.transfer.files import LONGEST_NUMBER, document_of, number
from sandbox.transfer.listing import moment_range, order_terms, text_test
from sandbox.transfer.submission import check_label, deadline_of

MOST_TASKS = 1000
PAGE = 10
UNFINISHED = ("ACTIVE", "INACTIVE")
#: parameter -> column
_ORDERS = {
    "request_time": "requested_at",
    "completion_time": "completed_at",
    "deadline": "deadline_at",
    "status": "status",
    "type": "type",
    "label": "label",
    "task_id": "id",
    "faults": "faults",
    "bytes_transferred": "bytes_transferred",
}


Collections = dict[str, Collection]


def task_document(task: Task) -> dict[str, Any]:
    """One task's document, with its collections looked up."""
    return document(task, collections_of([task]))


def document(task: Task, collections: Collections) -> dict[str, Any]:
    """The task document of section 3.7.

    :param collections: ``{id: collection}``; a deleted one is missing
    """
    submitted = task.document
    is_transfer = task.type == "TRANSFER"
    state = "active" if task.status in UNFINISHED else "complete"
    return {
        "DATA_TYPE": "task",
        "task_id": task.pk,
        "type": task.type,
        "status": task.status,
        "label": task.label,
        "command": "API 0.10",
        "owner_id": task.owner_id,
        "owner_string": task.owner.username,
        "username": f"u_{task.owner_id.replace('-', '')[:26]}",
        "key": f"{state},{task.pk},{clock.iso(task.requested_at)}",
        "request_time": clock.iso(task.requested_at),
        "completion_time": clock.iso_or_none(task.completed_at),
        "deadline": clock.iso(task.deadline_at),
        **_end("source", task, task.source_id, collections),
        **_end("destination", task, task.destination_id or None, collections),
        "sync_level": submitted.get("sync_level"),
        "encrypt_data": bool(submitted.get("encrypt_data")),
        "verify_checksum": bool(submitted.get("verify_checksum")),
        "preserve_timestamp": bool(submitted.get("preserve_timestamp")),
        "delete_destination_extra": bool(submitted.get("delete_destination_extra")),
        "recursive_symlinks": submitted.get("recursive_symlinks") or "ignore"
        if is_transfer
        else None,
        "skip_source_errors": bool(submitted.get("skip_source_errors")),
        "fail_on_quota_errors": bool(submitted.get("fail_on_quota_errors")),
        "filter_rules": submitted.get("filter_rules"),
        **_health(task),
        **_counters(task),
    }


def _end(
    side: str, task: Task, collection_id: str | None, collections: Collections
) -> dict[str, Any]:
    collection = collections.get(collection_id or "")
    host = collection.host if collection else None
    is_mapped = collection is not None and host is None
    field = f"{side}_local_user" if task.type == "TRANSFER" else "local_user"
    local_user = task.document.get(field) if is_mapped else None
    return {
        f"{side}_endpoint": collection_id,
        f"{side}_endpoint_id": collection_id,
        f"{side}_endpoint_display_name": collection.display_name
        if collection
        else None,
        f"{side}_host_endpoint": host.pk if host else None,
        f"{side}_host_endpoint_id": host.pk if host else None,
        f"{side}_host_endpoint_display_name": host.display_name if host else None,
        f"{side}_host_path": collection.host_path if collection and host else None,
        f"{side}_mapped_collection_id": host.pk if host else None,
        f"{side}_mapped_collection_display_name": host.display_name if host else None,
        f"{side}_local_user": local_user,
        f"{side}_local_user_status": "OK" if local_user else "NO_PERMISSION",
        f"{side}_base_path": _base_path(side, task),
    }


def _base_path(side: str, task: Task) -> str | None:
    """What all paths of a side have in common, if the task was to keep that."""
    if task.type != "TRANSFER" or not task.document.get("store_base_path_info"):
        return None
    folders = [
        posixpath.dirname(f"/{item[f'{side}_path'].strip('/')}")
        for item in task.document["DATA"]
    ]
    return f"{posixpath.commonpath(folders).rstrip('/')}/"


def _health(task: Task) -> dict[str, Any]:
    is_running = task.status in UNFINISHED
    nice = task.nice_status if is_running else None
    return {
        "is_ok": nice in ("OK", "Queued") if is_running else None,
        "is_paused": task.is_paused,
        "faults": task.faults,
        "nice_status": nice,
        "nice_status_details": task.nice_status_details or None if is_running else None,
        "nice_status_short_description": nice.replace("_", " ").lower()
        if nice
        else None,
        "nice_status_expires_in": -1 if is_running else None,
        "fatal_error": task.fatal_error,
        "canceled_by_admin": task.canceled_by_admin or None,
        "canceled_by_admin_message": task.admin_message or None
        if task.canceled_by_admin
        else None,
        "history_deleted": not has_history(task),
    }


def _counters(task: Task) -> dict[str, Any]:
    settled = (
        task.subtasks_succeeded
        + task.subtasks_failed
        + task.subtasks_expired
        + task.subtasks_canceled
        + task.subtasks_skipped_errors
    )
    return {
        "files": task.files,
        "directories": task.directories,
        "symlinks": task.symlinks,
        "files_skipped": task.files_skipped,
        "files_transferred": task.files_transferred,
        "bytes_transferred": task.bytes_transferred,
        "bytes_checksummed": task.bytes_checksummed,
        "effective_bytes_per_second": task.effective_bytes_per_second,
        "subtasks_total": task.subtasks_total,
        "subtasks_pending": max(
            0, task.subtasks_total - settled - task.subtasks_retrying
        ),
        "subtasks_retrying": task.subtasks_retrying,
        "subtasks_succeeded": task.subtasks_succeeded,
        "subtasks_expired": task.subtasks_expired,
        "subtasks_canceled": task.subtasks_canceled,
        "subtasks_failed": task.subtasks_failed,
        "subtasks_skipped_errors": task.subtasks_skipped_errors,
    }


def collections_of(tasks: list[Task]) -> Collections:
    wanted = {task.source_id for task in tasks} | {
        task.destination_id for task in tasks if task.destination_id
    }
    return Collection.objects.select_related("host").in_bulk(list(wanted))


def owned_task(caller: Caller, task_id: str) -> Task:
    """A task of the caller's identity set; a stranger's is not found.

    :raises TransferFailure: there is none
    """
    task = (
        Task.objects.select_related("owner")
        .filter(pk=task_id.lower(), owner__in=caller.identity_ids)
        .first()
    )
    if task is None:
        raise not_found(f"No such task '{task_id}'", knobs.task_not_found_code)
    return task


@transfer_view
def task(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    found = owned_task(caller, task_id)
    return with_fields(task_document(found), request.GET.get("fields"))


@transfer_view
def update(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    """Change label and deadline while the task is not finished."""
    changes = document_of(request, "task")
    found = owned_task(caller, task_id)
    values: dict[str, Any] = {}
    if "label" in changes:
        check_label(changes["label"])
        values["label"] = changes["label"]
    if changes.get("deadline") is not None:
        values["deadline_at"] = deadline_of(changes)
        values["has_own_deadline"] = True
    unfinished = Task.objects.filter(pk=found.pk, status__in=UNFINISHED)
    if not unfinished.update(**values or {"label": found.label}):
        raise TransferFailure(
            knobs.finished_task_update_status,
            "Conflict",
            f"Task '{task_id}' is complete",
        )
    engine.wake()
    return {
        "DATA_TYPE": "result",
        "code": "Updated",
        "message": "Updated task label and/or deadline",
    }


@transfer_view
def cancel(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    found = owned_task(caller, task_id)
    code, message = engine.cancel(found.pk)
    return {"DATA_TYPE": "result", "code": code, "message": message}


@transfer_view
def task_list(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    limit = number(request, "limit", PAGE)
    offset = number(request, "offset", 0)
    if limit > MOST_TASKS:
        raise bad_request(f"limit must not be larger than {MOST_TASKS}")
    found = Task.objects.filter(owner__in=caller.identity_ids)
    found = found.filter(Q(completed_at=None) | Q(completed_at__gt=_history_begins()))
    for text in request.GET.getlist("filter"):
        found = _filtered(found, text)
    total = found.count()
    page = list(
        found.select_related("owner").order_by(*_order(request))[
            offset : offset + limit
        ]
    )
    known = collections_of(page)
    return {
        "DATA_TYPE": "task_list",
        "length": len(page),
        "limit": limit,
        "offset": offset,
        "total": total,
        "DATA": [
            with_fields(document(one, known), request.GET.get("fields")) for one in page
        ],
    }


HISTORY_SECONDS = 30 * 86_400


def _history_begins() -> float:
    """Tasks that ended earlier leave the lists, and their details are deleted."""
    return clock.now() - HISTORY_SECONDS


def has_history(task: Task) -> bool:
    return task.completed_at is None or task.completed_at > _history_begins()


def _order(request: HttpRequest) -> list[str]:
    terms = order_terms(request.GET.get("orderby", "request_time DESC"), _ORDERS)
    columns = [f"{'-' * descending}{_ORDERS[field]}" for field, descending in terms]
    return [*columns, "id"]


def _filtered(found: QuerySet[Task], text: str) -> QuerySet[Task]:
    """``name:v1,v2/name:…``, all terms hold.

    :raises TransferFailure: a term is not known
    """
    for term in filter(None, text.split("/")):
        name, separator, value = term.partition(":")
        if not separator:
            raise bad_request(f"Invalid filter: '{term}'")
        found = found.filter(_term(found, name, value))
    return found


def _term(found: QuerySet[Task], name: str, value: str) -> Q:
    values = [one for one in value.split(",") if one]
    match name:
        case "task_id":
            return Q(pk__in=[one.lower() for one in values])
        case "type" | "status":
            return Q(**{f"{name}__in": [one.upper() for one in values]})
        case "label":
            return _labels(found, value)
        case "request_time" | "completion_time":
            after, before = moment_range(value)
            column = _ORDERS[name]
            return Q(**{f"{column}__gte": after, f"{column}__lt": before})
        case "is_paused" | "endpoint" | "username" if not knobs.recalled_task_filters:
            pass
        case "is_paused":
            return Q(is_paused=value.lower() in ("1", "true"))
        case "endpoint":
            return Q(source_id__in=values) | Q(destination_id__in=values)
        case "username":
            return Q(owner__username__in=values)
    raise bad_request(f"Invalid filter: '{name}:{value}'")


def _labels(found: QuerySet[Task], value: str) -> Q:
    """SQLite's GLOB differs from Globus's in brackets, so Python compares."""
    test = text_test(value)
    labels = found.exclude(label=None).values_list("label", flat=True).distinct()
    return Q(label__in=[label for label in labels if label is not None and test(label)])


@transfer_view
def event_list(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    return events_of(request, owned_task(caller, task_id))


def events_of(request: HttpRequest, found: Task) -> dict[str, Any]:
    events = TaskEvent.objects.filter(task=found).order_by("-time", "-id")
    if not has_history(found):
        events = events.none()
    wanted = request.GET.get("filter", "")
    if wanted not in ("", "is_error:0", "is_error:1"):
        raise bad_request(f"Invalid filter: '{wanted}'")
    if wanted:
        events = events.filter(is_error=wanted.endswith("1"))
    limit = min(number(request, "limit", PAGE), MOST_TASKS)
    offset = number(request, "offset", 0)
    page = list(events[offset : offset + limit])
    return {
        "DATA_TYPE": "event_list",
        "length": len(page),
        "limit": limit,
        "offset": offset,
        "total": events.count(),
        "DATA": [
            {
                "DATA_TYPE": "event",
                "code": event.code,
                "is_error": event.is_error,
                "description": event.description,
                "details": event.details,
                "time": clock.iso(event.time),
            }
            for event in page
        ],
    }


MARKED_PAGE = 100


def _marker(request: HttpRequest) -> int:
    text = request.GET.get("marker", "") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise bad_request(f"Invalid marker: '{text}'")
    return int(text)


@transfer_view
def successful_transfers(
    request: HttpRequest, caller: Caller, task_id: str
) -> dict[str, Any]:
    return successes_of(request, owned_task(caller, task_id))


def successes_of(request: HttpRequest, found: Task) -> dict[str, Any]:
    """Only finished transfers have this list."""
    if found.type != "TRANSFER" or found.status in UNFINISHED:
        raise bad_request("Only completed transfer tasks have successful transfers")
    marker = _marker(request)
    rows = list(found.successes.filter(pk__gt=marker).order_by("pk")[: MARKED_PAGE + 1])
    page = rows[:MARKED_PAGE]
    return {
        "DATA_TYPE": "successful_transfers",
        "marker": marker,
        "next_marker": page[-1].pk if len(rows) > MARKED_PAGE else None,
        "DATA": [
            {
                "DATA_TYPE": "successful_transfer",
                "source_path": row.source_path,
                "destination_path": row.destination_path,
                "size": row.size,
                "checksum": row.checksum or None,
                "checksum_algorithm": row.checksum_algorithm or None,
            }
            for row in page
        ],
    }


@transfer_view
def skipped_errors(
    request: HttpRequest, caller: Caller, task_id: str
) -> dict[str, Any]:
    return skips_of(request, owned_task(caller, task_id))


def skips_of(request: HttpRequest, found: Task) -> dict[str, Any]:
    marker = _marker(request)
    rows = list(found.skips.filter(pk__gt=marker).order_by("pk")[: MARKED_PAGE + 1])
    page = rows[:MARKED_PAGE]
    return {
        "DATA_TYPE": "skipped_errors",
        "marker": marker,
        "next_marker": page[-1].pk if len(rows) > MARKED_PAGE else None,
        "DATA": [
            {
                "DATA_TYPE": "skipped_error",
                "source_path": row.source_path,
                "destination_path": row.destination_path,
                "error_code": row.error_code,
                "error_details": row.error_details,
                "error_time": clock.iso(row.error_time),
                "is_directory": row.is_directory,
                "is_symlink": row.is_symlink,
                "is_delete_destination_extra": False,
                "external_checksum": row.external_checksum or None,
                "checksum_algorithm": row.checksum_algorithm or None,
            }
            for row in page
        ],
    }


@transfer_view
def pause_info(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    return pauses.pause_info(owned_task(caller, task_id))
