"""A folder's listing as columns of bytes.

100,000 entries are 150 MB as Python objects and 8 MB as columns. Sorting, filtering
and cutting a page out touch the columns that they need. An entry is called by its
number, its place in the folder's own order: folders first, then by name.

============  ==================================================================
``about``     JSON: what ``About`` holds
``texts``     of each entry a JSON text, its name, or a list, its name and target
``ends``      u32: where the text of each entry ends
``search``    names in small letters, UTF-8, one a line
``types``     u8: a number of ``TYPES``, with ``LINK`` added for a symbolic link
``size``      i64 bytes, -1 for not known
``time``      i64 seconds since 1970, ``NO_TIME`` for not known
``words``     JSON list of the permissions, users and groups that there are, sorted
``rights``    u32: a number of ``words``; likewise ``user`` and ``group``
``by-…``      u32: numbers in another order
============  ==================================================================
"""

from __future__ import annotations

import gc
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import orjson

from portal.globus.errors import UnexpectedAnswer
from transfers.browsing import moment

TYPES = ("dir", "file", "invalid_symlink", "chr", "blk", "pipe", "other")
_TYPE_NUMBERS = {name: number for number, name in enumerate(TYPES)}
FOLDER = _TYPE_NUMBERS["dir"]
OTHER = _TYPE_NUMBERS["other"]
#: added to the number of a type: it is reached over a symbolic link
LINK = 128
NO_TIME = -(2**62)
#: columns that a listing can be sorted by, besides the name
SORTABLE = ("type", "size", "time", "rights", "user", "group")
#: sorted when the listing comes, the others when somebody asks
_SORTED_AT_ONCE = ("type", "size", "time")
_COLUMN_OF = {"type": "types"}
_CODES = {"types": "B", "size": "q", "time": "q"}
_GLOBUS_NAMES = {"rights": "permissions", "user": "user", "group": "group"}
#: more than this many rows are worth a quiet collector
_MANY = 5_000


