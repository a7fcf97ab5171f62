"""Which part of a tree an inventory is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from transfers.browsing import Entry


@dataclass(frozen=True)
class Rules:
    """:ivar depth: levels of folders that are opened: 1 is the folder alone, None all
    :ivar include: globs for the names of files; empty is every file
    :ivar exclude: globs for names of files and of folders, which are not opened
    :ivar hidden: also names that begin with a dot
    """

    depth: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = True

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Rules:
        """Of a run's inputs: ``recursive``, ``depth`` and ``filters``.

        ``filters`` is ``{"include": [glob, …], "exclude": [glob, …], "hidden": bool}``.
        """
        filters = inputs.get("filters") or {}
        return cls(
            depth=(inputs.get("depth") or None) if inputs["recursive"] else 1,
            include=tuple(filters.get("include") or ()),
            exclude=tuple(filters.get("exclude") or ()),
            hidden=filters.get("hidden", True) is not False,
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Rules:
        return cls(
            kept["depth"],
            tuple(kept["include"]),
            tuple(kept["exclude"]),
            kept["hidden"],
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
            "include": [*self.include],
            "exclude": [*self.exclude],
            "hidden": self.hidden,
        }

    def takes(self, entry: Entry) -> bool:
        if not self.hidden and entry.is_hidden:
            return False
        if any(fnmatchcase(entry.name, glob) for glob in self.exclude):
            return False
        return (
            entry.is_folder
            or not self.include
            or any(fnmatchcase(entry.name, glob) for glob in self.include)
        )

    def opens(self, depth: int) -> bool:
        """:param depth: of the folder; the top is 0"""
        return self.depth is None or depth < self.depth
