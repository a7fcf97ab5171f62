"""Writing groups: made, changed, deleted, and who belongs to them.

A batch answers 200 even when some of its actions failed: those are in ``errors``.
"""

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from sandbox import scopes
from sandbox.answers import json_body
from sandbox.groups.views import (
    GroupsFailure,
    document,
    groups_view,
    identity_ids,
    member,
    memberships_of,
    policies_of,
    visible_group,
)
from sandbox.knobs import current as knobs
from sandbox.models import Group, Identity, Membership, Setting, Token

ROLES = ("member", "manager", "admin")
_POLICY_VALUES: dict[str, tuple[Any, ...]] = {
    "is_high_assurance": (True, False),
    "group_visibility": ("authenticated", "private"),
    "group_members_visibility": ("members", "managers"),
    "join_requests": (True, False),
}
_POLICY_NAMES = {*_POLICY_VALUES, "authentication_assurance_timeout", "signup_fields"}

Item = dict[str, Any]


def unprocessable(where: list[str], message: str) -> GroupsFailure:
    return GroupsFailure(
        422,
        "UNPROCESSABLE_ENTITY",
        [{"loc": ["body", *where], "msg": message, "type": "value_error"}],
    )


def _body(request: HttpRequest, token: Token) -> Item:
    """The JSON object of a request that may write.

    :raises GroupsFailure: no object, or a token that may only read
    """
    if scopes.GROUPS_ALL not in token.scope.split():
        raise GroupsFailure(403, "FORBIDDEN", "The token may only read groups")
    try:
        return json_body(request) if request.body else {}
    except ValueError as err:
        raise unprocessable([], f"Not a JSON object: {err}") from err


def _text(body: Item, name: str, default: str | None = "") -> str | None:
    value = body.get(name, default)
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise unprocessable([name], "str type expected")
    return value


def _roles(mine: list[Membership]) -> set[str]:
    return {one.role for one in mine if one.status == "active"}


def _led_group(token: Token, group_id: str, *roles: str) -> Group:
    """A group in which the caller has one of the roles.

    :raises GroupsFailure: not visible, or the role is missing
    """
    group, mine = visible_group(token, group_id)
    if not _roles(mine) & set(roles):
        raise GroupsFailure(403, "FORBIDDEN", "You do not have the role for this")
    return group


@groups_view
def create(request: HttpRequest, token: Token) -> dict[str, Any]:
    body = _body(request, token)
    name = _text(body, "name", None)
    if not name or not name.strip():
        raise unprocessable(["name"], "field required")
    parent = _text(body, "parent_id", None)
    if parent is not None:
        _led_group(token, parent, "admin", "manager")
    with transaction.atomic():
        group = Group.objects.create(
            id=str(uuid.uuid4()),
            name=name,
            description=_text(body, "description") or "",
            terms_and_conditions=_text(body, "terms_and_conditions", None),
            parent_id=parent or "",
        )
        first = Membership.objects.create(
            group=group, identity=token.identity, role="admin"
        )
    return {
        **document(group),
        "my_memberships": [member(first)],
        "HTTP_STATUS": 201,
    }


