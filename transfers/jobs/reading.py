"""Asks Globus what is in a folder: an answer at a time, and nothing is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from sys import intern
from uuid import UUID

from globus_sdk import TransferClient

from accounts.clients import VaultAuthorizer
from accounts.models import Principal
from transfers.browsing import UnreadListing, unread_listing
from transfers.consents import with_own_consent
from transfers.jobs.chunks import Row, by_place, row_of
from transfers.jobs.tree_rules import Rules
from transfers.paths import LONGEST_PATH_BYTES

#: Entries asked for at once: 11 MB while they are read, 14 with the longest names and
#: paths. A folder of 100,000 takes 21 requests; for each, Globus lists it again.
ANSWER_ROWS = 5_000
#: The same for the first answer of a folder, of which several come at once: eight take
#: 9 MB, 12 with the longest names and paths. Most folders are one answer.
FIRST_ROWS = 1_500

#: One answer at a time is read in a process, however many have come: as text it takes a
#: fifth of the memory, and reading needs the processor and not the network.
_turn = threading.Lock()


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

    def _listing(self, path: str, offset: int, rows: int) -> UnreadListing:
        return unread_listing(
            self.transfer_client,
            self.collection,
            path,
            show_hidden=True,
            limit=min(rows, ANSWER_ROWS),
            offset=offset,
        )

    def _answer(self, path: str, depth: int, unread: UnreadListing) -> Answer:
        with _turn:
            return self._read(path, depth, unread)

    def _read(self, path: str, depth: int, unread: UnreadListing) -> Answer:
        received, total, entries = unread.one_by_one()
        answer = Answer(received=received, total=total)
        opens = self.rules.opens(depth + 1)
        for entry in entries:
            # A link is not followed: it may lead round in a circle.
            if opens and not entry.is_link and self.rules.enters(entry):
                inner = f"{path}{entry.name}/"
                can_ask = entry.path and len(raw(inner)) <= LONGEST_PATH_BYTES
                (answer.opened if can_ask else answer.closed).append(inner)
            if not self.rules.takes(entry):
                continue
            answer.entries += 1
            if entry.type == "file":
                answer.files += 1
                answer.bytes += entry.size_bytes or 0
            elif entry.is_folder:
                answer.folders += 1
            answer.rows.append(_slim(row_of(path, entry)))
        answer.rows.sort(key=by_place)
        return answer


def _slim(row: Row) -> Row:
    """Words that most entries of a file system have in common are kept once."""
    return row._replace(
        type=intern(row.type),
        permissions=intern(row.permissions),
        user=intern(row.user),
        group=intern(row.group),
    )


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
