"""Looks at a job's collections: are they there, what stops or pauses them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from globus_sdk import TransferClient

from accounts.models import ServiceAccount
from portal.globus.errors import (
    NotFound,
    PermissionDenied,
    PortalError,
    globus_errors,
)
from transfers.collections import Collection, collection
from transfers.jobs.checklist import BAD, OK, UNKNOWN, WARN, Checklist
from transfers.policies import policies


@dataclass(frozen=True)
class Side:
    """:ivar key: source or destination"""

    key: str
    collection: Collection

    @property
    def name(self) -> str:
        return self.collection.display_name or str(self.collection.id)


class Collections:
    """Looks at collections and their rules, and writes down what they say."""

    def __init__(
        self, found: Checklist, account: ServiceAccount, client: TransferClient
    ) -> None:
        self._found, self._account, self._client = found, account, client

    def side(self, key: str, collection_id: str) -> Side | None:
        """The collection with its rules; nothing if it cannot be looked at."""
        title = f"The {key} collection"
        try:
            side = Side(key, collection(self._client, UUID(collection_id)))
        except (NotFound, PermissionDenied) as err:
            self._found.add(
                f"{key}-collection",
                title,
                BAD,
                "It was deleted, or the service account may not see it."
                + words_of(err),
                fix="Check the collection's ID, or have its owner let this one in:",
                grant=self._account.identity_username,
                place=collection_id,
                blocks=True,
            )
            return None
        self._found.add(f"{key}-collection", title, OK, f"It is “{side.name}”.")
        self._rules(side)
        self._pauses(side)
        return side

    def space(self) -> None:
        self._found.add(
            "space",
            "Space at the destination",
            UNKNOWN,
            "Globus does not say how much space is left there. A transfer that runs "
            "out of it goes on until its deadline.",
        )

    def _rules(self, side: Side) -> None:
        document = side.collection.document
        title = f"Rules of the {side.key} collection"
        if side.collection.high_assurance:
            self._found.add(
                f"{side.key}-assurance",
                title,
                WARN,
                "It holds protected data (high assurance) and asks for the sign-in of "
                "a person. A service account cannot sign in.",
                fix="Use another collection, or ask its manager whether service "
                "accounts are let in.",
            )
        for name, says in _STOPS.items():
            if document.get(name) is True:
                fix = "Wait, or ask the owner of the collection."
                self._found.add(f"{side.key}-{name}", title, BAD, says, fix=fix)
        if side.collection.is_connected is False:
            self._found.add(
                f"{side.key}-offline",
                title,
                BAD,
                "The computer that it is on is not connected to Globus.",
                fix="Start Globus Connect Personal on that computer.",
            )
        for number, sentence in enumerate(policies(side.collection)):
            if sentence not in _SAID_ABOVE and not side.collection.high_assurance:
                self._found.add(f"{side.key}-rule-{number}", title, OK, sentence)

    def _pauses(self, side: Side) -> None:
        with globus_errors():
            answer = self._client.my_effective_pause_rule_list(side.collection.id)
            rules = [rule for rule in answer.get("DATA", []) if isinstance(rule, dict)]
        wanted = {
            "source": ("pause_ls", "pause_task_transfer_read"),
            "destination": ("pause_mkdir", "pause_task_transfer_write"),
        }[side.key]
        for rule in rules:
            if any(rule.get(name) is True for name in wanted):
                message = str(rule.get("message") or "without a reason")[:300]
                self._found.add(
                    f"{side.key}-paused",
                    f"Pauses of the {side.key} collection",
                    BAD,
                    f"Its managers have paused what this job does there: “{message}”.",
                    fix="The job can run once they lift the pause.",
                )
                return


#: a key of the collection's document that stops every job
_STOPS = {
    "gcp_paused": "Its owner has paused it; nothing moves until that ends.",
    "non_functional": "Globus says that it does not work at the moment.",
}
#: what the checks above have said in their own words
_SAID_ABOVE = {
    *_STOPS.values(),
    "The computer that it is on is not connected right now.",
    "Everyone can find it in the search.",
    "Only those who may use it can find it in the search.",
    "Files can also be read with a browser, over HTTPS.",
}


def words_of(err: PortalError) -> str:
    """Globus's own, which may be the only ones that say what is wrong."""
    detail = " ".join(getattr(err, "detail", "").split())[:200]
    return f" Globus said: “{detail}”" if detail else ""