@groups_view
def update(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    body = _body(request, token)
    group = _led_group(token, group_id, "admin")
    name = _text(body, "name", group.name)
    if not name or not name.strip():
        raise unprocessable(["name"], "must not be empty")
    group.name = name
    group.description = _text(body, "description", group.description) or ""
    group.terms_and_conditions = _text(
        body, "terms_and_conditions", group.terms_and_conditions
    )
    group.save()
    return document(group)


@groups_view
def delete(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    _body(request, token)
    group = _led_group(token, group_id, "admin")
    gone = document(group)
    group.delete()
    return gone


# --- policies, preferences, membership fields


@groups_view
def policies(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    return policies_of(_led_group(token, group_id, "admin", "manager"))


@groups_view
def set_policies(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    body = _body(request, token)
    group = _led_group(token, group_id, "admin")
    for name, value in body.items():
        if name not in _POLICY_NAMES:
            raise unprocessable([name], "extra fields not permitted")
        if name in _POLICY_VALUES and value not in _POLICY_VALUES[name]:
            raise unprocessable([name], "unexpected value")
    timeout = body.get("authentication_assurance_timeout", 0)
    if timeout is not None and type(timeout) is not int:
        raise unprocessable(["authentication_assurance_timeout"], "not an integer")
    if not isinstance(body.get("signup_fields", []), list):
        raise unprocessable(["signup_fields"], "value is not a valid list")
    group.policies = {**group.policies, **body}
    group.save(update_fields=["policies"])
    return policies_of(group)


@groups_view
def preferences(request: HttpRequest, token: Token) -> dict[str, Any]:
    stored = Setting.objects.filter(name=_preferences_of(token)).first()
    return dict(stored.value) if stored else {}


@groups_view
def set_preferences(request: HttpRequest, token: Token) -> dict[str, Any]:
    body = _body(request, token)
    Setting.objects.update_or_create(
        name=_preferences_of(token), defaults={"value": body}
    )
    return body


def _preferences_of(token: Token) -> str:
    return f"groups/{token.identity_id}"


@groups_view
def fields(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    _, mine = visible_group(token, group_id)
    return dict(_own(mine).fields)


@groups_view
def set_fields(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    body = _body(request, token)
    _, mine = visible_group(token, group_id)
    membership = _own(mine)
    membership.fields = body
    membership.save(update_fields=["fields"])
    return body


def _own(mine: list[Membership]) -> Membership:
    if not mine:
        raise GroupsFailure(403, "FORBIDDEN", "You are not in this group")
    return mine[0]


# --- memberships


class ActionFailed(Exception):
    """One action of a batch did not work; the others go on."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


class Batch:
    """The membership actions of one request on one group."""

    def __init__(self, token: Token, group: Group) -> None:
        self.group = group
        self.own_ids = set(identity_ids(token))
        mine = memberships_of(group, self.own_ids)
        roles = _roles(mine)
        self.is_manager = bool(roles & {"manager", "admin"})
        self.is_admin = "admin" in roles

    def run(self, action: str, item: Item) -> Membership:
        """:raises ActionFailed: with the code that goes into ``errors``"""
        identity = Identity.objects.filter(pk=str(item.get("identity_id"))).first()
        if identity is None:
            raise ActionFailed("IDENTITY_NOT_FOUND", "There is no such identity")
        known = self.group.memberships.filter(identity=identity).first()
        membership = known or Membership(
            group=self.group, identity=identity, status="none"
        )
        _ACTIONS[action](self, membership, item)
        membership.save()
        return membership

    def need_manager(self) -> None:
        if not self.is_manager:
            raise ActionFailed("FORBIDDEN", "Only managers and admins may do this")

    def need_self(self, membership: Membership) -> None:
        if membership.identity_id not in self.own_ids:
            raise ActionFailed("FORBIDDEN", "Only the identity itself may do this")

    def role_of(self, item: Item) -> str:
        role = item.get("role", "member")
        if role not in ROLES:
            raise ActionFailed("INVALID_ROLE", f"There is no role {role!r}")
        if role == "admin" and not self.is_admin:
            raise ActionFailed("FORBIDDEN", "Only an admin may make an admin")
        return str(role)

    def keep_an_admin(self, membership: Membership) -> None:
        """Nobody may take the last admin away."""
        if membership.role != "admin" or membership.status != "active":
            return
        others = self.group.memberships.filter(role="admin", status="active")
        is_last = not others.exclude(pk=membership.pk).exists()
        if is_last and knobs.keep_last_admin:
            raise ActionFailed("LAST_ADMIN", "A group needs an admin")


def _need(membership: Membership, status: str, code: str) -> None:
    if membership.status != status:
        raise ActionFailed(code, f"The membership is {membership.status}")


def _add(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_manager()
    if membership.status == "active":
        raise ActionFailed("ALREADY_ACTIVE", "This identity is an active member")
    membership.role, membership.status = batch.role_of(item), "active"


def _invite(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_manager()
    if membership.status == "active":
        raise ActionFailed("ALREADY_ACTIVE", "This identity is an active member")
    if membership.status == "invited":
        raise ActionFailed("ALREADY_INVITED", "This identity has an invitation")
    membership.role, membership.status = batch.role_of(item), "invited"


def _remove(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_manager()
    if membership.status not in ("active", "invited", "pending"):
        raise ActionFailed("NO_MEMBERSHIP", "This identity is not in the group")
    batch.keep_an_admin(membership)
    membership.status = "removed"


def _change_role(batch: Batch, membership: Membership, item: Item) -> None:
    if not batch.is_admin:
        raise ActionFailed("FORBIDDEN", "Only admins change roles")
    _need(membership, "active", "NO_MEMBERSHIP")
    role = batch.role_of(item)
    if role != "admin":
        batch.keep_an_admin(membership)
    membership.role = role


def _approve(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_manager()
    _need(membership, "pending", "NOT_PENDING")
    membership.status = "active"


def _reject(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_manager()
    _need(membership, "pending", "NOT_PENDING")
    membership.status = "rejected"


def _accept(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_self(membership)
    _need(membership, "invited", "NOT_INVITED")
    membership.status = "active"


def _decline(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_self(membership)
    _need(membership, "invited", "NOT_INVITED")
    membership.status = "declined"


def _leave(batch: Batch, membership: Membership, item: Item) -> None:
    batch.need_self(membership)
    _need(membership, "active", "NO_MEMBERSHIP")
    batch.keep_an_admin(membership)
    membership.status = "left"


def _ask(batch: Batch, membership: Membership, status: str) -> None:
    batch.need_self(membership)
    if membership.status == "active":
        raise ActionFailed("ALREADY_ACTIVE", "This identity is an active member")
    membership.role, membership.status = "member", status


def _join(batch: Batch, membership: Membership, item: Item) -> None:
    if not batch.is_manager:
        raise ActionFailed("FORBIDDEN", "This group takes requests, not joins")
    _ask(batch, membership, "active")


def _request_join(batch: Batch, membership: Membership, item: Item) -> None:
    if not policies_of(batch.group)["join_requests"]:
        raise ActionFailed("FORBIDDEN", "This group takes no requests")
    if membership.status == "pending":
        raise ActionFailed("ALREADY_PENDING", "This identity has asked already")
    _ask(batch, membership, "pending")


_ACTIONS: dict[str, Callable[[Batch, Membership, Item], None]] = {
    "accept": _accept,
    "add": _add,
    "approve": _approve,
    "change_role": _change_role,
    "decline": _decline,
    "invite": _invite,
    "join": _join,
    "leave": _leave,
    "reject": _reject,
    "remove": _remove,
    "request_join": _request_join,
}


@groups_view
def batch(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    """Membership actions, each for itself."""
    body = _body(request, token)
    group = _joinable_group(token, group_id)
    answer: dict[str, Any] = {}
    errors: dict[str, list[Item]] = {}
    for action, items in body.items():
        if action not in _ACTIONS:
            raise unprocessable([action], "extra fields not permitted")
        if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
            raise unprocessable([action], "value is not a valid list")
    for action, items in body.items():
        answer[action] = []
        for item in items:
            try:
                with transaction.atomic():
                    done = Batch(token, group).run(action, item)
                answer[action].append(member(done))
            except ActionFailed as failed:
                errors.setdefault(action, []).append(
                    {
                        "identity_id": item.get("identity_id"),
                        "code": failed.code,
                        "detail": failed.detail,
                    }
                )
    return {**answer, **({"errors": errors} if errors else {})}


def _joinable_group(token: Token, group_id: str) -> Group:
    """A visible group, or one that takes requests from people who know its id."""
    found = Group.objects.filter(pk=group_id.lower()).first()
    if found is not None and policies_of(found)["join_requests"]:
        return found
    return visible_group(token, group_id)[0]
