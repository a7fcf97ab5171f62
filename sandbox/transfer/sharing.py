"""Access rules of guest collections, roles, and bookmarks.

https://docs.globus.org/api/transfer/acl/
https://docs.globus.org/api/transfer/endpoint_bookmarks/
"""

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import AccessRule, Bookmark, Collection, Group, Identity, Role
from sandbox.transfer.access import (
    ROLES,
    effective_roles,
    rules_for,
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
from sandbox.transfer.files import document_of, text_of
from sandbox.transfer.paths import checked

MANAGERS = frozenset({"administrator", "access_manager"})
MOST_RULES = 1000
MOST_BOOKMARKS = 100
PRINCIPALS = ("identity", "group", "all_authenticated_users", "anonymous")


def rule_document(rule: AccessRule) -> dict[str, Any]:
    return {
        "DATA_TYPE": "access",
        "id": rule.pk,
        "role_id": None,
        "role_type": None,
        "principal_type": rule.principal_type,
        "principal": rule.principal,
        "path": rule.path,
        "permissions": rule.permissions,
        "create_time": clock.iso(rule.created_at),
        "expiration_date": clock.iso_or_none(rule.expires_at),
        "notify_email": rule.notify_email or None,
        "notify_message": rule.notify_message or None,
    }


@transfer_view
def access_list(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    """All rules for who manages them, otherwise those about the caller."""
    collection = visible_collection(caller, collection_id)
    rules = (
        list(collection.rules.order_by("path", "pk"))
        if effective_roles(caller, collection)
        else rules_for(caller, collection)
    )
    return {
        "DATA_TYPE": "access_list",
        "endpoint": collection.pk,
        "length": len(rules),
        "DATA": [rule_document(rule) for rule in rules],
    }


def _managed_collection(caller: Caller, collection_id: str) -> Collection:
    collection = visible_collection(caller, collection_id)
    if not MANAGERS & set(effective_roles(caller, collection)):
        raise TransferFailure(403, "PermissionDenied", "You may not manage access")
    if collection.host is None:
        raise conflict("Only guest collections have access rules", "NotSupported")
    return collection


def _rule(collection: Collection, rule_id: str) -> AccessRule:
    rule = collection.rules.filter(pk=rule_id).first()
    if rule is None:
        raise not_found(f"No such access rule '{rule_id}'", "AccessRuleNotFound")
    return rule


@transfer_view
def access(
    request: HttpRequest, caller: Caller, collection_id: str, rule_id: str
) -> dict[str, Any]:
    collection = _managed_collection(caller, collection_id)
    return rule_document(_rule(collection, rule_id))


@transfer_view
def create_access(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    document = document_of(request, "access")
    collection = _managed_collection(caller, collection_id)
    rule = AccessRule(
        id=str(uuid.uuid4()),
        collection=collection,
        principal_type=_principal_type(document),
        principal=str(document.get("principal") or ""),
        path=_folder(text_of(document, "path")),
        permissions=_permissions(document),
        created_at=clock.now(),
        expires_at=_expiration(document),
        notify_email=_note(document, "notify_email"),
        notify_message=_note(document, "notify_message"),
    )
    with transaction.atomic():
        if collection.rules.count() >= MOST_RULES:
            raise conflict("The collection has its 1000 access rules", "LimitExceeded")
        _store_new(rule)
    return {
        "DATA_TYPE": "access_create_result",
        "code": "Created",
        "access_id": rule.pk,
        "message": "Access rule created successfully.",
        "HTTP_STATUS": knobs.access_created_status,
    }


@transaction.atomic
def _store_new(rule: AccessRule) -> None:
    same = AccessRule.objects.filter(
        collection=rule.collection,
        principal_type=rule.principal_type,
        principal=rule.principal,
        path=rule.path,
    )
    if same.exists():
        raise conflict("Such an access rule exists", knobs.exists_code)
    rule.save(force_insert=True)


def _principal_type(document: dict[str, Any]) -> str:
    kind = document.get("principal_type")
    if kind not in PRINCIPALS:
        raise bad_request(f"Invalid principal_type: '{kind}'")
    needs_principal = kind in ("identity", "group")
    if needs_principal != bool(document.get("principal")):
        raise bad_request("principal must be a UUID for an identity or a group, or ''")
    if needs_principal:
        check_principal(str(kind), document.get("principal"))
    return str(kind)


def check_principal(kind: str, principal: Any) -> None:
    """:raises TransferFailure: there is no such identity or group"""
    rows = Identity.objects if kind == "identity" else Group.objects
    if not isinstance(principal, str) or "\0" in principal:
        raise bad_request("principal must be a UUID")
    if not rows.filter(pk=principal).exists():
        raise bad_request(f"There is no {kind} '{principal}'")


def _note(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise bad_request(f"{name} must be a text")
    return value or ""


def _permissions(document: dict[str, Any]) -> str:
    if document.get("permissions") not in ("r", "rw"):
        raise bad_request("permissions must be 'r' or 'rw'")
    return str(document["permissions"])


def _expiration(document: dict[str, Any]) -> float | None:
    text = document.get("expiration_date")
    if text is None:
        return None
    try:
        return clock.from_text(str(text))
    except (ValueError, OverflowError) as err:
        raise bad_request(f"Invalid expiration_date: '{text}'") from err


def _folder(path: str) -> str:
    if not path.startswith("/") or not path.endswith("/"):
        raise bad_request("path must start and end with '/'")
    names = path.split("/")[1:-1]
    if any(name in ("", ".", "..") for name in names):
        # Paths are compared in their normal form: such a rule would never hold.
        raise bad_request(
            "path must not hold '//', '.' or '..'",
            "ClientError.BadRequest.InvalidPath",
        )
    return checked(path)


@transfer_view
def update_access(
    request: HttpRequest, caller: Caller, collection_id: str, rule_id: str
) -> dict[str, Any]:
    """Permissions and expiry may change, nothing else."""
    document = document_of(request, "access")
    rule = _rule(_managed_collection(caller, collection_id), rule_id)
    rule.permissions = _permissions({"permissions": rule.permissions, **document})
    if "expiration_date" in document:
        rule.expires_at = _expiration(document)
    rule.save(update_fields=["permissions", "expires_at"])
    return _result("Updated", "Access rule updated successfully.")


@transfer_view
def delete_access(
    request: HttpRequest, caller: Caller, collection_id: str, rule_id: str
) -> dict[str, Any]:
    _rule(_managed_collection(caller, collection_id), rule_id).delete()
    return _result("Deleted", "Access rule deleted successfully.")


def _result(code: str, message: str) -> dict[str, Any]:
    return {"DATA_TYPE": "result", "code": code, "message": message}


def _role_document(role: Role) -> dict[str, Any]:
    return {
        "DATA_TYPE": "role",
        "id": role.pk,
        "principal_type": role.principal_type,
        "principal": role.principal,
        "role": role.role,
    }


@transfer_view
def role_list(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    collection = visible_collection(caller, collection_id)
    if not effective_roles(caller, collection):
        raise TransferFailure(403, "PermissionDenied", "You have no role here")
    roles = collection.roles.order_by("pk")
    return {"DATA_TYPE": "role_list", "DATA": [_role_document(one) for one in roles]}


def _administered(caller: Caller, collection_id: str) -> Collection:
    collection = visible_collection(caller, collection_id)
    if "administrator" not in effective_roles(caller, collection):
        raise TransferFailure(403, "PermissionDenied", "You may not manage roles")
    return collection


@transfer_view
def create_role(
    request: HttpRequest, caller: Caller, collection_id: str
) -> dict[str, Any]:
    document = document_of(request, "role")
    collection = _administered(caller, collection_id)
    kind = document.get("principal_type")
    if kind not in ("identity", "group"):
        raise bad_request(f"Invalid principal_type: '{kind}'")
    if document.get("role") not in ROLES:
        raise bad_request(f"Invalid role: '{document.get('role')}'")
    check_principal(str(kind), document.get("principal"))
    role = Role(
        id=str(uuid.uuid4()),
        collection=collection,
        principal_type=str(kind),
        principal=str(document["principal"]),
        role=str(document["role"]),
    )
    with transaction.atomic():
        same = collection.roles.filter(principal=role.principal, role=role.role)
        if same.exists():
            raise conflict("Such a role exists", knobs.exists_code)
        role.save(force_insert=True)
    return {**_role_document(role), "HTTP_STATUS": 201}


def _role(collection: Collection, role_id: str) -> Role:
    role = collection.roles.filter(pk=role_id).first()
    if role is None:
        raise not_found(f"No such role '{role_id}'", "RoleNotFound")
    return role


@transfer_view
def role(
    request: HttpRequest, caller: Caller, collection_id: str, role_id: str
) -> dict[str, Any]:
    collection = visible_collection(caller, collection_id)
    if not effective_roles(caller, collection):
        raise TransferFailure(403, "PermissionDenied", "You have no role here")
    return _role_document(_role(collection, role_id))


@transfer_view
def delete_role(
    request: HttpRequest, caller: Caller, collection_id: str, role_id: str
) -> dict[str, Any]:
    _role(_administered(caller, collection_id), role_id).delete()
    return _result("Deleted", "Role deleted successfully.")


# --- bookmarks


def _bookmark_document(bookmark: Bookmark) -> dict[str, Any]:
    return {
        "DATA_TYPE": "bookmark",
        "id": bookmark.pk,
        "name": bookmark.name,
        "endpoint_id": bookmark.collection_id,
        "path": bookmark.path,
        "pinned": bookmark.pinned,
    }


@transfer_view
def bookmark_list(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    found = Bookmark.objects.filter(owner=caller.identity).order_by("name")
    return {
        "DATA_TYPE": "bookmark_list",
        "DATA": [_bookmark_document(one) for one in found],
    }


@transfer_view
def create_bookmark(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    document = document_of(request, "bookmark")
    bookmark = Bookmark(
        id=str(uuid.uuid4()),
        owner=caller.identity,
        name=_bookmark_name(document),
        collection_id=visible_collection(caller, text_of(document, "endpoint_id")).pk,
        path=f"{text_of(document, 'path').rstrip('/')}/",
        pinned=bool(document.get("pinned")),
    )
    _store_bookmark(bookmark)
    return {**_bookmark_document(bookmark), "HTTP_STATUS": 201}


def _bookmark_name(document: dict[str, Any]) -> str:
    name = text_of(document, "name")
    if len(name) > 128:
        raise bad_request("A bookmark's name has at most 128 characters")
    if name != name.strip():
        raise bad_request("A bookmark's name has no outer blanks")
    return name


@transaction.atomic
def _store_bookmark(bookmark: Bookmark) -> None:
    others = Bookmark.objects.filter(owner=bookmark.owner, name=bookmark.name)
    own = Bookmark.objects.filter(owner=bookmark.owner).exclude(pk=bookmark.pk)
    if own.count() >= MOST_BOOKMARKS:
        raise conflict("You have 100 bookmarks already", "LimitExceeded")
    if others.exclude(pk=bookmark.pk).exists():
        raise conflict(f"A bookmark '{bookmark.name}' exists", knobs.exists_code)
    bookmark.save()


def _bookmark(caller: Caller, bookmark_id: str) -> Bookmark:
    found = Bookmark.objects.filter(owner=caller.identity, pk=bookmark_id).first()
    if found is None:
        raise not_found(f"No bookmark '{bookmark_id}'", "BookmarkNotFound")
    return found


@transfer_view
def bookmark(request: HttpRequest, caller: Caller, bookmark_id: str) -> dict[str, Any]:
    return _bookmark_document(_bookmark(caller, bookmark_id))


@transfer_view
def update_bookmark(
    request: HttpRequest, caller: Caller, bookmark_id: str
) -> dict[str, Any]:
    document = document_of(request, "bookmark")
    found = _bookmark(caller, bookmark_id)
    found.name = _bookmark_name({"name": found.name, **document})
    found.pinned = bool(document.get("pinned", found.pinned))
    _store_bookmark(found)
    return _bookmark_document(found)


@transfer_view
def delete_bookmark(
    request: HttpRequest, caller: Caller, bookmark_id: str
) -> dict[str, Any]:
    _bookmark(caller, bookmark_id).delete()
    return _result("Deleted", "Bookmark deleted successfully.")
