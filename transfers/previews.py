"""What a file is, from its first bytes, and how it is shown without letting it act.

A name decides nothing about what a browser is told: pictures and PDFs are known by the
bytes they begin with, and everything else is text or is not shown. SVG is text, since
as a picture it could run scripts.
"""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, islice

from django.utils.http import parse_http_date_safe

#: how much of a file is read to show it, in bytes
FIRST_BYTES = 262_144
#: the largest picture or PDF that is shown
LARGEST_SHOWN = 20 * 1024 * 1024  # bytes
MOST_ROWS = 200
MOST_COLUMNS = 50
LONGEST_CELL = 200
#: what the longest of the signatures below takes
SNIFF_BYTES = 16

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t", ".tab": "\t"}
#: longer ones first: a UTF-32 mark begins like a UTF-16 one
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_KEPT = "\n\t"
#: of a thousand characters, so many may be control characters in a text
MOST_CONTROLS_PER_MILLE = 10


class Kind(StrEnum):
    EMPTY = "empty"
    IMAGE = "image"
    PDF = "pdf"
    TABLE = "table"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True)
class Preview:
    """:ivar encoding: what the bytes were read as; empty where they are not text
    :ivar is_guess: the bytes do not say that this is their encoding
    :ivar is_cut: there is more than what is shown
    """

    kind: Kind
    content_type: str = ""
    text: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    encoding: str = ""
    is_guess: bool = False
    is_cut: bool = False
    columns_left_out: int = 0

    @property
    def is_file(self) -> bool:
        """Whether the browser shows the file itself, and no text that we made."""
        return self.kind in (Kind.IMAGE, Kind.PDF)


def moment_of(http_date: str) -> datetime | None:
    seconds = parse_http_date_safe(http_date)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def content_type(first: bytes) -> str:
    """Of a picture or PDF; empty for everything else."""
    for signature, found in _SIGNATURES:
        if first.startswith(signature):
            return found
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return "image/webp"
    return ""


def preview(first: bytes, name: str, *, is_cut: bool) -> Preview:
    """
    :param first: the first bytes of a file, ``FIRST_BYTES`` at the most
    :param name: decides only whether text is shown as a table
    :param is_cut: there is more of the file
    """
    if not first:
        return Preview(Kind.EMPTY)
    found = content_type(first)
    if found:
        kind = Kind.PDF if found == "application/pdf" else Kind.IMAGE
        return Preview(kind, content_type=found)
    read = decoded(first, is_cut=is_cut)
    if read is None:
        return Preview(Kind.OTHER)
    text, encoding, is_guess = read
    table = _table(text, name, is_cut=is_cut)
    if table is not None:
        head, rows, left_out, has_more = table
        return Preview(
            Kind.TABLE,
            head=head,
            rows=rows,
            encoding=encoding,
            is_guess=is_guess,
            is_cut=is_cut or has_more,
            columns_left_out=left_out,
        )
    return Preview(
        Kind.TEXT,
        text=marked(text),
        encoding=encoding,
        is_guess=is_guess,
        is_cut=is_cut,
    )


def decoded(first: bytes, *, is_cut: bool) -> tuple[str, str, bool] | None:
    """``(text, encoding, is a guess)``; nothing for bytes that are no text.

    What begins with a byte order mark is read as it says; what is valid UTF-8 is
    UTF-8. For anything else no detection is certain, so it is read as Windows-1252
    and said to be a guess, if there are hardly any control characters in it.
    """
    for mark, codec, name in _MARKS:
        if first.startswith(mark):
            text = first[len(mark) :].decode(codec, "replace")
            return (text, name, False) if _is_text(text) else None
    if b"\0" in first:
        return None
    try:
        # A character that was cut at the end is no fault of the text.
        text = codecs.getincrementaldecoder("utf-8")().decode(first, final=not is_cut)
    except UnicodeDecodeError:
        text = first.decode("cp1252", "replace")
        return (text, "Windows-1252", True) if _is_text(text) else None
    return (text, "UTF-8", False) if _is_text(text) else None


def _is_text(text: str) -> bool:
    odd = len(text.encode("utf-8", "replace").translate(None, _ALL_BUT_CONTROLS))
    return odd * 1000 <= len(text) * MOST_CONTROLS_PER_MILLE


#: deleting these leaves C0 controls that have no place in a text
_ALL_BUT_CONTROLS = bytes(
    value for value in range(256) if value >= 0x20 or chr(value) in "\t\n\r\f\x1b"
)


def _table(
    text: str, name: str, *, is_cut: bool
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], int, bool] | None:
    """``(head, rows, columns left out, has more rows)``; nothing if it is no table."""
    ending = "." + name.rpartition(".")[2].lower()
    if ending not in _DELIMITERS or not text.strip():
        return None
    if is_cut:
        text = text.rpartition("\n")[0] or text  # the last line may be half of one
    delimiter = _delimiter(text, _DELIMITERS[ending])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(islice(reader, MOST_ROWS + 2))
    except csv.Error:
        return None
    rows = [row for row in rows if row]
    if not rows:
        return None
    width = max(map(len, rows))
    shown = min(width, MOST_COLUMNS)
    cells = [_cells(row, shown) for row in rows[: MOST_ROWS + 1]]
    return cells[0], tuple(cells[1:]), width - shown, len(rows) > MOST_ROWS + 1


def _delimiter(text: str, candidates: str) -> str:
    """The one that there are most of in the first line."""
    line = text.lstrip("\r\n").partition("\n")[0]
    return max(candidates, key=line.count)


def _cells(row: Sequence[str], width: int) -> tuple[str, ...]:
    cut = [
        marked(each[:LONGEST_CELL]) + ("…" if len(each) > LONGEST_CELL else "")
        for each in row[:width]
    ]
    return tuple(cut + [""] * (width - len(cut)))


def marked(text: str) -> str:
    """With a word in place of each character that is unseen or turns text around."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def _visible() -> dict[int, str]:
    """Controls, formats such as the bidirectional ones, and separators, by name."""
    unseen = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    keep = {*map(ord, _KEPT), 0x200C, 0x200D}  # joiners, which scripts need
    return {
        code: f"[U+{code:04X}]"
        for code in chain(range(0x20000), range(0xE0000, 0xE0080))
        if code not in keep and unicodedata.category(chr(code)) in unseen
    }


_VISIBLE = _visible()
