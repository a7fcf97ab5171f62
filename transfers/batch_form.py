"""The lines of a batch in a form: as a table, or as text.

``mode`` says which: ``table`` has the fields ``row_source``, ``row_destination`` and
``row_kind``, as often as there are rows; ``text`` has ``batch_text``. Whatever is wrong
with a line, the line stays for correction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from django.http import QueryDict

from transfers import batch
from transfers.batch import Line, Problem
from transfers.paths import BadPath
from transfers.submission import Item

#: rows of a table; with all rules and options they still fit into a form (W08)
MOST_ROWS = 20
#: as JSON, as which it is kept while somebody signs in again (``accounts.pending``)
LONGEST_TEXT = 150_000
MODES = ("table", "text")
KINDS = {"": "Globus finds out", "dir": "A folder", "file": "A file"}
_RECURSIVE = {"": None, "dir": True, "file": False}
_KIND_OF = {each: kind for kind, each in _RECURSIVE.items()}


@dataclass(frozen=True)
class Row:
    """:ivar error: why it cannot be used; empty if it can"""

    source: str = ""
    destination: str = ""
    kind: str = ""
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.source or self.destination)


@dataclass(frozen=True)
class Sheet:
    """A batch as the form holds it.

    :ivar mode: one of ``MODES``; empty if the form is about no batch
    :ivar numbers: of each line in the text, or of its row, from 1
    :ivar trouble: about the whole
    """

    mode: str = ""
    text: str = ""
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    numbers: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()
    trouble: str = ""

    @property
    def is_on(self) -> bool:
        return bool(self.mode)

    @property
    def says(self) -> list[str]:
        """What is wrong, in sentences."""
        if self.trouble:
            return [self.trouble]
        if self.problems:
            return batch.problems_in_words(self.problems)
        if not self.lines:
            return ["Write at least one line: a source and a destination."]
        return []

    def items(self, source_folder: str, destination_folder: str) -> list[Item]:
        """:raises BadPath: names the line that cannot be used"""
        found = []
        for number, line in zip(self.numbers, self.lines, strict=True):
            try:
                item = Item(
                    batch.below(source_folder, line.source_path),
                    batch.below(destination_folder, line.destination_path),
                    line.recursive,
                    line.external_checksum,
                )
            except BadPath as err:
                raise BadPath(f"Line {number}: {err.advice}") from err
            found.append(item)
        return found


def in_form(data: QueryDict) -> Sheet:
    mode = data.get("mode", "")
    if mode == "text":
        return of_text(data.get("batch_text", ""))
    if mode == "table":
        columns = (data.getlist(f"row_{name}") for name in _COLUMNS)
        rows = [Row(*cells) for cells in zip_longest(*columns, fillvalue="")]
        return _of_rows(rows[: MOST_ROWS + 1])
    return Sheet()


_COLUMNS = ("source", "destination", "kind")


def of_text(text: str) -> Sheet:
    if len(json.dumps(text)) > LONGEST_TEXT:
        says = (
            f"These are more than {LONGEST_TEXT:,} characters, which a form cannot "
            "keep; those that are not Latin count several times. Split it, or name a "
            "folder instead of its files."
        )
        return Sheet("text", text, trouble=says)
    found = batch.parse(text)
    problems = found.problems or meeting(found.lines, found.numbers)
    return Sheet("text", text, (), found.lines, found.numbers, tuple(problems))


def _of_rows(rows: Sequence[Row]) -> Sheet:
    lines: list[Line] = []
    numbers: list[int] = []
    problems: list[Problem] = []
    checked: list[Row] = []
    for number, row in enumerate(rows, start=1):
        if row.is_blank:
            checked.append(row)
            continue
        try:
            recursive = _RECURSIVE.get(row.kind)
            line = batch.line_of([row.source, row.destination], recursive)
        except batch.BadLine as err:
            problems.append(Problem(number, str(err)))
            checked.append(replace(row, error=str(err)))
            continue
        lines.append(line)
        numbers.append(number)
        checked.append(row)
    for problem in meeting(lines, numbers):
        problems.append(problem)
        at = problem.number - 1
        checked[at] = replace(checked[at], error=problem.says)
    if len(rows) > MOST_ROWS:
        says = f"A table has at most {MOST_ROWS} rows. Write more than these as text."
        problems.append(Problem(MOST_ROWS + 1, says))
    return Sheet(
        "table", "", tuple(checked), tuple(lines), tuple(numbers), tuple(problems)
    )


def meeting(lines: Sequence[Line], numbers: Sequence[int]) -> list[Problem]:
    """Lines that would arrive where one before them does."""
    first: dict[str, int] = {}
    problems = []
    for number, line in zip(numbers, lines, strict=True):
        place = line.destination_path.rstrip("/")
        if place in first:
            says = f"It would arrive where line {first[place]} does: {place[:60]}"
            problems.append(Problem(number, says))
        first.setdefault(place, number)
    return problems


def put(data: QueryDict, sheet: Sheet) -> None:
    """Puts the lines into the data of a form, in place of those that are there."""
    data["mode"] = sheet.mode
    data["batch_text"] = sheet.text
    for name in _COLUMNS:
        data.setlist(f"row_{name}", [getattr(row, name) for row in sheet.rows])


def as_table(sheet: Sheet) -> Sheet | None:
    """The lines as rows; nothing if a table cannot say them."""
    if sheet.mode == "table":
        return sheet
    too_much = len(sheet.lines) > MOST_ROWS or sheet.trouble
    if too_much or sheet.problems or any(x.external_checksum for x in sheet.lines):
        return None
    rows = [
        Row(line.source_path, line.destination_path, _KIND_OF[line.recursive])
        for line in sheet.lines
    ]
    return _of_rows(rows or [Row(), Row()])


def as_text(sheet: Sheet) -> Sheet:
    """The rows as text, also those that cannot be used yet."""
    if sheet.mode == "text":
        return sheet
    rows = [
        Line(row.source, row.destination, _RECURSIVE.get(row.kind)).as_json()
        for row in sheet.rows
        if not row.is_blank
    ]
    return of_text(batch.written(rows))


def changed(sheet: Sheet, verb: str, number: int) -> Sheet:
    """The table after a button: ``add``, or ``remove`` with a row's place, from 0."""
    rows = list(sheet.rows)
    if verb == "add" and len(rows) < MOST_ROWS:
        rows.append(Row())
    elif verb == "remove" and 0 <= number < len(rows):
        del rows[number]
    return _of_rows(rows)
