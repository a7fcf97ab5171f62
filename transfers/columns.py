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

import ctypes
import gc
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import accumulate
from operator import itemgetter
from typing import Any, TypeVar

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
Coded = TypeVar("Coded")
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
        names: Sequence[str] = [row["name"] for row in rows]
        types = _coded(rows, "type", lambda value: _TYPE_NUMBERS.get(value, OTHER))
        sizes = _coded(rows, "size", _size)
        times = _coded(rows, "last_modified", _seconds)
        targets = _coded(rows, "link_target", _text)
        said = {
            column: _coded(rows, name, _text) for column, name in _GLOBUS_NAMES.items()
        }
    except (KeyError, TypeError, AttributeError) as err:
        raise UnexpectedAnswer(code="Listing") from err
    if not all(isinstance(name, str) for name in names):
        raise UnexpectedAnswer(code="Listing")
    rows.clear()

    in_order = _own_order(names, types)
    names, types, targets = in_order(names), in_order(types), in_order(targets)
    sizes, times = in_order(sizes), in_order(times)
    folders = types.count(FOLDER)
    texts = [_dumped(n, t) for n, t in zip(names, targets, strict=True)]
    words = sorted(set().union(*said.values()))
    number_of = {word: number for number, word in enumerate(words)}
    kinds = bytes(
        kind | LINK if target else kind
        for kind, target in zip(types, targets, strict=True)
    )
    parts = {
        "texts": "".join(texts).encode("ascii"),
        "ends": array("I", accumulate(map(len, texts))).tobytes(),
        "search": "\n".join(map(_line, names)).encode("utf-8", "surrogatepass"),
        "types": kinds,
        "size": array("q", sizes).tobytes(),
        "time": array("q", times).tobytes(),
        "words": json.dumps(words).encode(),
    }
    for column, values in said.items():
        numbers = map(number_of.__getitem__, in_order(values))
        parts[column] = array("I", numbers).tobytes()
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


def _coded(rows: list[Any], name: str, code: Callable[[Any], Coded]) -> Sequence[Coded]:
    """A column of the rows; each value that there is, is looked at once."""
    values = [row.get(name) for row in rows]
    known = {value: code(value) for value in set(values)}
    return [known[value] for value in values]


def _seconds(text: Any) -> int:
    when = moment(text)
    return int(when.timestamp()) if when else NO_TIME


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _own_order(
    names: Sequence[str], types: Sequence[int]
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Puts a column into the folder's own order."""
    keys = [
        f"{'0' if kind == FOLDER else '1'}{name.casefold()}\0{name}"
        for kind, name in zip(types, names, strict=True)
    ]
    if len(keys) < 2:
        return lambda column: column
    return itemgetter(*sorted(range(len(keys)), key=keys.__getitem__))


def _dumped(name: str, target: str) -> str:
    """JSON in ASCII; what is no Unicode stays an escape.

    Nearly all names need no more than quotes, at a tenth of the time.
    """
    if target:
        return json.dumps([name, target])
    if name.isascii() and name.isprintable() and '"' not in name and "\\" not in name:
        return f'"{name}"'
    return json.dumps(name)


def _line(name: str) -> str:
    small = name.casefold()
    return small.replace("\n", " ") if "\n" in small else small


def give_back(count: int) -> None:
    """The memory that a large listing took goes back to the system, where it can.

    The C library would keep hundreds of megabytes for later.
    """
    if count < _MANY:
        return
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


_LIBC = ctypes.CDLL(None)


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
