"""Several files as one archive, made while it is sent.

Nothing is held but the piece that is on its way. Files are stored and not compressed:
what is large in science is compressed already, and a processor is shared by everybody.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from portal.globus.https_door import Answer
from transfers.previews import moment_of
from transfers.remote_files import RemoteFile
from transfers.streams import Slot

#: more than this is a transfer's work: each file is a request of its own
MOST_FILES = 500
#: one archive holds a thread of the portal until it is through
MOST_BYTES = 4 * 1024**3
LONGEST_NAME_BYTES = 200
#: what means something to some system in a name
_NOT_IN_NAMES = frozenset('\\/:*?"<>|')
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


class Archive:
    """A ZIP archive on its way to a browser; its place is free when it is closed.

    A file that breaks off breaks the whole answer off: no part is taken for the whole.
    """

    def __init__(self, files: Sequence[RemoteFile], slot: Slot) -> None:
        """:raises PortalError: the first file does not come"""
        self._files = files
        self._slot = slot
        self._first: Answer | None = files[0].fetch()
        self._pieces = self._all()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._slot.close()
        self._pieces.close()
        if self._first is not None:
            self._first.close()

    def _all(self) -> Generator[bytes, None, None]:
        sink, taken = _Sink(), set[str]()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for file in self._files:
                answer, self._first = self._first or file.fetch(), None
                with closing(answer):
                    info = _member(member_name(file.name, taken), answer)
                    large = answer.length is None or answer.length > _LARGE
                    with archive.open(info, "w", force_zip64=large) as member:
                        for piece in answer.pieces():
                            member.write(piece)
                            yield sink.take()
                yield sink.take()
        yield sink.take()


#: from here on the sizes of a member take eight bytes
_LARGE = 2_000_000_000


class _Sink:
    """A file that cannot go back; what was written to it is taken out of it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        data, self._written = b"".join(self._written), []
        return data


def _member(name: str, answer: Answer) -> zipfile.ZipInfo:
    changed = max(moment_of(answer.last_modified) or _EARLIEST, _EARLIEST)
    info = zipfile.ZipInfo(name, changed.timetuple()[:6])
    info.external_attr = 0o644 << 16
    return info


def member_name(name: str, taken: set[str]) -> str:
    """A name that no program takes for a path, a device or another file.

    :param taken: names that are in the archive, in small letters; this one is added
    """
    plain = "".join(
        each if each.isprintable() and each not in _NOT_IN_NAMES else "_"
        for each in name
    )
    plain = plain.encode()[:LONGEST_NAME_BYTES].decode("utf-8", "ignore")
    plain = plain.strip().rstrip(".") or "file"
    stem, dot, end = plain.rpartition(".")
    if not stem:
        stem, dot, end = plain, "", ""
    found, number = plain, 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem} ({number}){dot}{end}"
    taken.add(found.casefold())
    return found
