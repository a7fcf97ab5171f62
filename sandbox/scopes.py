"""Scope strings: their grammar, and which of them exist.

``scope ::= ["*"] name [ "[" scope { " " scope } "]" ]``. A list of scopes is
separated by spaces, which brackets hold too, so it is parsed and never split.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

AUTH = "auth.globus.org"
TRANSFER = "transfer.api.globus.org"
GROUPS = "groups.api.globus.org"
TIMERS = "524230d7-ea86-4a52-8312-86065a9e0417"
FLOWS = "flows.globus.org"
COMPUTE = "funcx_service"
TRANSFER_CLIENT_ID = "2fbdda78-a599-4cb5-ac3d-1fbcfbc6a754"
TRANSFER_ALL_ID = "89ecabba-4acf-4e2e-a98d-ce592ccc2818"

TRANSFER_ALL = f"urn:globus:auth:scope:{TRANSFER}:all"
GROUPS_ALL = f"urn:globus:auth:scope:{GROUPS}:all"
GROUPS_VIEW = f"urn:globus:auth:scope:{GROUPS}:view_my_groups_and_memberships"
TIMER = f"https://auth.globus.org/scopes/{TIMERS}/timer"
VIEW_IDENTITY_SET = f"urn:globus:auth:scope:{AUTH}:view_identity_set"
VIEW_CONSENTS = f"urn:globus:auth:scope:{AUTH}:view_consents"


#: scope -> what it lets an application do, for the page that asks
WORDS = {
    "openid": "Know who you are in Globus",
    "email": "Know your e-mail address",
    "profile": "Know your name, organization and identity provider",
    VIEW_IDENTITY_SET: "See the identities that you have linked",
    f"urn:globus:auth:scope:{AUTH}:view_identities": "Look up identities",
    VIEW_CONSENTS: "See what you have consented to",
    f"urn:globus:auth:scope:{AUTH}:view_authentications": "See how you signed in",
    f"urn:globus:auth:scope:{AUTH}:view_clients": "See your applications",
    f"urn:globus:auth:scope:{AUTH}:view_clients_and_scopes": (
        "See your applications and scopes"
    ),
    f"urn:globus:auth:scope:{AUTH}:manage_projects": "Manage your projects",
    TRANSFER_ALL: "List, transfer and delete files in your name",
    f"urn:globus:auth:scope:{TRANSFER}:gcp_install": "Set up Globus Connect Personal",
    GROUPS_ALL: "See and manage your groups",
    GROUPS_VIEW: "See your groups and your roles in them",
    TIMER: "Repeat work on a schedule in your name",
    "urn:globus:auth:scope:search.api.globus.org:all": "Search and index in your name",
    "urn:globus:auth:scope:search.api.globus.org:search": "Search in your name",
    "urn:globus:auth:scope:search.api.globus.org:ingest": "Index in your name",
    "urn:globus:auth:scope:search.api.globus.org:globus_connect_server": (
        "Search with Globus Connect Server"
    ),
    "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all": (
        "Run functions in your name"
    ),
    "urn:globus:auth:scope:nexus.api.globus.org:groups": "See your groups (Nexus)",
    **{
        f"https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/{name}": (
            f"Flows: {name.replace('_', ' ')}"
        )
        for name in (
            "all",
            "manage_flows",
            "view_flows",
            "run",
            "run_status",
            "run_manage",
        )
    },
}

_URN = re.compile(r"urn:globus:auth:scope:([^:]+):[^:]+")
_URL = re.compile(r"https://auth\.globus\.org/scopes/([0-9a-f-]{36})/(\w+)")
_FLOWS_ID = "eec9b274-0c81-4334-bdc2-54e90e689b9a"
_COMPUTE_ID = "facd7ccc-c5f4-42aa-916b-a0e270e2c2a9"
#: services whose name is not their client id (section 7)
_NAMES = {_FLOWS_ID: FLOWS, _COMPUTE_ID: COMPUTE, TRANSFER_CLIENT_ID: TRANSFER}
MOST_NESTED = 20
_TOKEN = re.compile(r"[\[\]* ]|[^\[\]* ]+")


class BadScope(ValueError):
    """A scope string that is no scope string, or names an unknown scope."""


@dataclass
class Scope:
    """A scope with the scopes that it needs at other services."""

    name: str
    optional: bool = False
    parts: list["Scope"] = field(default_factory=list)

    def __str__(self) -> str:
        inner = " ".join(str(part) for part in self.parts)
        return f"{'*' * self.optional}{self.name}{f'[{inner}]' if inner else ''}"


def parse(text: str) -> list[Scope]:
    """Read a list of scope trees; the same scope twice is merged.

    :raises BadScope: brackets or stars are not where the grammar has them
    """
    reader = _Reader(text)
    scopes = reader.scopes()
    if reader.peek():
        raise BadScope(f"Unexpected {reader.peek()!r} in the scope")
    return merge(scopes)


def merge(scopes: Iterable[Scope]) -> list[Scope]:
    """Put equal names together; what is needed somewhere is not optional."""
    merged: dict[str, Scope] = {}
    for scope in scopes:
        known = merged.setdefault(scope.name, Scope(scope.name, scope.optional))
        known.optional = known.optional and scope.optional
        known.parts = merge([*known.parts, *scope.parts])
    return list(merged.values())


class _Reader:
    """A recursive-descent parser, one token ahead."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text.strip())
        self.position = 0

    def peek(self) -> str:
        at_end = self.position >= len(self.tokens)
        return "" if at_end else self.tokens[self.position]

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def scopes(self, depth: int = 0) -> list[Scope]:
        if depth > MOST_NESTED:
            raise BadScope(f"Scopes are nested at most {MOST_NESTED} deep")
        found: list[Scope] = []
        while True:
            while self.peek() == " ":
                self.take()
            if self.peek() in ("", "]"):
                return found
            found.append(self.scope(depth))

    def scope(self, depth: int) -> Scope:
        optional = self.peek() == "*"
        if optional:
            self.take()
        name = self.take()
        if name in ("", " ", "*", "[", "]"):
            raise BadScope("A scope needs a name")
        scope = Scope(name, optional)
        if self.peek() == "[":
            self.take()
            scope.parts = self.scopes(depth + 1)
            if self.take() != "]" or not scope.parts:
                raise BadScope("A bracket in the scope is not closed, or is empty")
        return scope


