"""Collections that change: updates, deletion, guest collections, related lists.

https://docs.globus.org/api/transfer/endpoints_and_collections/
https://docs.globus.org/api/transfer/gcp_management/
"""

import os
import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from sandbox.models import Collection, DeletedCollection
from sandbox.transfer import lazy, pauses
from sandbox.transfer.access import (
    check_writable,
    effective_roles,
    is_owner,
    usable_collection,
    visible_collection,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import (
    TransferFailure,
    bad_request,
    conflict,
    not_found,
    transfer_view,
)
from sandbox.transfer.files import document_of, number, text_of
from sandbox.transfer.paths import place

#: keys of the endpoint document that are columns here
_COLUMNS = frozenset(
    {
        "display_name",
        "organization",
        "department",
        "keywords",
        "description",
        "contact_email",
        "info_link",
        "user_message",
        "default_directory",
    }
)
#: further keys that an update may set
_TEXTS = frozenset({"contact_info", "user_message_link", "location", "network_use"})
_FLAGS = frozenset(
    {
        "force_encryption",
        "disable_verify",
        "force_verify",
        "disable_anonymous_writes",
    }
)
LONGEST_TEXT = 1024


def administered(caller: Caller, collection_id: str) -> Collection:
    """:raises TransferFailure: the caller does not administer it"""
    collection = visible_collection(caller, collection_id)
    if "administrator" not in effective_roles(caller, collection):
        raise TransferFailure(
            403, "PermissionDenied", "You do not administer this endpoint"
        )
    return collection


def _result(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"DATA_TYPE": "result", "code": code, "message": message, **more}


@transfer_view
def update(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    """Change what is in the document; keys that nobody may change are left alone."""
    changes = document_of(request, "endpoint")
    # One of our own: what is changed half and then refused is shared with nobody.
    collection = Collection.objects.get(pk=administered(caller, collection_id).pk)
    _apply(collection, changes)
    collection.save()
    return {
        **_result("Updated", "Endpoint updated successfully"),
        "DATA_TYPE": "endpoint_update_result",
    }


def _apply(collection: Collection, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if name in _COLUMNS:
            setattr(collection, name, _text(name, value))
        elif name in _TEXTS:
            collection.details = {**collection.details, name: _text(name, value)}
        elif name in _FLAGS or name == "public":
            if not isinstance(value, bool):
                raise bad_request(f"{name} must be true or false")
            if name == "public":
                collection.public = value
            else:
                collection.details = {**collection.details, name: value}
    if not collection.display_name:
        raise bad_request("display_name must not be empty")


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise bad_request(f"{name} must be a text of at most {LONGEST_TEXT} characters")
    return value


@transfer_view
def delete(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    """The id is answered with EndpointDeleted from now on; the files stay."""
    collection = administered(caller, collection_id)
    if collection.guests.exists():
        raise conflict("The collection has guest collections")
    with transaction.atomic():
        DeletedCollection.objects.create(pk=collection.pk)
        collection.delete()
    return _result("Deleted", "Endpoint deleted successfully")


@transfer_view
def create_guest(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    """A guest collection of a directory that the caller may write to."""
    asked = document_of(request, "shared_endpoint")
    name = "host_endpoint" if "host_endpoint" in asked else "host_endpoint_id"
    host = usable_collection(caller, text_of(asked, name))
    is_gcs = host.entity_type.startswith("GCSv5")
    if host.host is not None:
        raise conflict("A guest collection cannot be shared", "NotSupported")
    where = place(caller, host, text_of(asked, "host_path"))
    check_writable(caller, host, where.path)
    lazy.fill_way(where.real, "")
    if not os.path.isdir(where.target):  # noqa: PTH112 - any bytes may be a name
        raise not_found(f"No directory '{where.path}' to share")
    guest = Collection(
        id=str(uuid.uuid4()),
        display_name=text_of(asked, "display_name"),
        entity_type="GCSv5_guest_collection" if is_gcs else "GCP_guest_collection",
        owner=caller.identity,
        endpoint_id=host.endpoint_id,
        host=host,
        host_path=where.path.rstrip("/"),
        root=host.root,
        public=asked.get("public", True) is True,
    )
    _apply(guest, asked)
    guest.save(force_insert=True)
    return _result(
        "Created", "Shared endpoint created successfully", id=guest.pk, HTTP_STATUS=201
    )


LONGEST_PAGE = 1000


@transfer_view
def guests(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    """All guest collections, for who runs the host; otherwise the caller's own.

    Pages by ``next_token``, which is the id after which the next page begins.
    """
    host = visible_collection(caller, collection_id)
    found = list(host.guests.select_related("owner", "host").order_by("pk"))
    if not effective_roles(caller, host):
        found = [one for one in found if is_owner(caller, one)]
    token = request.GET.get("next_token", "")
    rest = [one for one in found if one.pk > token]
    size = min(number(request, "max_results", LONGEST_PAGE) or 1, LONGEST_PAGE)
    page = rest[:size]
    return {
        "DATA_TYPE": "shared_endpoint_list",
        "shared_endpoints": [{"id": one.pk} for one in page],
        "next_token": page[-1].pk if len(rest) > size else None,
    }


@transfer_view
def pause_rules(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    """``my_effective_pause_rule_list``: what keeps the caller from anything here."""
    collection = visible_collection(caller, collection_id)
    found = {
        rule.pk: rule
        for operation in pauses.OPERATIONS
        for rule in pauses.rules_on(collection, caller.identity_ids, operation)
    }
    return {
        "DATA_TYPE": "pause_rule_list",
        "DATA": [pauses.rule_document(rule) for rule in found.values()],
    }


@transfer_view
def servers(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    """Collections of today have no server documents of their own."""
    visible_collection(caller, collection_id)
    return {"DATA_TYPE": "endpoint_server_list", "DATA": []}


@transfer_view
def server(
    request: HttpRequest, caller: Caller, collection_id: str, number: str
) -> dict[str, Any]:
    visible_collection(caller, collection_id)
    raise not_found(f"No server {number}", "ServerNotFound")


@transfer_view
def subscription(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    """Only a subscription's managers may do this, and the sandbox has none."""
    document_of(request, "endpoint")
    visible_collection(caller, collection_id)
    raise TransferFailure(
        403, "PermissionDenied", "You do not manage this subscription"
    )
