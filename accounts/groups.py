"""The Globus groups of a principal."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from globus_sdk import BatchMembershipActions, GroupsClient

from portal.globus.errors import (
    GlobusFailure,
    Refused,
    UnexpectedAnswer,
    globus_errors,
)

logger = logging.getLogger(__name__)

#: memberships that still mean something to their owner
CURRENT = ("active", "invited", "pending")


class Answer(StrEnum):
    """To an invitation."""

    ACCEPT = "accept"
    DECLINE = "decline"


@dataclass(frozen=True)
class Membership:
    """One identity in a group.

    :ivar role: member, manager or admin
    :ivar status: active, invited, pending, and others that ended
    """

    identity_id: str
    username: str
    role: str
    status: str


@dataclass(frozen=True)
class Group:
    """:ivar memberships: a person may have one per linked identity"""

    id: str
    name: str
    description: str
    memberships: tuple[Membership, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that are in force, sorted."""
        active = {each.role for each in self.memberships if each.status == "active"}
        return tuple(sorted(active))

    @property
    def joined_roles(self) -> str:
        return "|".join(self.roles)

    @property
    def statuses(self) -> tuple[str, ...]:
        return tuple(sorted({each.status for each in self.memberships}))

    @property
    def invitations(self) -> tuple[Membership, ...]:
        return tuple(each for each in self.memberships if each.status == "invited")


def my_groups(
    groups_client: GroupsClient, statuses: Iterable[str] = ("active",)
) -> list[Group]:
    """Groups in which the caller is, in one of these ways, by name.

    https://groups.api.globus.org/redoc#tag/groups
    """
    with globus_errors():
        answer = groups_client.get_my_groups(
            query_params={"statuses": ",".join(statuses)}
        )
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


def answer_invitation(
    groups_client: GroupsClient, group_id: UUID, identity_id: UUID, answer: Answer
) -> None:
    """
    :raises Refused: there is no such invitation any more
    :raises NotFound: there is no such group for this person

    https://groups.api.globus.org/redoc#tag/memberships
    """
    actions = BatchMembershipActions()
    if answer is Answer.ACCEPT:
        actions.accept_invites([identity_id])
    else:
        actions.decline_invites([identity_id])
    with globus_errors():
        document = groups_client.batch_membership_action(group_id, actions).data
    _check_done(document, str(identity_id), answer)


def _check_done(document: Any, identity_id: str, answer: Answer) -> None:
    """The answer is a 200 also when an action failed; what was done stands in it."""
    try:
        failed = (document.get("errors") or {}).get(answer) or []
        done = [str(each["identity_id"]) for each in document.get(answer) or []]
        codes = [str(each.get("code") or "") for each in failed]
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Groups") from err
    if codes:
        raise Refused(
            "This invitation is no longer open. It may have been answered already, or "
            "taken back.",
            code=codes[0],
        )
    if identity_id not in done:
        raise UnexpectedAnswer(code="Groups")


def _group(row: Any) -> Group:
    try:
        return Group(
            id=str(row["id"]),
            name=str(row["name"]),
            description=str(row.get("description") or ""),
            memberships=tuple(_membership(each) for each in row["my_memberships"]),
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Groups") from err


def _membership(row: Any) -> Membership:
    return Membership(
        identity_id=str(row["identity_id"]),
        username=str(row.get("username") or ""),
        role=str(row["role"]),
        status=str(row["status"]),
    )