def resource_server(name: str) -> str:
    """Which service a token with this scope is for.

    :raises BadScope: there is no such scope
    """
    if name in ("openid", "email", "profile"):
        return AUTH
    if match := _URN.fullmatch(name):
        return match[1]
    if match := _URL.fullmatch(name):
        return server_of(match[1])
    raise BadScope(f"Unknown Scope: {name}")


def server_of(client_id: str) -> str:
    """The name under which a service that is this client takes tokens."""
    return _NAMES.get(client_id, client_id)


def client_of(server: str) -> str:
    """The client id of a resource server; other names are ids themselves."""
    return {name: one for one, name in _NAMES.items()}.get(server, server)


def collection_scope(name: str) -> tuple[str, str] | None:
    """``(collection id, "data_access" or "https")`` when it is a collection's."""
    match = _URL.fullmatch(name)
    if match and match[2] in ("data_access", "https"):
        return match[1], match[2]
    return None


def endpoint_scope(name: str) -> str | None:
    """The endpoint id of a ``manage_collections`` scope."""
    match = _URN.fullmatch(name)
    is_it = match is not None and name.endswith(":manage_collections")
    return match[1] if match and is_it else None


def data_access(collection_id: str) -> str:
    return f"https://auth.globus.org/scopes/{collection_id}/data_access"


def https(collection_id: str) -> str:
    return f"https://auth.globus.org/scopes/{collection_id}/https"


def scope_id(name: str) -> str:
    """The UUID of a scope, as the consents API names it."""
    if name == TRANSFER_ALL:
        return TRANSFER_ALL_ID
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def by_resource_server(scopes: Iterable[Scope]) -> dict[str, list[str]]:
    """``{resource server: root scope names}``, Globus Auth's entry first."""
    found: dict[str, list[str]] = {}
    for scope in scopes:
        found.setdefault(resource_server(scope.name), []).append(scope.name)
    if AUTH in found:
        found = {AUTH: found.pop(AUTH), **found}
    return found
