"""Which rights the portal asks for, and how scope strings are read and joined.

Scope strings are opaque identifiers that start with ``https://auth.globus.org`` in
every environment; they are never fetched and never rewritten.
https://docs.globus.org/api/auth/reference/#scopes
"""

import re
from collections.abc import Iterable, Iterator
from uuid import UUID

from globus_sdk import GroupsClient, TransferClient
from globus_sdk.scopes import (
    GCSCollectionScopes,
    GroupsScopes,
    Scope,
    ScopeParseError,
    ScopeParser,
    TransferScopes,
)

AUTH = "auth.globus.org"
TRANSFER = TransferClient.resource_server
GROUPS = GroupsClient.resource_server

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

#: the scope that a service account's token for a resource server is asked with
SERVICE_ACCOUNT_SCOPES = {
    AUTH: " ".join(IDENTITY_SCOPES),
    TRANSFER: str(TransferScopes.all),
    GROUPS: str(GroupsScopes.view_my_groups_and_memberships),
}

#: an error may ask for fifty collections at once
LONGEST_SCOPE = 10_000

_DATA_ACCESS = re.compile(
    r"https://auth\.globus\.org/scopes/"
    r"(?P<collection>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/data_access"
)


def data_access_scope(collection_id: UUID | str) -> Scope:
    """The optional dependency under which a mapped collection is read."""
    return GCSCollectionScopes(str(collection_id)).data_access.with_optional(True)


def with_data_access(collection_ids: Iterable[UUID | str]) -> str:
    """``transfer:all`` with every collection's ``data_access`` nested in it."""
    scope = TransferScopes.all
    wanted = sorted({str(each) for each in collection_ids})
    return str(
        scope.with_dependencies(
            [data_access_scope(collection) for collection in wanted]
        )
    )


def collections_in(scope_strings: Iterable[str]) -> set[UUID]:
    """The collections whose ``data_access`` the scope strings ask for.

    Text from an error goes no further than this: what the portal asks for is built
    anew from the ids found, so that no other scope can ride along.
    """
    return {
        UUID(match["collection"])
        for root in _parsed(scope_strings)
        for scope in _with_dependencies(root)
        if (match := _DATA_ACCESS.fullmatch(scope.scope_string))
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


def sign_in_scopes(collection_ids: Iterable[UUID | str] = ()) -> list[str]:
    """The base set, with the collections' consents nested under ``transfer:all``."""
    transfer = str(TransferScopes.all)
    wanted = with_data_access(collection_ids)
    return [wanted if scope == transfer else scope for scope in SIGN_IN_SCOPES]
