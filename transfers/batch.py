"""What to copy, line by line, as ``globus transfer --batch`` reads it.

A line is ``[OPTIONS] SOURCE DESTINATION``, quoted as in a shell; ``#`` begins a
comment. A path that does not begin with ``/`` or ``~`` lies below the folder that was
named beside the batch. https://docs.globus.org/cli/reference/transfer/#batch_input
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transfers.paths import BadPath, normalised

#: of one batch; Globus takes more, a form does not
MOST_LINES = 10_000
#: problems that are worth reading at once
MOST_PROBLEMS = 20
LONGEST_CHECKSUM = 512

_LINE_END = re.compile(r"\r\n|\r|\n")
_RECURSIVE = {"-r": True, "--recursive": True, "--no-recursive": False}


@dataclass(frozen=True)
class Line:
    """One thing to copy.

    :ivar recursive: whether it is a folder; nothing said, Globus finds out
    :ivar external_checksum: of the source, for Globus to compare with; may be empty
    """

    source_path: str
    destination_path: str
    recursive: bool | None = None
    external_checksum: str = ""

    def as_json(self) -> dict[str, Any]:
        """As ``Job.items`` keeps it."""
        row: dict[str, Any] = {
            "source_path": self.source_path,
            "destination_path": self.destination_path,
            "recursive": self.recursive,
        }
        if self.external_checksum:
            row["external_checksum"] = self.external_checksum
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Line:
        return cls(
            row["source_path"],
            row["destination_path"],
            row.get("recursive"),
            row.get("external_checksum", ""),
        )


@dataclass(frozen=True)
class Problem:
    """A line that cannot be used: its number, from 1, and why."""

    number: int
    says: str

    def __str__(self) -> str:
        return f"Line {self.number}: {self.says}"


@dataclass(frozen=True)
class Batch:
    """:ivar numbers: of each line in the text, from 1"""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]
    numbers: tuple[int, ...] = ()


class BadLine(ValueError):
    """Its text is the sentence for whoever wrote the line."""


def parse(text: str) -> Batch:
    """All good lines and all bad ones; nothing is dropped in silence.

    Paths stay as they are written, except that they are checked.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    numbers: list[int] = []
    for number, raw in enumerate(_LINE_END.split(text), start=1):
        try:
            line = _line(raw)
        except BadLine as err:
            problems.append(Problem(number, str(err)))
            continue
        if line is None:
            continue
        if len(lines) == MOST_LINES:
            problems.append(
                Problem(
                    number,
                    f"A batch has at most {MOST_LINES:,} lines. Put what follows "
                    "into another one, or name a folder.",
                )
            )
            break
        lines.append(line)
        numbers.append(number)
    return Batch(tuple(lines), tuple(problems), tuple(numbers))


def _line(raw: str) -> Line | None:
    """Nothing for an empty line or a comment.

    :raises BadLine: with a sentence
    """
    try:
        words = shlex.split(raw, comments=True)
    except ValueError as err:
        raise BadLine(
            "A quotation mark is opened and not closed. Put a backslash before one "
            "that belongs to a name."
        ) from err
    paths: list[str] = []
    recursive: bool | None = None
    checksum = ""
    rest = iter(words)
    for word in rest:
        if word in _RECURSIVE:
            recursive = _RECURSIVE[word]
        elif word == "--external-checksum" or word.startswith("--external-checksum="):
            checksum = _checksum(word, rest)
        elif word == "--":
            paths += rest
        elif word.startswith("-") and len(word) > 1:
            raise BadLine(
                f"“{word[:40]}” is not an option of a line. There are --recursive, "
                "--no-recursive and --external-checksum; write ./ before a name that "
                "begins with a dash."
            )
        else:
            paths.append(word)
    if not words:
        return None
    return line_of(paths, recursive, checksum)


def line_of(
    paths: Sequence[str], recursive: bool | None = None, checksum: str = ""
) -> Line:
    """A line of its parts, whatever they were read from.

    :raises BadLine: with a sentence
    """
    if len(paths) != 2:
        raise BadLine(_count_says(len(paths)))
    if recursive not in (None, True, False):
        raise BadLine("Whether it is a folder is said by true or false.")
    if checksum != "" and not _is_checksum(checksum):
        raise BadLine("A checksum is written in hexadecimal.")
    if recursive and checksum:
        raise BadLine("A folder has no checksum; take one of the two options away.")
    for path in paths:
        _check(path)
    return Line(paths[0], paths[1], recursive, checksum)


def _checksum(word: str, rest: Iterable[str]) -> str:
    value = word.partition("=")[2] or next(iter(rest), "")
    if not _is_checksum(value):
        raise BadLine("After --external-checksum stands a checksum in hexadecimal.")
    return value


def _is_checksum(value: Any) -> bool:
    return isinstance(value, str) and value.isalnum() and len(value) <= LONGEST_CHECKSUM


def _count_says(count: int) -> str:
    if count == 1:
        return "Only one path stands here; a source and a destination are needed."
    if count == 0:
        return "There is no path here; a source and a destination are needed."
    return (
        f"{count} paths stand here, and two are needed. Put quotation marks around a "
        "path with blanks."
    )


def _check(path: str) -> None:
    if not path:
        raise BadLine("A path is empty.")
    try:
        below("/", path)
    except BadPath as err:
        raise BadLine(f"{path[:60]}: {err.advice}") from err


def below(folder: str, path: str) -> str:
    """The path of a line, seen from the folder that was named beside the batch."""
    if path.startswith(("/", "~/")) or path == "~" or not folder:
        return normalised(path)
    return normalised(f"{folder.rstrip('/')}/{path}")


def written(lines: Iterable[Mapping[str, Any]]) -> str:
    """The text for rows of ``Line.as_json``; ``parse`` reads it back as the same."""
    return "".join(f"{_written(Line.from_json(row))}\n" for row in lines)


def _written(line: Line) -> str:
    words: list[str] = []
    if line.recursive is not None:
        words.append("--recursive" if line.recursive else "--no-recursive")
    if line.external_checksum:
        words += ["--external-checksum", line.external_checksum]
    paths = [line.source_path, line.destination_path]
    if any(path.startswith("-") for path in paths):
        words.append("--")
    return shlex.join([*words, *paths])


def problems_in_words(problems: Sequence[Problem]) -> list[str]:
    """A sentence per bad line, and one for those that are too many to read."""
    said = [str(each) for each in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        said.append(f"{len(problems) - MOST_PROBLEMS} more lines cannot be used.")
    return said
