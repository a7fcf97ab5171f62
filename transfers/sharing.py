"""Who may use what of a guest collection: its access rules.

Rules add up; one that is narrower takes nothing away.
https://docs.globus.org/api/transfer/acl/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import Conflict, UnexpectedAnswer, globus_errors
from transfers.browsing import moment
from transfers.collections import Collection
from transfers.paths import normalised
from transfers.storable import is_text

LONGEST_MESSAGE = 2048
#: roles that let one change the rules
MANAGERS = frozenset({"administrator", "access_manager"})
GUESTS = frozenset({"GCSv5_guest_collection", "GCP_guest_collection"})


class Whom(StrEnum):
    """Globus's words for whom a rule is about."""

    IDENTITY = "identity"
    GROUP = "group"
    SIGNED_IN = "all_authenticated_users"
    ANONYMOUS = "anonymous"


class May(StrEnum):
    READ = "r"
    WRITE = "rw"


@dataclass(frozen=True)
class Rule:
    """
    :ivar whom: a word of ``Whom``, or one that we do not know
    :ivar principal: of an identity or a group
    :ivar path: of a folder; ends in a slash
    :ivar may: ``r`` or ``rw``
    """

    id: str
    whom: str
    principal: UUID | None
    path: str
    may: str
    created_at: datetime | None
    expires_at: datetime | None

    @property
    def can_be_opened(self) -> bool:
        """A path that is no text cannot be asked for from here."""
        return is_text(self.path)


def can_share(collection: Collection) -> bool:
    """Whether this person may change who uses it."""
    is_guest = collection.entity_type in GUESTS
    return is_guest and bool(MANAGERS & set(collection.roles))


def rules(transfer_client: TransferClient, collection_id: UUID) -> list[Rule]:
    """All rules, by path; for who does not manage them, those about themselves."""
    with globus_errors():
        data = transfer_client.endpoint_acl_list(collection_id).data
    rows = data.get("DATA") if isinstance(data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="AccessRules")
    return sorted(map(_rule, rows), key=lambda each: (each.path, each.whom, each.id))


def rule(transfer_client: TransferClient, collection_id: UUID, rule_id: UUID) -> Rule:
    """:raises NotFound: there is none, or it is not for this person to see"""
    with globus_errors():
        return _rule(
            transfer_client.get_endpoint_acl_rule(collection_id, str(rule_id)).data
        )


def share(
    transfer_client: TransferClient,
    collection_id: UUID,
    *,
    whom: Whom,
    principal: UUID | None,
    path: str,
    may: May,
    expires_at: datetime | None = None,
    notify_email: str = "",
    message: str = "",
) -> None:
    """
    :param notify_email: Globus writes to it
    :raises Conflict: there is such a rule already
    """
    document: dict[str, Any] = {
        "DATA_TYPE": "access",
        "principal_type": str(whom),
        "principal": str(principal) if principal else "",
        "path": normalised(path, folder=True),
        "permissions": str(may),
    }
    if expires_at:
        document["expiration_date"] = expires_at.isoformat()
    if notify_email:
        document |= {"notify_email": notify_email, "notify_message": message}
    try:
        with globus_errors():
            transfer_client.add_endpoint_acl_rule(collection_id, document)
    except Conflict as err:
        raise Conflict(_why_not(err), code=err.code) from err


def change(
    transfer_client: TransferClient,
    collection_id: UUID,
    rule_id: UUID,
    *,
    may: May,
    expires_at: datetime | None,
) -> None:
    """Globus changes nothing else of a rule."""
    document = {
        "DATA_TYPE": "access",
        "permissions": str(may),
        "expiration_date": expires_at.isoformat() if expires_at else None,
    }
    with globus_errors():
        transfer_client.update_endpoint_acl_rule(collection_id, str(rule_id), document)


def remove(transfer_client: TransferClient, collection_id: UUID, rule_id: UUID) -> None:
    with globus_errors():
        transfer_client.delete_endpoint_acl_rule(collection_id, str(rule_id))


def _why_not(err: Conflict) -> str:
    if "LimitExceeded" in err.code:
        return "This collection has all the rules that Globus allows. Remove one first."
    return "There is such a rule for this folder already. Change that one."


def _rule(row: Any) -> Rule:
    try:
        principal = row.get("principal")
        return Rule(
            id=str(row["id"]),
            whom=str(row["principal_type"]),
            principal=_id(principal),
            path=str(row["path"]),
            may=str(row["permissions"]),
            created_at=moment(row.get("create_time")),
            expires_at=moment(row.get("expiration_date")),
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="AccessRules") from err


def _id(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) and text else None
    except ValueError:
        return None
