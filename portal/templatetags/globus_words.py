"""Globus's identifiers in plain words."""

from django import template
from globus_sdk.scopes import (
    GroupsScopes,
    Scope,
    ScopeParseError,
    ScopeParser,
    TimersScopes,
    TransferScopes,
)

from portal.globus import scopes

register = template.Library()

RESOURCE_SERVERS = {
    scopes.AUTH: "Globus Auth – who you are",
    scopes.TRANSFER: "Globus Transfer – your data",
    scopes.GROUPS: "Globus Groups – whom you work with",
    scopes.TIMERS: "Globus Timers – what is repeated for you",
}
RIGHTS = {
    "openid": "know which identity you signed in with",
    "profile": "read your name and organisation",
    "email": "read your e-mail address",
    "urn:globus:auth:scope:auth.globus.org:view_identity_set": (
        "see which identities you have linked"
    ),
    "urn:globus:auth:scope:auth.globus.org:view_identities": "look up identities",
    str(TransferScopes.all): (
        "see your collections, list folders, and start and watch transfers"
    ),
    str(GroupsScopes.view_my_groups_and_memberships): (
        "see your groups and your roles in them"
    ),
    str(GroupsScopes.all): "answer invitations to groups, and change your groups",
    str(TimersScopes.timer): "make and change timers, which repeat transfers",
}
MEMBERSHIPS = {
    "active": "a member",
    "invited": "invited",
    "pending": "waiting for approval",
}
ROLES = {"admin": "administrator", "manager": "manager", "member": "member"}


@register.filter
def resource_server_words(resource_server: str) -> str:
    return RESOURCE_SERVERS.get(resource_server, resource_server)


@register.filter
def scope_words(scope_strings: str) -> list[str]:
    """One phrase for each right; an unknown scope stands as it is."""
    try:
        parsed = ScopeParser.parse(scope_strings)
    except ScopeParseError:
        return scope_strings.split()
    return [_right(scope) for scope in parsed]


def _right(scope: Scope) -> str:
    right = RIGHTS.get(scope.scope_string, scope.scope_string)
    collections = scopes.collections_in([str(scope)])
    if not collections:
        return right
    listed = ", ".join(sorted(map(str, collections)))
    return f"{right}, also the data on collection {listed}"


@register.filter
def consent_words(scope_string: str) -> str:
    """One scope; the data access of a collection by its id."""
    collections = scopes.collections_in([scope_string])
    if collections and scope_string not in RIGHTS:
        return f"reach the data on collection {', '.join(map(str, collections))}"
    return RIGHTS.get(scope_string, scope_string)


@register.filter
def role_words(role: str) -> str:
    return ROLES.get(role, role)


@register.filter
def membership_words(status: str) -> str:
    return MEMBERSHIPS.get(status, status)
