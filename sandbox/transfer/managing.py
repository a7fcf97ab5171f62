"""``endpoint_manager``: what happens on the collections that somebody runs.

https://docs.globus.org/api/transfer/advanced_collection_management/
"""

import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import AdminCancel, Collection, PauseRule, Task
from sandbox.transfer import pauses
from sandbox.transfer.access import effective_roles, get_collection
from sandbox.transfer.callers import Caller
from sandbox.transfer.collections import document as collection_document
from sandbox.transfer.collections import with_fields
from sandbox.transfer.engine import engine
from sandbox.transfer.errors import (
    TransferFailure,
    bad_request,
    not_found,
    transfer_view,
)
from sandbox.transfer.files import document_of, number, text_of
from sandbox.transfer.listing import moment_range
from sandbox.transfer.sharing import check_principal, rule_document
from sandbox.transfer.tasks import (
    MOST_TASKS,
    UNFINISHED,
    collections_of,
    document,
    events_of,
    skips_of,
    successes_of,
    task_document,
)

MONITORS = frozenset({"administrator", "activity_manager", "activity_monitor"})
MANAGERS = frozenset({"administrator", "activity_manager"})
MOST_TASK_IDS = 50
PAGE = 100


def _monitored(
    caller: Caller, roles: frozenset[str] = MONITORS
) -> dict[str, Collection]:
    """The collections on which the caller has such a role, by id."""
    found = Collection.objects.select_related("owner", "host").prefetch_related(
        "roles", "host__roles"
    )
    return {
        one.pk: one
        for one in found.order_by("display_name")
        if roles & set(_roles(caller, one))
    }


def _roles(caller: Caller, collection: Collection) -> list[str]:
    """Who administers a host manages the activity on its guests."""
    own = effective_roles(caller, collection)
    if collection.host is None:
        return own
    on_host = effective_roles(caller, collection.host)
    return [*own, *(["activity_manager"] if "administrator" in on_host else [])]


def _managed(
    caller: Caller, collection_id: str, roles: frozenset[str] = MONITORS
) -> Collection:
    """:raises TransferFailure: not there, or the caller has no such role on it"""
    collection = get_collection(collection_id)
    if not roles & set(_roles(caller, collection)):
        raise TransferFailure(
            403, "PermissionDenied", "You do not have the activity role for this"
        )
    return collection


