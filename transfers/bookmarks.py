"""A person's bookmarks, which Globus keeps: the web app has the same ones.

https://docs.globus.org/api/transfer/endpoint_bookmarks/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import Conflict, UnexpectedAnswer, globus_errors
from transfers.paths import normalised
from transfers.storable import is_text, storable_text

LONGEST_NAME = 128
MOST_BOOKMARKS = 100


@dataclass(frozen=True)
class Bookmark:
    """
    :ivar name: as it can be shown; Globus finds the bookmark by its id
    :ivar path: of a folder, raw; ends in a slash
    """

    id: UUID
    name: str
    collection_id: UUID
    path: str

    @property
    def can_be_opened(self) -> bool:
        """A path that is no text cannot be asked for from here."""
        return is_text(self.path)


def mine(transfer_client: TransferClient) -> list[Bookmark]:
    """By name."""
    with globus_errors():
        data = transfer_client.bookmark_list().data
    rows = data.get("DATA") if isinstance(data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="Bookmarks")
    return sorted(map(_bookmark, rows), key=lambda each: each.name.casefold())


def one(transfer_client: TransferClient, bookmark_id: UUID) -> Bookmark:
    """:raises NotFound: there is none, or it is somebody else's"""
    with globus_errors():
        return _bookmark(transfer_client.get_bookmark(bookmark_id).data)


def add(
    transfer_client: TransferClient, name: str, collection_id: UUID, path: str
) -> Bookmark:
    """
    :raises BadPath: before Globus is asked
    :raises Conflict: the name is taken, or there are 100 already
    """
    document = {
        "DATA_TYPE": "bookmark",
        "name": name,
        "endpoint_id": str(collection_id),
        "path": normalised(path, folder=True),
    }
    try:
        with globus_errors():
            return _bookmark(transfer_client.create_bookmark(document).data)
    except Conflict as err:
        raise _said(err) from err


def rename(transfer_client: TransferClient, bookmark_id: UUID, name: str) -> None:
    """:raises Conflict: the name is taken"""
    document = {"DATA_TYPE": "bookmark", "name": name}
    try:
        with globus_errors():
            transfer_client.update_bookmark(bookmark_id, document)
    except Conflict as err:
        raise _said(err) from err


def remove(transfer_client: TransferClient, bookmark_id: UUID) -> None:
    with globus_errors():
        transfer_client.delete_bookmark(bookmark_id)


def _said(err: Conflict) -> Conflict:
    if "LimitExceeded" in err.code:
        advice = f"Globus keeps {MOST_BOOKMARKS} bookmarks at most. Remove one first."
    else:
        advice = "You have a bookmark of this name already. Choose another name."
    return Conflict(advice, code=err.code)


def _bookmark(row: Any) -> Bookmark:
    try:
        return Bookmark(
            id=UUID(row["id"]),
            name=storable_text(str(row["name"])),
            collection_id=UUID(row["endpoint_id"]),
            path=str(row["path"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code="Bookmarks") from err
