"""How much is in folders: a walk that ends, and says where it ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import (
    ConsentRequired,
    GlobusFailure,
    SessionRequired,
    SignInRequired,
)
from transfers import browsing
from transfers.paths import BadPath, join

#: calls to Globus for one walk, and how long a person waits for it
MOST_CALLS = 40
MOST_SECONDS = 6.0
#: without these nothing at all can be said
_WANTED_FIRST = (ConsentRequired, SessionRequired, SignInRequired)


@dataclass
class Measured:
    """What was found below some folders.

    :ivar unread: folders that could not be listed
    :ivar left: folders that nobody looked into when the walk ended
    """

    files: int = 0
    folders: int = 0
    size_bytes: int = 0
    calls: int = 0
    unread: int = 0
    left: int = 0

    @property
    def is_complete(self) -> bool:
        return not (self.unread or self.left)

    @property
    def entries(self) -> int:
        return self.files + self.folders


def measure(
    transfer_client: TransferClient,
    collection_id: UUID,
    paths: Iterable[str],
    *,
    most_calls: int = MOST_CALLS,
    most_seconds: float = MOST_SECONDS,
    enough: int | None = None,
) -> Measured:
    """Counts files and bytes below folders, breadth first, hidden ones included.

    Links are counted as what they are and not followed, so that no circle is walked.

    :param enough: ends when that many entries were found
    :raises GlobusFailure: Globus wants something of the person, or nothing was read
    """
    found = Measured()
    ends_at = time.monotonic() + most_seconds
    waiting = deque(paths)
    failure: GlobusFailure | None = None
    while waiting and found.calls < most_calls and time.monotonic() < ends_at:
        if enough is not None and found.entries >= enough:
            break
        found.calls += 1
        folder = waiting.popleft()
        try:
            _, document = browsing.whole_folder(
                transfer_client, collection_id, folder, show_hidden=True
            )
        except _WANTED_FIRST:
            raise
        except GlobusFailure as err:
            found.unread += 1
            failure = err
            continue
        waiting += _count(found, folder, document["DATA"])
    if failure is not None and found.unread == found.calls:
        raise failure
    found.left = len(waiting)
    return found


def _count(found: Measured, folder: str, rows: list[object]) -> list[str]:
    """:returns: the folders in this one"""
    inner = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        if row.get("type") == "dir" and not row.get("link_target"):
            found.folders += 1
            try:
                inner.append(f"{join(folder, str(row.get('name')))}/")
            except BadPath:
                found.unread += 1  # a name that cannot stand in a path
        else:
            found.files += 1
            size = row.get("size")
            if isinstance(size, int) and size > 0 and row.get("type") == "file":
                found.size_bytes += size
    return inner
