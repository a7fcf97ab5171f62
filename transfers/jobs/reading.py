"""Asks Globus what is in a folder: an answer at a time, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from globus_sdk import TransferClient

from accounts.clients import VaultAuthorizer
from accounts.models import Principal
from transfers.browsing import Listing, listing
from transfers.consents import with_own_consent
from transfers.jobs.chunks import Row, by_place, row_of
from transfers.jobs.tree_rules import Rules
from transfers.paths import LONGEST_PATH_BYTES

#: Entries asked for at once: some 20 MB while they are read. A folder of 100,000 takes
#: eleven requests, each of which makes Globus list it again.
ANSWER_ROWS = 10_000
#: The same for the first answer of a folder, of which several are read at once.
FIRST_ROWS = 2_500


@dataclass(frozen=True)
class Reader:
    """Who asks, where, and what of it is wanted."""

    transfer_client: TransferClient
    principal: Principal
    collection: UUID
    rules: Rules

    def make_ready(self) -> None:
        """Brings the token, so that ``first`` need not."""
        authorizer = getattr(self.transfer_client, "authorizer", None)
        if isinstance(authorizer, VaultAuthorizer):
            authorizer.bring_token()

    def first(self, path: str, depth: int) -> Answer:
        """The first answer of a folder. Needs no database, so that threads may ask.

        :param depth: of the folder; the top has none
        :raises PortalError: a consent that the service account could give among them
        """
        return self._answer(path, depth, self._listing(path, 0, FIRST_ROWS))

    def part(self, path: str, depth: int, offset: int) -> Answer:
        """What comes from there on; a service account consents for itself."""
        rows = ANSWER_ROWS if offset else FIRST_ROWS
        ask = partial(self._listing, path, offset, rows)
        return self._answer(path, depth, with_own_consent(self.principal, ask))

    def rest(self, path: str, depth: int, offset: int) -> Iterator[Answer]:
        """Everything from there on; ends when an answer is empty."""
        while True:
            answer = self.part(path, depth, offset)
            yield answer
            offset += answer.received
            if not answer.received or offset >= answer.total:
                return

    def _listing(self, path: str, offset: int, rows: int) -> Listing:
        return listing(
            self.transfer_client,
            self.collection,
            path,
            show_hidden=True,
            limit=min(rows, ANSWER_ROWS),
            offset=offset,
        )

    def _answer(self, path: str, depth: int, part: Listing) -> Answer:
        answer = Answer(received=len(part.entries), total=part.total)
        for entry in filter(self.rules.enters, part.entries):
            # A link is not followed: it may lead round in a circle.
            if not entry.is_link and self.rules.opens(depth + 1):
                inner = f"{path}{entry.name}/"
                can_ask = entry.path and len(raw(inner)) <= LONGEST_PATH_BYTES
                (answer.opened if can_ask else answer.closed).append(inner)
        kept = [entry for entry in part.entries if self.rules.takes(entry)]
        for entry in kept:
            answer.entries += 1
            if entry.type == "file":
                answer.files += 1
                answer.bytes += entry.size_bytes or 0
            elif entry.is_folder:
                answer.folders += 1
        answer.rows = sorted((row_of(path, entry) for entry in kept), key=by_place)
        return answer


@dataclass
class Answer:
    """A part of a folder.

    :ivar received: entries that came, those that the rules leave out among them
    :ivar total: entries of the folder, as Globus says
    :ivar opened: paths of folders in it that are to be read
    :ivar closed: paths of folders that no request can name
    """

    received: int
    total: int
    rows: list[Row] = field(default_factory=list)
    entries: int = 0
    files: int = 0
    bytes: int = 0
    folders: int = 0
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """It is all of the folder."""
        return self.received >= self.total

    @property
    def is_all(self) -> bool:
        """It is all of the tree below the folder as well."""
        return self.is_whole and not self.opened and not self.closed


def raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")
