"""Globus Groups v2, reading: my groups, and one group."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox import scopes
from sandbox.answers import bearer_token, json_answer
from sandbox.auth import tokens
from sandbox.knobs import current as knobs
from sandbox.models import Group, Identity, Membership, Token
from sandbox.wire import UNEXPECTED

INCLUDES = frozenset(
    {"memberships", "my_memberships", "policies", "allowed_actions", "child_ids"}
)
#: who sees a private group
INSIDE = ("active", "invited", "pending")


class GroupsFailure(Exception):
    """``{"code", "detail"}`` with a status."""

    def __init__(self, status: int, code: str, detail: Any) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


def groups_view(operation: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """A view out of ``operation(request, token, …) -> document``."""

    @wraps(operation)
    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        try:
            answer = operation(request, _token(request), **parts)
            is_object = isinstance(answer, dict)
            status = answer.pop("HTTP_STATUS", 200) if is_object else 200
            return json_answer(answer, status)
        except GroupsFailure as failure:
            document = {"code": failure.code, "detail": failure.detail}
            return json_answer(document, failure.status)

    return view


def _token(request: HttpRequest) -> Token:
    token = tokens.find_access_token(bearer_token(request), scopes.GROUPS)
    if token is None:
        raise GroupsFailure(401, "UNAUTHORIZED", "Call must be authenticated")
    if not {scopes.GROUPS_ALL, scopes.GROUPS_VIEW} & set(token.scope.split()):
        raise GroupsFailure(403, "FORBIDDEN", "The token has no scope of Groups")
    return token


@groups_view
def my_groups(request: HttpRequest, token: Token) -> list[dict[str, Any]]:
    """Groups in which an identity of the caller has one of these statuses."""
    wanted = [
        status
        for text in request.GET.getlist("statuses") or ["active"]
        for status in text.split(",")
    ]
    mine = Membership.objects.filter(
        identity__in=identity_ids(token), status__in=wanted
    ).select_related("identity")
    memberships: dict[str, list[Membership]] = {}
    for one in mine:
        memberships.setdefault(one.group_id, []).append(one)
    found = Group.objects.filter(pk__in=memberships).order_by("name")
    return [
        {
            **document(group),
            "my_memberships": [member(one) for one in memberships[group.pk]],
        }
        for group in found
    ]


def identity_ids(token: Token) -> list[str]:
    """The caller's identity set."""
    if token.identity.is_client:
        return [token.identity_id]
    linked = Identity.objects.filter(person=token.identity.person)
    return list(linked.values_list("pk", flat=True))


@groups_view
def group(request: HttpRequest, token: Token, group_id: str) -> dict[str, Any]:
    found, mine = visible_group(token, group_id)
    include = set(filter(None, request.GET.get("include", "").split(",")))
    if unknown := include - INCLUDES:
        raise GroupsFailure(
            422,
            "UNPROCESSABLE",
            [{"loc": ["query", "include"], "msg": sorted(unknown)}],
        )
    return {**document(found), **_included(found, include, mine)}


def visible_group(token: Token, group_id: str) -> tuple[Group, list[Membership]]:
    """A group with the caller's memberships in it.

    :raises GroupsFailure: there is none, or it is private
    """
    found = Group.objects.filter(pk=group_id.lower()).first()
    mine = [] if found is None else memberships_of(found, identity_ids(token))
    if found is None:
        raise GroupsFailure(404, "NOT_FOUND", f"No group {group_id}")
    if not _is_visible(found, mine):
        if knobs.private_group_status == 403:
            raise GroupsFailure(403, "FORBIDDEN", "This group is private")
        raise GroupsFailure(404, "NOT_FOUND", f"No group {group_id}")
    return found, mine


def memberships_of(group: Group, identity_ids: Iterable[str]) -> list[Membership]:
    return list(
        group.memberships.filter(identity__in=identity_ids).select_related("identity")
    )


def _is_visible(group: Group, mine: list[Membership]) -> bool:
    if group.policies.get("group_visibility") == "authenticated":
        return True
    return any(one.status in INSIDE for one in mine)


def _included(
    group: Group, include: set[str], mine: list[Membership]
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if "my_memberships" in include:
        answer["my_memberships"] = [member(one) for one in mine]
    if "memberships" in include:
        answer["memberships"] = [member(one) for one in _seen_members(group, mine)]
    if "child_ids" in include:
        children = Group.objects.filter(parent_id=group.pk)
        answer["child_ids"] = list(children.values_list("pk", flat=True))
    if "allowed_actions" in include:
        answer["allowed_actions"] = _actions(mine)
    if "policies" in include:
        answer["policies"] = policies_of(group)
    return answer


def _seen_members(group: Group, mine: list[Membership]) -> list[Membership]:
    """All members, if the policy lets this caller see them, else their own."""
    roles = {one.role for one in mine if one.status == "active"}
    is_open = group.policies.get("group_members_visibility") == "members"
    if roles & {"manager", "admin"} or (roles and is_open):
        members = group.memberships.select_related("identity")
        return list(members.order_by("identity__username"))
    return mine


def _actions(mine: list[Membership]) -> list[str]:
    roles = {one.role for one in mine if one.status == "active"}
    if roles & {"manager", "admin"}:
        return ["add", "invite", "remove", "approve", "change_role", "leave"]
    if any(one.status == "invited" for one in mine):
        return ["accept", "decline"]
    return ["leave"] if roles else ["join"]


def document(group: Group) -> dict[str, Any]:
    return {
        "id": group.pk,
        "name": group.name,
        "description": group.description,
        "terms_and_conditions": group.terms_and_conditions,
        "parent_id": group.parent_id or None,
        "group_type": group.group_type,
        "enforce_session": bool(group.policies.get("is_high_assurance")),
        "session_limit": 28_800,
        "session_timeouts": {},
        "subscription_id": None,
        "subscription_info": None,
        "subscription_admin_verified_id": None,
        "policies": policies_of(group),
    }


def policies_of(group: Group) -> dict[str, Any]:
    """The group's policies; what was never set has the strict value."""
    return {
        "is_high_assurance": False,
        "authentication_assurance_timeout": 28_800,
        "group_visibility": "private",
        "group_members_visibility": "managers",
        "join_requests": False,
        "signup_fields": [],
        **group.policies,
    }


def member(membership: Membership) -> dict[str, Any]:
    return {
        "group_id": membership.group_id,
        "identity_id": membership.identity_id,
        "username": membership.identity.username,
        "role": membership.role,
        "status": membership.status,
        "membership_fields": membership.fields,
    }


@groups_view
def subscription(
    request: HttpRequest, token: Token, subscription_id: str
) -> dict[str, Any]:
    """No group of the sandbox carries a subscription."""
    raise GroupsFailure(404, "NOT_FOUND", f"No subscription {subscription_id}")


@groups_view
def verify_by_subscription(
    request: HttpRequest, token: Token, group_id: str
) -> dict[str, Any]:
    """Only a subscription's admin could, and there are no subscriptions."""
    visible_group(token, group_id)
    raise GroupsFailure(403, "FORBIDDEN", "You administer no subscription")


@groups_view
def unknown(request: HttpRequest, token: Token, **parts: str) -> Any:
    request.META[UNEXPECTED] = True
    raise GroupsFailure(404, "NOT_FOUND", f"No route {request.method} {request.path}")