@dataclass(frozen=True)
class About:
    """What is known of a folder as a whole.

    :ivar stamp: of its names and types; the same while those are the same
    :ivar folders: the first so many entries are folders
    :ivar size_bytes: of the files that lie in it, not of folders in it
    :ivar total: entries in the folder, also those that Globus left out
    :ivar asked_at: seconds since 1970
    """

    path: str
    absolute_path: str
    stamp: str
    count: int
    folders: int
    size_bytes: int
    total: int
    asked_at: float

    @property
    def is_complete(self) -> bool:
        return self.count >= self.total

    def dumped(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def loaded(cls, data: bytes) -> About:
        return cls(**orjson.loads(data))


def pack(
    rows: list[Any], *, path: str, absolute_path: str, total: int, asked_at: float
) -> dict[str, bytes]:
    """The columns of a listing as Globus gave it.

    :param rows: documents of entries; the list is empty afterwards, to make room
    :raises UnexpectedAnswer: an entry has no name
    """
    with _quiet_collector(len(rows)):
        return _pack(rows, path, absolute_path, total, asked_at)


def _pack(
    rows: list[Any], path: str, absolute_path: str, total: int, asked_at: float
) -> dict[str, bytes]:
    try:
        names = [row["name"] for row in rows]
        types = [_TYPE_NUMBERS.get(row.get("type"), OTHER) for row in rows]
        sizes = [_size(row.get("size")) for row in rows]
        times = _times([row.get("last_modified") for row in rows])
        targets = [row.get("link_target") for row in rows]
        said = {
            column: [_text(row.get(name)) for row in rows]
            for column, name in _GLOBUS_NAMES.items()
        }
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Listing") from err
    if not all(isinstance(name, str) for name in names):
        raise UnexpectedAnswer(code="Listing")
    rows.clear()

    low = [name.casefold() for name in names]
    keys = [
        f"{'0' if kind == FOLDER else '1'}{small}\0{name}"
        for kind, small, name in zip(types, low, names, strict=True)
    ]
    order = sorted(range(len(names)), key=keys.__getitem__)
    folders = types.count(FOLDER)
    names, low, types, sizes, times, targets = (
        [column[number] for number in order]
        for column in (names, low, types, sizes, times, targets)
    )
    texts = [_dumped(n, t) for n, t in zip(names, targets, strict=True)]
    words = sorted({word for column in said.values() for word in column})
    number_of = {word: number for number, word in enumerate(words)}
    kinds = bytes(
        kind | LINK if _text(target) else kind
        for kind, target in zip(types, targets, strict=True)
    )
    parts = {
        "texts": b"".join(texts),
        "ends": _ends(texts),
        "search": b"\n".join(map(_line, low)),
        "types": kinds,
        "size": array("q", sizes).tobytes(),
        "time": array("q", times).tobytes(),
        "words": _json(words),
    }
    for column, values in said.items():
        numbers = array("I", [number_of[values[number]] for number in order])
        parts[column] = numbers.tobytes()
    for column in _SORTED_AT_ONCE:
        parts[f"by-{column}"] = sort(column, column_of(column, parts), folders)
    parts["about"] = About(
        path=path,
        absolute_path=absolute_path,
        stamp=blake2b(parts["texts"] + kinds, digest_size=12).hexdigest(),
        count=len(names),
        folders=folders,
        size_bytes=bytes_of(sizes[folders:]),
        total=max(total, len(names)),
        asked_at=asked_at,
    ).dumped()
    return parts


def part_of(column: str) -> str:
    """The part of a pack that holds what is sorted by."""
    return _COLUMN_OF.get(column, column)


def column_of(column: str, parts: Mapping[str, bytes]) -> Sequence[int]:
    return numbers(part_of(column), parts[part_of(column)])


def numbers(part: str, data: bytes) -> Sequence[int]:
    code = _CODES.get(part, "I")
    return data if code == "B" else array(code, data)


def sort(column: str, values: Sequence[int], folders: int) -> bytes:
    """Numbers of entries by what a column holds; equal ones stay by name.

    Folders stay first, and their sizes, which mean nothing, do not move them.
    """
    assert column in SORTABLE
    first: Iterable[int] = range(folders)
    if column != "size":
        first = sorted(first, key=values.__getitem__)
    rest = sorted(range(folders, len(values)), key=values.__getitem__)
    return array("I", [*first, *rest]).tobytes()


def turned_round(order: Sequence[int], folders: int) -> Sequence[int]:
    """The other way round, folders still first."""
    return [*order[:folders][::-1], *order[folders:][::-1]]


def bytes_of(sizes: Iterable[int]) -> int:
    return sum(size for size in sizes if size > 0)


def _size(value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 2**63 else -1


def _times(texts: list[Any]) -> list[int]:
    """Many entries of a folder share their moment."""
    known: dict[Any, int] = {}
    found = []
    for text in texts:
        key = text if isinstance(text, str) else None
        seconds = known.get(key)
        if seconds is None:
            when = moment(key)
            seconds = int(when.timestamp()) if when else NO_TIME
            known[key] = seconds
        found.append(seconds)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dumped(name: str, target: Any) -> bytes:
    value = [name, target] if isinstance(target, str) and target else name
    try:
        return orjson.dumps(value)
    except TypeError:
        return _json(value)


def _json(value: Any) -> bytes:
    """As ``orjson``, also for text that is not valid; that stays an escape."""
    return json.dumps(value).encode()


def _line(name: str) -> bytes:
    text = name if "\n" not in name else name.replace("\n", " ")
    return text.encode("utf-8", "surrogatepass")


def _ends(texts: list[bytes]) -> bytes:
    ends, end = array("I"), 0
    for text in texts:
        end += len(text)
        ends.append(end)
    return ends.tobytes()


@contextmanager
def _quiet_collector(count: int) -> Iterator[None]:
    """Many new objects, none of them in a circle: looking for circles trebles the time.

    The switch is the process's, so another thread may go without it for half a second.
    """
    if count < _MANY or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
