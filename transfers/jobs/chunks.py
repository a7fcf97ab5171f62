"""Entries of an inventory as rows, and as compressed columns of many rows.

Names are kept as they came, also those that no text encoding has: columns are JSON in
UTF-8 with lone surrogates let through. A column of a kind compresses to a tenth.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, groupby
from typing import Any, NamedTuple

import orjson

from transfers.browsing import Entry

#: rows of a chunk: some 40 KB compressed, opened in some milliseconds
CHUNK_ROWS = 4096
LEVEL = 6

#: how an entry compares with the inventory before
SAME, NEW, CHANGED, GONE, NOT_COMPARED = "=", "+", "~", "-", "?"


class Row(NamedTuple):
    """One entry. Sorted by folder and name, as code points and so as UTF-8 bytes.

    :ivar folder: the path of its folder, ends in a slash
    :ivar modified: seconds since 1970
    :ivar tree_files: of a folder that was read, what lies below; likewise the bytes
    """

    folder: str
    name: str
    type: str
    size: int | None = None
    modified: int | None = None
    permissions: str = ""
    user: str = ""
    group: str = ""
    link_target: str = ""
    change: str = NOT_COMPARED
    tree_files: int | None = None
    tree_bytes: int | None = None

    @property
    def path(self) -> str:
        return f"{self.folder}{self.name}"

    @property
    def is_folder(self) -> bool:
        return self.type == "dir"

    @property
    def is_link(self) -> bool:
        return bool(self.link_target)

    @property
    def size_bytes(self) -> int | None:
        """What it weighs: a folder as much as the files below it."""
        return self.tree_bytes if self.is_folder else self.size


def by_place(row: Row) -> tuple[str, str]:
    return row.folder, row.name


def row_of(folder: str, entry: Entry) -> Row:
    modified = entry.modified_at
    return Row(
        folder,
        entry.name,
        entry.type,
        entry.size_bytes if entry.type != "dir" else None,
        int(modified.timestamp()) if modified else None,
        entry.permissions,
        entry.user,
        entry.group,
        entry.link_target,
    )


def packed(rows: list[Row]) -> bytes:
    kinds: dict[str, int] = {}
    owners: dict[tuple[str, str, str], int] = {}
    columns: dict[str, Any] = {
        "folders": [
            [folder, sum(1 for _ in group)]
            for folder, group in groupby(rows, key=lambda row: row.folder)
        ],
        "names": [row.name for row in rows],
        "sizes": [row.size for row in rows],
        "modified": [row.modified for row in rows],
        "type": [kinds.setdefault(row.type, len(kinds)) for row in rows],
        "owner": [owners.setdefault(row[5:8], len(owners)) for row in rows],
        "changes": "".join(row.change for row in rows),
        "links": {
            number: row.link_target
            for number, row in enumerate(rows)
            if row.link_target
        },
        "trees": {
            number: [row.tree_files, row.tree_bytes]
            for number, row in enumerate(rows)
            if row.tree_files is not None
        },
    }
    columns["types"], columns["owners"] = [*kinds], [*owners]
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"), LEVEL)


def text_of(data: bytes | memoryview) -> str:
    """The columns as JSON; what is searched before it is read."""
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def rows_of(text: str) -> Iterator[Row]:
    """:param text: of ``text_of``"""
    columns = Columns(text)
    return map(columns.row, range(len(columns)))


class Columns:
    """A chunk that is read, but of which no row is made before it is wanted."""

    def __init__(self, text: str) -> None:
        self._columns = columns = _columns(text)
        self.sizes: list[int | None] = columns["sizes"]
        self.modified: list[int | None] = columns["modified"]
        self._folders = [folder for folder, _ in columns["folders"]]
        self._ends = [*accumulate(count for _, count in columns["folders"])]

    def __len__(self) -> int:
        return len(self.sizes)

    def type(self, number: int) -> str:
        name: str = self._columns["types"][self._columns["type"][number]]
        return name

    def row(self, number: int) -> Row:
        columns = self._columns
        permissions, user, group = columns["owners"][columns["owner"][number]]
        key = str(number)
        tree_files, tree_bytes = columns["trees"].get(key, (None, None))
        return Row(
            self._folders[bisect_right(self._ends, number)],
            columns["names"][number],
            self.type(number),
            self.sizes[number],
            self.modified[number],
            permissions,
            user,
            group,
            columns["links"].get(key, ""),
            columns["changes"][number],
            tree_files,
            tree_bytes,
        )


def _columns(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)  # there is a lone surrogate, which orjson refuses


def unpacked(data: bytes | memoryview) -> Iterator[Row]:
    return rows_of(text_of(data))


def may_hold(text: str, words: str) -> bool:
    """Whether any row of a chunk's text can hold the words in its path; quick.

    :param words: as ``folded`` gives them
    """
    return all(
        json.dumps(piece, ensure_ascii=False)[1:-1] in text
        for piece in words.split("/")
        if piece
    )


def folded(text: str) -> str:
    """For comparing without regard to case; character by character."""
    return text.casefold()


class ChunkWriter:
    """Collects rows and hands them on, a chunk at a time.

    :param write: gets the number of the chunk and its rows
    """

    def __init__(self, write: Callable[[int, list[Row]], None]) -> None:
        self._write = write
        self._rows: list[Row] = []
        self._number = 0

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._write(self._number, self._rows)
            self._number += 1
            self._rows = []


def in_chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if len(found) == size:
            yield found
            found = []
    if found:
        yield found
