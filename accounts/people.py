"""Who is behind an identity, as Globus Auth tells any client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.portal_client import portal_auth_client
from portal.globus.errors import UnexpectedAnswer, globus_errors

#: Auth takes so many at once.
AT_ONCE = 100
MOST = 1000


@dataclass(frozen=True)
class Person:
    """:ivar name: may be empty"""

    identity_id: UUID
    username: str
    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} ({self.username})" if self.name else self.username


def by_username(username: str) -> Person | None:
    """
    https://docs.globus.org/api/auth/reference/#get_identities
    """
    found = _asked(usernames=username)
    wanted = username.casefold()
    return next((each for each in found if each.username.casefold() == wanted), None)


def by_ids(identity_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Those that Auth knows, in one request for each hundred."""
    wanted = sorted(set(map(str, identity_ids)))[:MOST]
    found: dict[UUID, Person] = {}
    for begin in range(0, len(wanted), AT_ONCE):
        part = wanted[begin : begin + AT_ONCE]
        found |= {each.identity_id: each for each in _asked(ids=",".join(part))}
    return found


def _asked(**what: str) -> list[Person]:
    with globus_errors():
        # The SDK has a method for it on clients with a person's token only.
        answer = portal_auth_client().get("/v2/api/identities", query_params=what)
        data = answer.data
    rows = data.get("identities") if isinstance(data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="Identities")
    return [_person(row) for row in rows]


def _person(row: Any) -> Person:
    try:
        return Person(
            identity_id=UUID(row["id"]),
            username=str(row["username"]),
            name=str(row.get("name") or ""),
            email=str(row.get("email") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code="Identities") from err
