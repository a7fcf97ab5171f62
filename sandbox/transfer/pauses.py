"""Pause rules: what a collection's managers do not let happen for a while.

A rule on a host holds for its guests. A collection that the ``paused`` knob pauses
behaves as if a rule paused everything on it.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import Collection, PauseRule, Task
from sandbox.remembered import remembered
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure

OPERATIONS = (
    "ls",
    "mkdir",
    "symlink",
    "rename",
    "task_delete",
    "task_transfer_write",
    "task_transfer_read",
)
PAUSED_BY_KNOB = "The collection is paused"


def rules_on(
    collection: Collection, identity_ids: Iterable[str], operation: str
) -> list[PauseRule]:
    """The rules of now that keep these identities from an operation."""
    concerned = {"", *identity_ids}
    now = clock.now()
    rules = [
        rule
        for rule in _rules_at(collection.pk, collection.host_id)
        if operation in rule.pauses
        and rule.identity_id in concerned
        and rule.started_at <= now
    ]
    if _is_paused(collection):
        rules.append(_of_knob(collection))
    return rules


@remembered
def _rules_at(collection_id: str, host_id: str | None) -> list[PauseRule]:
    """The rules on a collection and its host, the oldest first."""
    places = [collection_id, *([host_id] if host_id else [])]
    found = PauseRule.objects.select_related("collection")
    return list(found.filter(collection__in=places).order_by("started_at"))


def _is_paused(collection: Collection) -> bool:
    # A personal collection is paused by its owner, in its own way.
    is_gcs = collection.entity_type.startswith("GCSv5")
    return is_gcs and (
        collection.paused or bool(collection.host and collection.host.paused)
    )


def _of_knob(collection: Collection) -> PauseRule:
    return PauseRule(
        id="00000000-0000-4000-8000-000000000000",
        collection=collection,
        message=PAUSED_BY_KNOB,
        started_at=clock.now(),
        pauses=list(OPERATIONS),
    )


def check_not_paused(caller: Caller, collection: Collection, operation: str) -> None:
    """:raises TransferFailure: a rule keeps the caller from it"""
    for rule in rules_on(collection, caller.identity_ids, operation):
        raise TransferFailure(
            knobs.paused_status,
            knobs.paused_code,
            f"'{operation}' is paused on '{collection.display_name}': {rule.message}",
        )


def rules_of_task(task: Task) -> dict[str, list[PauseRule]]:
    """``{"source": …, "destination": …}``: what keeps a task from running."""
    identity_ids = Caller.of_task(task).identity_ids
    reads = "task_transfer_read" if task.type == "TRANSFER" else "task_delete"
    ends = {"source": (task.source_id, reads)}
    if task.destination_id:
        ends["destination"] = (task.destination_id, "task_transfer_write")
    found: dict[str, list[PauseRule]] = {}
    for side, (collection_id, operation) in ends.items():
        collection = Collection.objects.select_related("host").filter(pk=collection_id)
        for one in collection:
            found[side] = rules_on(one, identity_ids, operation)
    return found


def is_task_paused(task: Task) -> bool:
    return task.is_held or any(rules_of_task(task).values())


def may_be_paused() -> bool:
    """Whether there is anything at all that could pause a task."""
    return (
        PauseRule.objects.exists()
        or Collection.objects.filter(paused=True).exists()
        or Task.objects.filter(
            Q(is_held=True) | Q(is_paused=True), completed_at=None
        ).exists()
    )


def rule_document(rule: PauseRule, *, is_editable: bool = False) -> dict[str, Any]:
    return {
        "DATA_TYPE": "pause_rule",
        "id": rule.pk,
        "message": rule.message,
        "start_time": clock.iso(rule.started_at),
        "endpoint_id": rule.collection_id,
        "endpoint_display_name": rule.collection.display_name,
        "identity_id": rule.identity_id or None,
        "modified_by_id": rule.modified_by_id or None,
        "created_by_host_manager": rule.by_host_manager,
        "editable": is_editable,
        **{f"pause_{name}": name in rule.pauses for name in OPERATIONS},
    }


def pause_info(task: Task) -> dict[str, Any]:
    """The ``pause_info_limited`` of a task."""
    found = rules_of_task(task)
    return {
        "DATA_TYPE": "pause_info_limited",
        "pause_rules": [
            rule_document(rule)
            for rule in {
                rule.pk: rule for rules in found.values() for rule in rules
            }.values()
        ],
        **{
            f"{side}_pause_message{share}": _message(found.get(side, []), share)
            for side in ("source", "destination")
            for share in ("", "_share")
        },
        **({"source_pause_message": task.admin_message} if task.is_held else {}),
    }


def _message(rules: list[PauseRule], share: str) -> str | None:
    """What the rules on the collection say, or (``_share``) those of a guest."""
    wanted = [
        rule.message
        for rule in rules
        if bool(rule.collection.host_id) == (share == "_share")
    ]
    return wanted[0] if wanted else None
