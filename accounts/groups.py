"""The Globus groups of a principal."""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from globus_sdk import GroupsClient

from portal.globus.errors import GlobusFailure, UnexpectedAnswer, globus_errors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """:ivar roles: sorted; a person may have one per linked identity"""

    id: str
    name: str
    description: str
    roles: tuple[str, ...]

    @property
    def joined_roles(self) -> str:
        return "|".join(self.roles)


def my_groups(groups_client: GroupsClient) -> list[Group]:
    """Groups in which the caller is an active member, by name.

    https://groups.api.globus.org/redoc#tag/groups
    """
    with globus_errors():
        answer = groups_client.get_my_groups()
        rows = answer.data
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="Groups")
    return sorted(
        (_group(row) for row in rows), key=lambda group: group.name.casefold()
    )


def name_of(groups_client: GroupsClient, group_id: UUID) -> str:
    """What a group is called; nothing if it does not show itself to the caller."""
    try:
        with globus_errors():
            name = groups_client.get_group(group_id)["name"]
    except (GlobusFailure, KeyError, TypeError) as err:
        logger.info("A group's name is not known: %s", type(err).__name__)
        return ""
    return name[:255] if isinstance(name, str) else ""


def _group(row: Any) -> Group:
    try:
        memberships = row["my_memberships"]
        return Group(
            id=str(row["id"]),
            name=str(row["name"]),
            description=str(row.get("description") or ""),
            roles=tuple(sorted({str(each["role"]) for each in memberships})),
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Groups") from err