@transfer_view
def monitored_endpoints(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    found = _monitored(caller).values()
    return {
        "DATA_TYPE": "monitored_endpoints",
        "DATA": [collection_document(caller, one) for one in found],
    }


@transfer_view
def endpoint(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    return collection_document(caller, _managed(caller, collection_id))


@transfer_view
def hosted_endpoint_list(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    host = _managed(caller, collection_id)
    guests = host.guests.select_related("owner", "host").order_by("display_name")
    return {
        "DATA_TYPE": "endpoint_list",
        "DATA": [collection_document(caller, one) for one in guests],
    }


@transfer_view
def access_list(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    collection = _managed(caller, collection_id)
    rules = collection.rules.order_by("path", "pk")
    return {
        "DATA_TYPE": "access_list",
        "endpoint": collection.pk,
        "length": len(rules),
        "DATA": [rule_document(rule) for rule in rules],
    }


# --- tasks


def _tasks(caller: Caller, roles: frozenset[str] = MONITORS) -> QuerySet[Task]:
    ids = list(_monitored(caller, roles))
    return Task.objects.select_related("owner").filter(
        Q(source_id__in=ids) | Q(destination_id__in=ids)
    )


def _task(caller: Caller, task_id: str) -> Task:
    found = _tasks(caller).filter(pk=task_id.lower()).first()
    if found is None:
        raise not_found(f"No such task '{task_id}'", knobs.task_not_found_code)
    return found


@transfer_view
def task_list(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    """Unfinished tasks, newest first, or with a ``filter_status`` others too.

    Pages by ``last_key``: what came after it, in the order of the list.
    """
    found = _filtered(request, _tasks(caller))
    if key := request.GET.get("last_key"):
        found = _after(found, key)
    size = min(number(request, "limit", PAGE) or PAGE, MOST_TASKS)
    rows = list(found.order_by("-requested_at", "-pk")[: size + 1])
    page = rows[:size]
    known = collections_of(page)
    return {
        "DATA_TYPE": "task_list",
        "has_next_page": len(rows) > size,
        "last_key": f"{page[-1].requested_at!r},{page[-1].pk}" if page else None,
        "DATA": [
            with_fields(document(one, known), request.GET.get("fields")) for one in page
        ],
    }


def _after(found: QuerySet[Task], key: str) -> QuerySet[Task]:
    moment, _, task_id = key.partition(",")
    try:
        requested_at = float(moment)
    except ValueError as err:
        raise bad_request(f"Invalid last_key: '{key}'") from err
    return found.filter(
        Q(requested_at__lt=requested_at) | Q(requested_at=requested_at, pk__lt=task_id)
    )


def _filtered(request: HttpRequest, found: QuerySet[Task]) -> QuerySet[Task]:
    asked = request.GET
    if any("\0" in value for value in asked.values()):
        raise bad_request("A parameter holds a NUL character")
    statuses = [one for one in asked.get("filter_status", "").upper().split(",") if one]
    ids = [one for one in asked.get("filter_task_id", "").lower().split(",") if one]
    if len(ids) > MOST_TASK_IDS:
        raise bad_request(f"filter_task_id takes at most {MOST_TASK_IDS} ids")
    if ids:
        found = found.filter(pk__in=ids)
    if statuses:
        found = found.filter(status__in=statuses)
    elif not ids and "filter_completion_time" not in asked:
        found = found.filter(status__in=UNFINISHED)
    if owner := asked.get("filter_owner_id"):
        found = found.filter(owner=owner.lower())
    if "filter_completion_time" in asked:
        after, before = moment_range(asked["filter_completion_time"])
        found = found.filter(completed_at__gte=after, completed_at__lt=before)
    if "filter_min_faults" in asked:
        found = found.filter(faults__gte=number(request, "filter_min_faults", 0))
    if "filter_is_paused" in asked:
        is_paused = asked["filter_is_paused"].lower() in ("1", "true")
        found = found.filter(is_paused=is_paused)
    return _at(request, found)


def _at(request: HttpRequest, found: QuerySet[Task]) -> QuerySet[Task]:
    """``filter_endpoint`` with ``filter_endpoint_use``, and ``filter_local_user``."""
    place = request.GET.get("filter_endpoint", "").lower()
    use = request.GET.get("filter_endpoint_use", "")
    if use not in ("", "source", "destination"):
        raise bad_request("filter_endpoint_use is source or destination")
    if use and not place:
        raise bad_request("filter_endpoint_use needs filter_endpoint")
    if place:
        at_source, at_end = Q(source_id=place), Q(destination_id=place)
        ways = {"source": at_source, "destination": at_end}
        found = found.filter(ways.get(use, at_source | at_end))
    if user := request.GET.get("filter_local_user"):
        found = found.filter(
            Q(document__source_local_user=user)
            | Q(document__destination_local_user=user)
        )
    return found


@transfer_view
def task(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    return task_document(_task(caller, task_id))


@transfer_view
def event_list(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    return events_of(request, _task(caller, task_id))


@transfer_view
def successful_transfers(
    request: HttpRequest, caller: Caller, task_id: str
) -> dict[str, Any]:
    return successes_of(request, _task(caller, task_id))


@transfer_view
def skipped_errors(
    request: HttpRequest, caller: Caller, task_id: str
) -> dict[str, Any]:
    return skips_of(request, _task(caller, task_id))


@transfer_view
def pause_info(request: HttpRequest, caller: Caller, task_id: str) -> dict[str, Any]:
    return pauses.pause_info(_task(caller, task_id))


# --- orders over several tasks


def _ordered(request: HttpRequest, caller: Caller) -> tuple[list[str], str]:
    """The tasks of ``task_id_list`` that the caller may manage, and the message."""
    asked = document_of(request, "admin_order", is_typed=False)
    ids = asked.get("task_id_list")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise bad_request("task_id_list must be a list of task ids")
    wanted = [one.lower() for one in ids]
    known = _tasks(caller, MANAGERS).filter(pk__in=wanted, status__in=UNFINISHED)
    message = asked.get("message") or ""
    if not isinstance(message, str):
        raise bad_request("message must be a text")
    return list(known.values_list("pk", flat=True)), message


@transfer_view
def admin_cancel(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    """Cancel tasks of others. What the answer holds is not known; this is a guess."""
    ids, message = _ordered(request, caller)
    places = set(_monitored(caller, MANAGERS))
    for one in Task.objects.filter(pk__in=ids):
        sides = [
            name
            for name, at in (
                ("SOURCE", one.source_id),
                ("DESTINATION", one.destination_id),
            )
            if at in places
        ]
        one.canceled_by_admin = "BOTH" if len(sides) == 2 else sides[0]
        one.admin_message = message
        one.save(update_fields=["canceled_by_admin", "admin_message"])
        engine.cancel(one.pk)
    order = AdminCancel.objects.create(
        id=str(uuid.uuid4()), owner=caller.identity, task_ids=ids
    )
    return {
        "DATA_TYPE": "result",
        "code": knobs.admin_cancel_code,
        "message": "The tasks are being canceled.",
        "id": order.pk,
        "done": _is_done(order),
    }


def _is_done(order: AdminCancel) -> bool:
    left = Task.objects.filter(pk__in=order.task_ids, status__in=UNFINISHED)
    return not left.exists()


@transfer_view
def admin_cancel_status(
    request: HttpRequest, caller: Caller, order_id: str
) -> dict[str, Any]:
    order = AdminCancel.objects.filter(
        pk=order_id, owner__in=caller.identity_ids
    ).first()
    if order is None:
        raise not_found(f"No admin_cancel '{order_id}'")
    return {"DATA_TYPE": "admin_cancel", "id": order.pk, "done": _is_done(order)}


@transfer_view
def admin_pause(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    ids, message = _ordered(request, caller)
    Task.objects.filter(pk__in=ids).update(is_held=True, admin_message=message)
    engine.wake()
    return {
        "DATA_TYPE": "result",
        "code": knobs.admin_pause_code,
        "message": "The tasks are being paused.",
    }


@transfer_view
def admin_resume(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    ids, _ = _ordered(request, caller)
    Task.objects.filter(pk__in=ids).update(is_held=False, admin_message="")
    engine.wake()
    return {
        "DATA_TYPE": "result",
        "code": knobs.admin_resume_code,
        "message": "The tasks are being resumed.",
    }


# --- pause rules


def _rule_document(caller: Caller, rule: PauseRule) -> dict[str, Any]:
    is_editable = bool(MANAGERS & set(_roles(caller, rule.collection)))
    return pauses.rule_document(rule, is_editable=is_editable)


@transfer_view
def pause_rule_list(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    places = _monitored(caller)
    if wanted := request.GET.get("filter_endpoint"):
        _managed(caller, wanted)
        places = {
            one.pk: one
            for one in places.values()
            if wanted.lower() in (one.pk, one.host_id)
        }
    found = PauseRule.objects.select_related("collection", "collection__host").filter(
        collection__in=list(places)
    )
    return {
        "DATA_TYPE": "pause_rule_list",
        "DATA": [_rule_document(caller, one) for one in found.order_by("started_at")],
    }


@transfer_view
def create_pause_rule(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    asked = document_of(request, "pause_rule")
    collection = _managed(caller, text_of(asked, "endpoint_id"), MANAGERS)
    own = effective_roles(caller, collection)
    rule = PauseRule(
        id=str(uuid.uuid4()),
        collection=collection,
        modified_by_id=caller.identity.pk,
        started_at=clock.now(),
        by_host_manager=not MANAGERS & set(own),
        pauses=list(pauses.OPERATIONS),
    )
    _apply(rule, asked)
    rule.save(force_insert=True)
    engine.wake()
    return {**_rule_document(caller, rule), "HTTP_STATUS": 201}


def _apply(rule: PauseRule, asked: dict[str, Any]) -> None:
    """Take over what the document says; an operation it does not name is paused."""
    message = asked.get("message", rule.message)
    if not isinstance(message, str) or "\0" in message:
        raise bad_request("message must be a text")
    rule.message = message
    if asked.get("start_time") is not None:
        try:
            rule.started_at = clock.from_text(str(asked["start_time"]))
        except ValueError as err:
            raise bad_request("start_time must be a moment") from err
    if asked.get("identity_id") is not None:
        check_principal("identity", asked["identity_id"])
        rule.identity_id = asked["identity_id"]
    for name in pauses.OPERATIONS:
        value = asked.get(f"pause_{name}", name in rule.pauses)
        if not isinstance(value, bool):
            raise bad_request(f"pause_{name} must be true or false")
        rule.pauses = [one for one in rule.pauses if one != name]
        if value:
            rule.pauses = [*rule.pauses, name]


def _rule(caller: Caller, rule_id: str, roles: frozenset[str] = MONITORS) -> PauseRule:
    rule = (
        PauseRule.objects.select_related("collection", "collection__host")
        .filter(pk=rule_id)
        .first()
    )
    if rule is None or not roles & set(_roles(caller, rule.collection)):
        raise not_found(f"No such pause rule '{rule_id}'", "PauseRuleNotFound")
    return rule


@transfer_view
def pause_rule(request: HttpRequest, caller: Caller, rule_id: str) -> dict[str, Any]:
    return _rule_document(caller, _rule(caller, rule_id))


@transfer_view
def update_pause_rule(
    request: HttpRequest, caller: Caller, rule_id: str
) -> dict[str, Any]:
    asked = document_of(request, "pause_rule")
    rule = _rule(caller, rule_id, MANAGERS)
    _apply(rule, asked)
    rule.modified_by_id = caller.identity.pk
    rule.save()
    engine.wake()
    return _rule_document(caller, rule)


@transfer_view
def delete_pause_rule(
    request: HttpRequest, caller: Caller, rule_id: str
) -> dict[str, Any]:
    _rule(caller, rule_id, MANAGERS).delete()
    engine.wake()
    return {
        "DATA_TYPE": "result",
        "code": "Deleted",
        "message": "Pause rule deleted successfully.",
    }
