"""What of a folder the filter rules let through, from its listing as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transfers.browsing import Entry
from transfers.folders import Folder
from transfers.jobs.tree_rules import Rules

#: entries that are looked at, and names that are shown of each kind
MOST_ENTRIES = 10_000
MOST_NAMES = 20


@dataclass
class Side:
    """:ivar names: ``[(raw name, whether it is a folder)]``, the first of them"""

    count: int = 0
    size_bytes: int = 0
    names: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def more(self) -> int:
        return self.count - len(self.names)

    def add(self, name: str, *, is_folder: bool, size_bytes: int) -> None:
        self.count += 1
        self.size_bytes += size_bytes
        if len(self.names) < MOST_NAMES:
            self.names.append((name, is_folder))


@dataclass
class Preview:
    """:ivar left: entries of the folder that nobody looked at"""

    path: str
    copied: Side
    left_out: Side
    left: int = 0


def preview(folder: Folder, options: Mapping[str, Any]) -> Preview:
    """
    :param options: of a transfer document: its filter rules, and what becomes of links
    """
    rules = Rules.of_transfer(options)
    numbers = range(min(folder.about.count, MOST_ENTRIES))
    found = Preview(
        folder.path, Side(), Side(), max(0, folder.about.count - MOST_ENTRIES)
    )
    for row in folder.rows(numbers):
        entry = Entry(
            row.name,
            row.type,
            "",
            row.size_bytes,
            None,
            link_target=row.link_target,
        )
        side = found.copied if rules.takes(entry) else found.left_out
        size_bytes = 0 if row.is_folder else row.size_bytes or 0
        side.add(row.name, is_folder=row.is_folder, size_bytes=size_bytes)
    return found
