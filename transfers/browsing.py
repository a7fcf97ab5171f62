"""What is in a folder of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from globus_sdk import GlobusHTTPResponse, TransferClient

from portal.globus.errors import UnexpectedAnswer, globus_errors
from transfers.paths import HOME, BadPath, join, normalised, parent, parents

#: The orders a page may ask for, and what Globus is asked with.
ORDERS = {
    "name": ["type ASC", "name ASC"],
    "-name": ["type ASC", "name DESC"],
    "size": ["size ASC", "name ASC"],
    "-size": ["size DESC", "name ASC"],
    "modified": ["last_modified ASC", "name ASC"],
    "-modified": ["last_modified DESC", "name ASC"],
}
#: Also what Globus lists at most.
MOST_ENTRIES = 100_000


class Entry(NamedTuple):
    """One line of a listing; a tuple, since there are up to 100,000 of them.

    :ivar name: raw, as the collection's file system has it; untrusted
    :ivar type: file, dir, invalid_symlink, chr, blk, pipe or other
    :ivar path: where it is; empty when the name cannot stand in a path
    """

    name: str
    type: str
    path: str
    size_bytes: int | None
    modified_at: datetime | None
    permissions: str = ""
    user: str = ""
    group: str = ""
    link_target: str = ""

    @property
    def is_folder(self) -> bool:
        return self.type == "dir"

    @property
    def is_link(self) -> bool:
        return bool(self.link_target)

    @property
    def is_hidden(self) -> bool:
        return self.name.startswith(".")


@dataclass(frozen=True)
class Listing:
    """A folder and what is in it.

    :ivar path: of the folder, ends in ``/``
    :ivar absolute_path: where that is, when Globus says so (``/~/`` is somewhere)
    :ivar total: entries in the folder, also those beyond ``limit``
    """

    collection_id: UUID
    path: str
    absolute_path: str
    entries: tuple[Entry, ...]
    total: int

    @property
    def is_complete(self) -> bool:
        return len(self.entries) >= self.total

    @property
    def size_bytes(self) -> int:
        return sum(
            entry.size_bytes or 0 for entry in self.entries if entry.type == "file"
        )

    @property
    def parent(self) -> str | None:
        return parent(self.path)

    @property
    def parents(self) -> list[tuple[str, str]]:
        return parents(self.path)


def listing(
    transfer_client: TransferClient,
    collection_id: UUID,
    path: str = "",
    *,
    show_hidden: bool = False,
    order: str = "name",
    limit: int = MOST_ENTRIES,
    offset: int = 0,
) -> Listing:
    """One folder, in one call.

    :param path: empty for the collection's own default folder
    :param order: a key of ``ORDERS``; anything else is read as ``name``
    :raises BadPath: before Globus is asked
    :raises NotFound: no such collection or path, for this principal
    :raises NotADirectory: it is a file
    :raises ConsentRequired: a mapped collection wants its ``data_access`` scope first

    https://docs.globus.org/api/transfer/file_operations/#list_directory_contents
    """
    return unread_listing(
        transfer_client,
        collection_id,
        path,
        show_hidden=show_hidden,
        order=order,
        limit=limit,
        offset=offset,
    ).read()


def unread_listing(
    transfer_client: TransferClient,
    collection_id: UUID,
    path: str = "",
    *,
    show_hidden: bool = False,
    order: str = "name",
    limit: int = MOST_ENTRIES,
    offset: int = 0,
) -> UnreadListing:
    """As ``listing``; the answer is there, and takes a fifth of the memory."""
    asked = normalised(path, folder=True) if path else ""
    options: dict[str, Any] = {"path": asked} if asked else {}
    with globus_errors():
        answer = transfer_client.operation_ls(
            collection_id,
            show_hidden=show_hidden,
            orderby=ORDERS.get(order, ORDERS["name"]),
            limit=limit,
            offset=offset,
            **options,
        )
    return UnreadListing(collection_id, asked, answer)


class UnreadListing:
    """An answer as it came. It can be read once, and is given up by that."""

    def __init__(
        self, collection_id: UUID, asked: str, answer: GlobusHTTPResponse
    ) -> None:
        self._collection_id, self._asked = collection_id, asked
        self._answer: GlobusHTTPResponse | None = answer

    def read(self) -> Listing:
        """:raises UnexpectedAnswer: it is no listing"""
        data = self._given_up()
        entries = tuple(_entry(row, self.path) for row in data["DATA"])
        absolute_path = data.get("absolute_path")
        return Listing(
            collection_id=self._collection_id,
            path=self.path,
            absolute_path=absolute_path if isinstance(absolute_path, str) else "",
            entries=entries,
            total=_total(data, len(entries)),
        )

    def one_by_one(self) -> tuple[int, int, Iterator[Entry]]:
        """``(received, total, entries)``; what was read takes no memory any more.

        :raises UnexpectedAnswer: also while it is read
        """
        data = self._given_up()
        rows = data["DATA"]
        received = len(rows)
        rows.reverse()
        path = self.path
        entries = (_entry(rows.pop(), path) for _ in range(received))
        return received, _total(data, received), entries

    def _given_up(self) -> dict[str, Any]:
        assert self._answer is not None
        data = document_of(self._answer)
        self._answer = None
        self.path = _folder(self._asked, data)
        return data


def whole_folder(
    transfer_client: TransferClient,
    collection_id: UUID,
    path: str = "",
    *,
    show_hidden: bool = False,
) -> tuple[str, dict[str, Any]]:
    """A folder as Globus tells it, unordered, in one call: ``(path, document)``.

    For raises see ``listing``.
    """
    asked = normalised(path, folder=True) if path else ""
    options: dict[str, Any] = {"path": asked} if asked else {}
    with globus_errors():
        answer = transfer_client.operation_ls(
            collection_id, show_hidden=show_hidden, limit=MOST_ENTRIES, **options
        )
        document = document_of(answer)
    return _folder(asked, document), document


def document_of(answer: GlobusHTTPResponse) -> dict[str, Any]:
    """The document of a listing.

    :raises UnexpectedAnswer: it is none
    """
    data = answer.data
    if not isinstance(data, dict) or not isinstance(data.get("DATA"), list):
        raise UnexpectedAnswer(code="Listing")
    return data


def _total(data: Mapping[str, Any], received: int) -> int:
    return max(_whole(data.get("total")) or 0, received)


def _folder(asked: str, data: Mapping[str, Any]) -> str:
    """The path that was asked for; the default folder's is in the answer."""
    if asked:
        return asked
    for key in ("path", "absolute_path"):
        try:
            return normalised(str(data.get(key) or ""), folder=True)
        except BadPath:
            continue
    return HOME


def _entry(row: Any, folder: str) -> Entry:
    try:
        name = row["name"]
        if not isinstance(name, str):
            raise UnexpectedAnswer(code="Listing")
        return Entry(
            name=name,
            type=str(row.get("type") or "other"),
            path=_path(folder, name),
            size_bytes=_whole(row.get("size")),
            modified_at=moment(row.get("last_modified")),
            permissions=_text(row.get("permissions")),
            user=_text(row.get("user")),
            group=_text(row.get("group")),
            link_target=_text(row.get("link_target")),
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Listing") from err


def _path(folder: str, name: str) -> str:
    try:
        return join(folder, name)
    except BadPath:
        return ""  # it is shown, but nothing can be done with it


def moment(text: Any) -> datetime | None:
    """A moment as Globus writes it, with a blank or a ``T``; UTC if it names no zone.

    Nothing for what cannot be read.
    """
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value >= 0 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
