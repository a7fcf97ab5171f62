"""Collection documents and the search for them.

https://docs.globus.org/api/transfer/endpoints_and_collections/
"""

from typing import Any

from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest

from sandbox import clock
from sandbox.models import Collection, Task
from sandbox.runtime import runtime
from sandbox.transfer.access import (
    effective_roles,
    is_owner,
    is_visible,
    rules_for,
    visible_collection,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import bad_request, transfer_view
from sandbox.transfer.files import number
from sandbox.transfer.paths import default_directory

MOST_RESULTS = 1000
PAGE = 100

#: kept by the service for clients of long ago
_DEAD_WEIGHT: dict[str, Any] = {
    "activated": False,
    "expires_in": -1,
    "expire_time": None,
    "myproxy_server": None,
    "myproxy_dn": None,
    "oauth_server": None,
    "s3_url": None,
    "s3_owner_activated": False,
    "globus_connect_setup_key": None,
    "sharing_target_endpoint": None,
    "sharing_target_root_path": None,
}
_TUNING = {
    "network_use": "normal",
    "max_concurrency": 4,
    "preferred_concurrency": 2,
    "max_parallelism": 8,
    "preferred_parallelism": 4,
}


def document(caller: Caller, collection: Collection) -> dict[str, Any]:
    """The endpoint document of section 3.2, as ``caller`` sees it."""
    is_gcs = collection.entity_type.startswith("GCSv5")
    return {
        "DATA_TYPE": "endpoint",
        "id": collection.pk,
        **_naming(collection),
        **_kind(collection, is_gcs),
        **_hierarchy(collection),
        **_policy(collection, is_gcs),
        "https_server": https_server(collection),
        "tlsftp_server": None,
        "gcs_manager_url": None,
        "default_directory": default_directory(collection),
        "local_user_info_available": None,
        "in_use": False,
        "my_effective_roles": effective_roles(caller, collection),
        "last_accessed_time": clock.iso_or_none(collection.last_accessed_at),
        "storage_type": "POSIX" if is_gcs else None,
        "french_english_bilingual": False,
        **_TUNING,
        **_DEAD_WEIGHT,
        **collection.details,
        "DATA": [],
    }


def https_server(collection: Collection) -> str | None:
    """The base of the collection's file URLs; personal ones have none."""
    if not collection.entity_type.startswith("GCSv5"):
        return None
    return f"{runtime.url}/https/{collection.pk}"


def _naming(collection: Collection) -> dict[str, Any]:
    owner = collection.owner
    name = f"{owner.username}#{collection.pk}"
    return {
        "display_name": collection.display_name,
        "organization": collection.organization or None,
        "department": collection.department or None,
        "keywords": collection.keywords or None,
        "description": collection.description or None,
        "contact_email": collection.contact_email or None,
        "contact_info": None,
        "info_link": collection.info_link or None,
        "user_message": collection.user_message or None,
        "user_message_link": None,
        "name": name,
        "canonical_name": name,
        "username": owner.username,
        "owner_id": _owner_id(collection),
        "owner_string": owner.username,
        "public": collection.public,
        "location": None,
    }


def _owner_id(collection: Collection) -> str:
    """A GCSv5 mapped collection belongs to its endpoint's client."""
    if collection.entity_type == "GCSv5_mapped_collection" and collection.endpoint_id:
        return collection.endpoint_id
    return collection.owner_id


def _kind(collection: Collection, is_gcs: bool) -> dict[str, Any]:
    return {
        "entity_type": collection.entity_type,
        "is_globus_connect": not is_gcs,
        "gcp_connected": None if is_gcs else collection.connected,
        "gcp_paused": None if is_gcs else collection.paused,
        "gcs_version": "5.4.85" if is_gcs else None,
        "non_functional": False,
        "non_functional_endpoint_id": None,
        "non_functional_endpoint_display_name": None,
    }


def _hierarchy(collection: Collection) -> dict[str, Any]:
    host = collection.host
    return {
        "host_endpoint_id": host.pk if host else None,
        "host_endpoint": host.pk if host else None,
        "host_endpoint_display_name": host.display_name if host else None,
        "host_path": collection.host_path or None,
        "mapped_collection_id": host.pk if host else None,
        "mapped_collection_display_name": host.display_name if host else None,
    }


def _policy(collection: Collection, is_gcs: bool) -> dict[str, Any]:
    is_guest = collection.host is not None
    timeout = collection.authentication_timeout_mins
    return {
        "force_encryption": collection.high_assurance,
        "disable_verify": False,
        "force_verify": False,
        "disable_anonymous_writes": False,
        "mfa_required": False,
        "high_assurance": collection.high_assurance,
        "authentication_timeout_mins": timeout,
        "authentication_policy_id": None,
        "authentication_assurance_timeout": None if timeout is None else timeout * 60,
        "acl_available": is_guest,
        "acl_editable": is_guest,
        "acl_max_expiration_period_mins": None,
        "requester_pays": False,
        "shareable": is_gcs and not is_guest,
        "auto_delete_timeout": None,
        "guest_collection_activity_notification_policy": None,
        "subscription_id": None,
        "subscription_admin_verified": False,
    }


@transfer_view
def endpoint(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    return document(caller, visible_collection(caller, collection_id))


@transfer_view
def endpoint_search(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    scope = request.GET.get("filter_scope") or "all"
    text = request.GET.get("filter_fulltext", "").strip()
    _check_search(request, scope, text)
    words = text.lower().split()
    found = [
        one
        for one in _narrowed(request, _candidates(caller, scope))
        if _matches(one, words) and is_visible(caller, one) and _in(caller, one, scope)
    ]
    limit = min(number(request, "limit", PAGE), MOST_RESULTS)
    offset = number(request, "offset", 0)
    if offset + limit > MOST_RESULTS and offset >= MOST_RESULTS:
        raise bad_request("Only the first 1000 results can be paged through")
    shown = found[offset : offset + limit]
    return {
        "DATA_TYPE": "endpoint_list",
        "limit": limit,
        "offset": offset,
        "has_next_page": len(found) > offset + limit and offset + limit < MOST_RESULTS,
        "DATA": [
            with_fields(document(caller, one), request.GET.get("fields"))
            for one in shown
        ],
    }


SCOPES = frozenset(
    {
        "all",
        "my-endpoints",
        "my-gcp-endpoints",
        "recently-used",
        "in-use",
        "shared-by-me",
        "shared-with-me",
        "administered-by-me",
        "hide-no-permissions",
    }
)


def _check_search(request: HttpRequest, scope: str, text: str) -> None:
    if scope not in SCOPES:
        raise bad_request(f"Invalid filter_scope: '{scope}'", "BadRequest")
    if scope == "all" and not text and not request.GET.get("filter_owner_id"):
        raise bad_request("filter_fulltext is required for scope 'all'", "BadRequest")
    owner_conflicts = {"my-endpoints", "my-gcp-endpoints", "shared-by-me"}
    if any("\0" in value for value in request.GET.values()):
        raise bad_request("A parameter holds a NUL character", "BadRequest")
    if "filter_owner_id" in request.GET and scope in owner_conflicts:
        raise bad_request(f"filter_owner_id conflicts with '{scope}'", "BadRequest")
    if "filter_non_functional" in request.GET and "filter_entity_type" in request.GET:
        raise bad_request(
            "filter_non_functional conflicts with filter_entity_type", "BadRequest"
        )


def _candidates(caller: Caller, scope: str) -> QuerySet[Collection]:
    found = Collection.objects.select_related("owner", "host").prefetch_related(
        "rules", "roles"
    )
    if scope == "recently-used":
        mine = Q(uses__identity__in=caller.identity_ids)
        return (
            found.annotate(last_use=Max("uses__used_at", filter=mine))
            .exclude(last_use=None)
            .order_by("-last_use")
        )
    if scope == "in-use":
        found = found.filter(pk__in=_in_use(caller))
    return found.order_by("display_name", "pk")


def _in_use(caller: Caller) -> set[str]:
    """The collections between which an unfinished task of the caller works."""
    tasks = Task.objects.filter(owner__in=caller.identity_ids, completed_at=None)
    pairs = tasks.values_list("source_id", "destination_id")
    return {one for pair in pairs for one in pair if one}


def _narrowed(
    request: HttpRequest, found: QuerySet[Collection]
) -> QuerySet[Collection]:
    if owner := request.GET.get("filter_owner_id"):
        found = found.filter(Q(owner=owner) | Q(endpoint_id=owner))
    if host := request.GET.get("filter_host_endpoint"):
        found = found.filter(host=host)
    if kind := request.GET.get("filter_entity_type"):
        found = found.filter(entity_type__in=kind.split(","))
    if request.GET.get("filter_non_functional", "0") not in ("0", "false", "False"):
        found = found.none()
    return found


def _matches(collection: Collection, words: list[str]) -> bool:
    """Each word begins some word of the collection's texts."""
    texts = (
        collection.display_name,
        collection.description,
        collection.organization,
        collection.department,
        collection.keywords,
        collection.owner.username,
    )
    known = " ".join(texts).lower()
    pieces = [*known.replace(",", " ").split(), *known.replace("@", " ").split()]
    return all(any(piece.startswith(word) for piece in pieces) for word in words)


def _in(caller: Caller, collection: Collection, scope: str) -> bool:
    match scope:
        case "my-endpoints":
            return is_owner(caller, collection)
        case "my-gcp-endpoints":
            return is_owner(caller, collection) and collection.entity_type.startswith(
                "GCP"
            )
        case "shared-by-me":
            return is_owner(caller, collection) and collection.host_id is not None
        case "shared-with-me":
            return (
                collection.host_id is not None
                and not is_owner(caller, collection)
                and bool(rules_for(caller, collection))
            )
        case "administered-by-me":
            roles = set(effective_roles(caller, collection))
            return bool(roles & {"administrator", "access_manager"})
        case "hide-no-permissions":
            return is_owner(caller, collection) or bool(rules_for(caller, collection))
    return True


def with_fields(document: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """Only the keys that ``fields=a,b`` names."""
    if not fields:
        return document
    wanted = {*fields.split(","), "DATA_TYPE"}
    return {name: value for name, value in document.items() if name in wanted}


@transfer_view
def my_shared_endpoint_list(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    host = visible_collection(caller, collection_id)
    guests = host.guests.select_related("owner", "host").order_by("display_name")
    return {
        "DATA_TYPE": "endpoint_list",
        "DATA": [
            document(caller, guest) for guest in guests if is_owner(caller, guest)
        ],
    }
