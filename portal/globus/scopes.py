"""Which rights the portal asks for, and how scope strings are read and joined.

Scope strings are opaque identifiers that start with ``https://auth.globus.org`` in
every environment; they are never fetched and never rewritten.
https://docs.globus.org/api/auth/reference/#scopes
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from uuid import UUID

from globus_sdk import GroupsClient, TimersClient, TransferClient
from globus_sdk.scopes import (
    GCSCollectionScopes,
    GroupsScopes,
    Scope,
    ScopeParseError,
    ScopeParser,
    TimersScopes,
    TransferScopes,
)

AUTH = "auth.globus.org"
TRANSFER = TransferClient.resource_server
GROUPS = GroupsClient.resource_server
assert TimersClient.resource_server is not None
TIMERS: str = TimersClient.resource_server

#: what everyone is asked for at sign-in
IDENTITY_SCOPES = (
    "openid",
    "profile",
    "email",
    "urn:globus:auth:scope:auth.globus.org:view_identity_set",
)
SIGN_IN_SCOPES_BY_SERVER = {
    AUTH: IDENTITY_SCOPES,
    TRANSFER: (str(TransferScopes.all),),
    GROUPS: (str(GroupsScopes.view_my_groups_and_memberships),),
}
SIGN_IN_SCOPES = tuple(
    scope for scopes in SIGN_IN_SCOPES_BY_SERVER.values() for scope in scopes
)


class Right(StrEnum):
    """What a person is asked for once something needs it, beyond the base set."""

    GROUPS = "groups"
    TIMERS = "timers"


_SCOPE_OF_RIGHT = {
    Right.GROUPS: str(GroupsScopes.all),
    Right.TIMERS: str(TimersScopes.timer),
}
RIGHT_OF_SCOPE = {scope: right for right, scope in _SCOPE_OF_RIGHT.items()}

#: the scope that a service account's token for a resource server is asked with
SERVICE_ACCOUNT_SCOPES = {
    AUTH: " ".join(IDENTITY_SCOPES),
    TRANSFER: str(TransferScopes.all),
    GROUPS: str(GroupsScopes.view_my_groups_and_memberships),
}

#: an error may ask for fifty collections at once
LONGEST_SCOPE = 10_000

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLLECTION = rf"https://auth\.globus\.org/scopes/(?P<collection>{_UUID.pattern})"
_DATA_ACCESS = re.compile(rf"{_COLLECTION}/data_access")
_HTTPS = re.compile(rf"{_COLLECTION}/https")


def data_access_scope(collection_id: UUID | str) -> Scope:
    """The optional dependency under which a mapped collection is read."""
    return GCSCollectionScopes(str(collection_id)).data_access.with_optional(True)


def with_data_access(collection_ids: Iterable[UUID | str]) -> str:
    """``transfer:all`` with every collection's ``data_access`` nested in it."""
    return str(_transfer_with(collection_ids))


def _transfer_with(collection_ids: Iterable[UUID | str]) -> Scope:
    wanted = sorted({str(each) for each in collection_ids})
    return TransferScopes.all.with_dependencies(
        [data_access_scope(collection) for collection in wanted]
    )


def https_scopes(collection_id: UUID | str, *, is_mapped: bool = False) -> list[str]:
    """For reading and writing over a collection's own server (globus-services 6).

    :param is_mapped: its files are reached with an account of the person's
    """
    of_collection = GCSCollectionScopes(str(collection_id))
    found = [of_collection.https]
    if is_mapped:
        found.append(of_collection.data_access)
    return [str(each) for each in found]


def scope_of_right(right: Right, collection_ids: Iterable[UUID | str] = ()) -> str:
    """With what it depends on: a timer makes transfers, and of them one asks more."""
    if right is Right.TIMERS:
        transfer = _transfer_with(collection_ids)
        return str(TimersScopes.timer.with_dependency(transfer))
    return _SCOPE_OF_RIGHT[right]


def further_scopes(
    collection_ids: Iterable[UUID | str] = (),
    https: Iterable[UUID | str] = (),
    rights: Iterable[Right] = (),
) -> list[str]:
    """What is asked for beside the base set and what is nested in it."""
    mapped = {str(each) for each in collection_ids}
    found = [scope_of_right(right, mapped) for right in sorted(set(rights))]
    for each in sorted({str(each) for each in https}):
        found += https_scopes(each, is_mapped=each in mapped)
    return found


def asked_on_demand(resource_server: str) -> list[str]:
    """The scopes that bring a token for a service that is not in the base set."""
    if resource_server == TIMERS:
        return [scope_of_right(Right.TIMERS)]
    if _UUID.fullmatch(resource_server):
        return https_scopes(resource_server)
    return []


def collections_in(scope_strings: Iterable[str]) -> set[UUID]:
    """The collections whose ``data_access`` the scope strings ask for.

    Text from an error goes no further than this: what the portal asks for is built
    anew from the ids found, so that no other scope can ride along.
    """
    return _collections(_DATA_ACCESS, scope_strings)


def https_collections_in(scope_strings: Iterable[str]) -> set[UUID]:
    """The collections whose ``https`` the scope strings ask for."""
    return _collections(_HTTPS, scope_strings)


def rights_in(scope_strings: Iterable[str]) -> set[Right]:
    return {
        RIGHT_OF_SCOPE[root]
        for root in roots_in(scope_strings)
        if root in RIGHT_OF_SCOPE
    }


def _collections(form: re.Pattern[str], scope_strings: Iterable[str]) -> set[UUID]:
    return {
        UUID(match["collection"])
        for root in _parsed(scope_strings)
        for scope in _with_dependencies(root)
        if (match := form.fullmatch(scope.scope_string))
    }


def roots_in(scope_strings: Iterable[str]) -> set[str]:
    """The scopes themselves, without what depends on them; unreadable ones as "?"."""
    texts = list(scope_strings)
    return {
        root.scope_string for text in texts for root in _parsed([text]) or [Scope("?")]
    }


def _parsed(scope_strings: Iterable[str]) -> list[Scope]:
    found: list[Scope] = []
    for text in scope_strings:
        try:
            found += ScopeParser.parse(text[:LONGEST_SCOPE])
        except (ScopeParseError, RecursionError):
            continue
    return found


def _with_dependencies(scope: Scope) -> Iterator[Scope]:
    yield scope
    for each in scope.dependencies:
        yield from _with_dependencies(each)


def sign_in_scopes(
    collection_ids: Iterable[UUID | str] = (),
    https: Iterable[UUID | str] = (),
    rights: Iterable[Right] = (),
) -> list[str]:
    """The base set, with the collections' consents nested under ``transfer:all``.

    :param https: collections whose own server is to be used
    """
    transfer = str(TransferScopes.all)
    wanted = with_data_access(collection_ids)
    base = [wanted if scope == transfer else scope for scope in SIGN_IN_SCOPES]
    return base + further_scopes(collection_ids, https, rights)
