"""A folder as somebody looks at it: sorted, filtered, a page at a time.

Globus is asked once; what it said is kept for that person for a few minutes
(``transfers.keeping``) as columns (``transfers.columns``), and every page, order and
filter comes out of these.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

import orjson

from accounts.clients import transfer_client
from accounts.models import User
from transfers import browsing, columns, keeping, viewing
from transfers.columns import LINK, NO_TIME, TYPES, About
from transfers.keeping import FreshPack, Gone, KeptPack, Pack
from transfers.paths import LONGEST_PATH_BYTES, BadPath, join, normalised
from transfers.viewing import View

#: rows that a script gets at once
PAGE_ROWS = 1000
_ROW_COLUMNS = ("types", "size", "time", "rights", "user", "group")

#: so many pieces take longer than the whole, unless that is large
_MANY_RUNS = 50
_WHOLE_BYTES = 8_000_000
#: a path of so many letters is not too long, whichever they are
_SHORT = LONGEST_PATH_BYTES // 4

Answer = TypeVar("Answer")


class Row(NamedTuple):
    """One entry for a page.

    :ivar number: what it is called in this listing, see ``transfers.columns``
    :ivar name: raw, untrusted
    """

    number: int
    name: str
    type: str
    is_link: bool
    link_target: str
    size_bytes: int | None
    modified_at: datetime | None
    permissions: str
    user: str
    group: str

    @property
    def is_folder(self) -> bool:
        return self.type == "dir"


@dataclass(frozen=True)
class Asked:
    """Which folder, for whom.

    :ivar path: as ``transfers.paths`` has it; empty for the collection's own default
    """

    user: User
    session_key: str
    collection_id: UUID
    path: str
    hidden: bool

    def key(self) -> str:
        return keeping.key_of(
            self.user.pk,
            self.session_key,
            self.collection_id,
            self.path,
            "hidden" if self.hidden else "",
        )


class Folder:
    """A folder of which the listing is at hand."""

    def __init__(self, asked: Asked, about: About, pack: Pack) -> None:
        self.asked = asked
        self.about = about
        self._pack = pack

    @property
    def path(self) -> str:
        return self.about.path

    def path_of(self, name: str) -> str:
        """Where an entry is; empty when its name cannot stand in a path."""
        is_usual = name.isascii() and name.isprintable() and "/" not in name
        if is_usual and name.strip(".") and len(self.path) + len(name) < _SHORT:
            return f"{self.path}{name}"  # a page asks for many
        try:
            return join(self.path, name)
        except BadPath:
            return ""

    def found(self, view: View) -> Sequence[int]:
        """The numbers of what a view shows, in its order."""
        return self._steadily(lambda: viewing.found(self.about, self._pack, view))

    def weight(self, view: View) -> int:
        """Bytes of the files that a view shows."""
        if not view.narrows:
            return self.about.size_bytes

        def read() -> int:
            name = f"{view.part}-bytes"
            if not self._pack.has(name):
                total = sum(self.sizes(viewing.found(self.about, self._pack, view)))
                self._pack.add(name, str(total).encode())
            return int(self._pack.get(name)[0])

        return self._steadily(read)

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        return self._steadily(lambda: self._rows(numbers))

    def names(self, numbers: Sequence[int]) -> list[tuple[str, bool]]:
        """``[(raw name, whether it is a folder)]``"""
        rows = self._steadily(lambda: self._texts(numbers))
        names = [each if isinstance(each, str) else each[0] for each in _read(rows)]
        first = self.about.folders
        return [
            (name, number < first) for name, number in zip(names, numbers, strict=True)
        ]

    def dumped(self, numbers: Sequence[int]) -> bytes:
        """The inner part of a JSON object: a list for each column."""
        return self._steadily(lambda: self._dumped(numbers))

    def size_of(self, numbers: Sequence[int]) -> int:
        """Bytes of the files among them; what is in folders is not known."""
        if len(numbers) == self.about.count:
            return self.about.size_bytes

        return sum(self.sizes(numbers))

    def sizes(self, numbers: Sequence[int]) -> list[int]:
        """Of each entry; 0 for folders and where nobody knows."""

        def read() -> list[int]:
            [data] = self._pack.get("size")
            sizes, folders = columns.numbers("size", data), self.about.folders
            return [max(0, sizes[n]) if n >= folders else 0 for n in numbers]

        return self._steadily(read)

    def _steadily(self, work: Callable[[], Answer]) -> Answer:
        """Asks Globus again when the listing goes away half way."""
        try:
            return work()
        except Gone:
            again = ask_globus(self.asked)
            self.about, self._pack = again.about, again._pack
            return work()

    def _texts(self, numbers: Sequence[int]) -> list[bytes]:
        """The JSON texts of entries; neighbours come in one piece."""
        [data] = self._pack.get("ends")
        ends = array("I", data)
        spans = [(ends[n - 1] if n else 0, ends[n]) for n in numbers]
        runs: list[list[int]] = []
        for start, end in spans:
            if runs and runs[-1][1] == start:
                runs[-1][1] = end
            else:
                runs.append([start, end])
        if len(runs) > _MANY_RUNS and ends[-1] <= _WHOLE_BYTES:
            [whole] = self._pack.get("texts")
            return [whole[start:end] for start, end in spans]
        pieces = self._pack.slices("texts", [(start, end) for start, end in runs])
        texts, at = [], iter(zip(runs, pieces, strict=True))
        (first, last), piece = (0, 0), b""
        for start, end in spans:
            if not first <= start < last:
                (first, last), piece = next(at)
            texts.append(piece[start - first : end - first])
        return texts

    def _rows(self, numbers: Sequence[int]) -> list[Row]:
        texts = self._texts(numbers)
        types, size, time_, rights, user, group = self._cells(numbers)
        words = json.loads(self._pack.get("words")[0])
        rows = []
        for at, (number, text) in enumerate(zip(numbers, _read(texts), strict=True)):
            name, target = (text, "") if isinstance(text, str) else text
            rows.append(
                Row(
                    number,
                    name,
                    TYPES[types[at] & ~LINK],
                    bool(types[at] & LINK),
                    target,
                    None if size[at] < 0 else size[at],
                    _moment(time_[at]),
                    words[rights[at]],
                    words[user[at]],
                    words[group[at]],
                )
            )
        return rows

    def _dumped(self, numbers: Sequence[int]) -> bytes:
        texts = self._texts(numbers)
        cells = self._cells(numbers)
        [words] = self._pack.get("words")
        lists = {"numbers": list(numbers)} | dict(zip(_ROW_COLUMNS, cells, strict=True))
        rest = orjson.dumps(lists)[1:-1]
        return b'"texts":[%b],"words":%b,%b' % (b",".join(texts), words, rest)

    def _cells(self, numbers: Sequence[int]) -> list[list[int]]:
        parts = self._pack.get(*_ROW_COLUMNS)
        cells = []
        for name, data in zip(_ROW_COLUMNS, parts, strict=True):
            column = columns.numbers(name, data)
            cells.append([column[number] for number in numbers])
        return cells


def open_folder(asked: Asked) -> Folder:
    """The folder as it is kept, or as Globus tells it now.

    :raises BadPath: before Globus is asked
    :raises GlobusFailure: see ``browsing.listing``
    """
    if asked.path:
        asked = _with_path(asked, normalised(asked.path, folder=True))
        pack = KeptPack(asked.key())
        try:
            [about] = pack.get("about")
        except Gone:
            pass
        else:
            return Folder(asked, About.loaded(about), pack)
    return ask_globus(asked)


def ask_globus(asked: Asked) -> Folder:
    """The folder as Globus tells it now, and kept."""
    path, document = browsing.whole_folder(
        transfer_client(asked.user),
        asked.collection_id,
        asked.path,
        show_hidden=asked.hidden,
    )
    absolute = document.get("absolute_path")
    total = document.get("total")
    parts = columns.pack(
        document["DATA"],
        path=path,
        absolute_path=absolute if isinstance(absolute, str) else "",
        total=total if isinstance(total, int) else 0,
        asked_at=time.time(),
    )
    del document
    about = About.loaded(parts["about"])
    columns.give_back(about.count)
    asked = _with_path(asked, path)
    keeping.keep(asked.key(), parts)
    return Folder(asked, about, FreshPack(parts))


def _with_path(asked: Asked, path: str) -> Asked:
    return Asked(asked.user, asked.session_key, asked.collection_id, path, asked.hidden)


def forget(user: User, collection_id: UUID, path: str) -> None:
    """The next look at the folder asks Globus, whichever way it is called."""
    keeping.forget(user.pk, collection_id, path)


def _read(texts: list[bytes]) -> list[str | list[str]]:
    found: list[str | list[str]] = json.loads(b"[" + b",".join(texts) + b"]")
    return found


def _moment(seconds: int) -> datetime | None:
    if seconds == NO_TIME:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
