"""What a person has allowed the portal, as Globus Auth has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from accounts import work
from accounts.clients import identity_client
from accounts.models import User
from portal.globus import scopes
from portal.globus.errors import UnexpectedAnswer, globus_errors


@dataclass(frozen=True)
class Consent:
    """
    :ivar within: how many consents it hangs on; 0 for what was asked for directly
    :ivar collection: what the collection that it is about is called, where known
    """

    scope: str
    within: int
    given_at: datetime | None
    used_at: datetime | None
    collection: str = ""


def consents_of(user: User) -> list[Consent]:
    """In the order in which they hang on each other.

    https://docs.globus.org/api/auth/reference/#get_identity_consents
    """
    with globus_errors():
        answer = identity_client(user).get_consents(str(user.identity_id))
    try:
        rows = sorted(answer["consents"], key=lambda row: row["dependency_path"])
        found = [_consent(row) for row in rows]
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Consents") from err
    names = work.of_people().collection_names(
        user, scopes.collections_in(each.scope for each in found)
    )
    return [replace(each, collection=_name(each.scope, names)) for each in found]


def _name(scope: str, names: Mapping[UUID, str]) -> str:
    about = scopes.collections_in([scope])
    return names.get(about.pop(), "") if len(about) == 1 else ""


def _consent(row: Mapping[str, Any]) -> Consent:
    return Consent(
        scope=str(row["scope_name"]),
        within=max(0, len(row["dependency_path"]) - 1),
        given_at=_moment(row.get("created")),
        used_at=_moment(row.get("last_used")),
    )


def _moment(text: object) -> datetime | None:
    try:
        return parse_datetime(str(text)) if text else None
    except ValueError:
        return None
