"""What is counted of an inventory while its rows go by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from transfers.jobs.chunks import CHANGED, GONE, NEW, Row

#: extensions that are counted one by one; a tree may have a million of them
MOST_TYPES = 2_000
SHOWN_TYPES = 200
LONGEST_TYPE = 20
#: what the rest of the extensions is counted as
OTHER_TYPES = "*"


@dataclass
class Totals:
    """Counted while the rows go by; as large for a million as for a thousand."""

    entries: int = 0
    files: int = 0
    folders: int = 0
    bytes: int = 0
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys("+~-", 0))
    moved: dict[str, int] = field(default_factory=lambda: dict.fromkeys("+~-", 0))
    types: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        is_file = row.type == "file"
        size = (row.size or 0) if is_file else 0
        if row.change in self.changes:
            self.changes[row.change] += 1
            self.moved[row.change] += size
        if row.change == GONE:
            return
        self.entries += 1
        self.folders += row.is_folder
        if is_file:
            self.files += 1
            self.bytes += size
            self._count_type(extension(row.name), size)

    def _count_type(self, name: str, size: int) -> None:
        if name not in self.types and len(self.types) >= MOST_TYPES:
            name = OTHER_TYPES
        counted = self.types.setdefault(name, [0, 0])
        counted[0] += 1
        counted[1] += size

    def as_fields(self) -> dict[str, Any]:
        """The columns of an inventory that is ready."""
        return {
            "entries": self.entries,
            "files": self.files,
            "folders": self.folders,
            "bytes": self.bytes,
            "new": self.changes[NEW],
            "changed": self.changes[CHANGED],
            "gone": self.changes[GONE],
            "bytes_new": self.moved[NEW],
            "bytes_changed": self.moved[CHANGED],
            "bytes_gone": self.moved[GONE],
            "summary": {"types": self.shown_types()},
        }

    def shown_types(self) -> list[tuple[str, int, int]]:
        """The types with the most bytes, and what is left as one."""
        rest = self.types.pop(OTHER_TYPES, [0, 0])
        ranked = sorted(
            ((name, files, size) for name, (files, size) in self.types.items()),
            key=lambda each: (-each[2], -each[1], each[0]),
        )
        for _, files, size in ranked[SHOWN_TYPES:]:
            rest[0] += files
            rest[1] += size
        shown = ranked[:SHOWN_TYPES]
        return [*shown, (OTHER_TYPES, rest[0], rest[1])] if rest[0] else shown


def extension(name: str) -> str:
    """“.csv”; empty if there is none. What cannot be stored as text is none."""
    stem, dot, end = name.rpartition(".")
    if not stem.strip(".") or not end or len(end) > LONGEST_TYPE:
        return ""
    return dot + end.lower() if end.isprintable() and end.strip() == end else ""
