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
    :ivar folders: also folders
    :ivar links: also symbolic links; they are never followed
    :ivar transfer: filter rules of a transfer, ``(method, glob, type)``: the first that
        fits decides, and what none fits is taken
    """

    depth: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = True
    folders: bool = True
    links: bool = True
    transfer: tuple[tuple[str, str, str], ...] = ()

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
    def of_one_file(cls, name: str) -> Rules:
        """The file of this name, whatever its characters mean to a glob."""
        quoted = "".join(f"[{each}]" if each in "*?[" else each for each in name)
        return cls(depth=1, include=(quoted,), folders=False)

    @classmethod
    def of_transfer(cls, options: Mapping[str, Any]) -> Rules:
        """:param options: of a transfer document"""
        return cls(
            links=options.get("recursive_symlinks") in ("keep", "copy"),
            transfer=tuple(
                (
                    str(rule.get("method") or "exclude"),
                    str(rule["name"]),
                    str(rule.get("type") or ""),
                )
                for rule in options.get("filter_rules") or ()
            ),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Rules:
        return cls(
            kept["depth"],
            tuple(kept["include"]),
            tuple(kept["exclude"]),
            kept["hidden"],
            kept["folders"],
            kept["links"],
            tuple((method, glob, kind) for method, glob, kind in kept["transfer"]),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
            "include": [*self.include],
            "exclude": [*self.exclude],
            "hidden": self.hidden,
            "folders": self.folders,
            "links": self.links,
            "transfer": [[*rule] for rule in self.transfer],
        }

    def takes(self, entry: Entry) -> bool:
        if not self.hidden and entry.is_hidden:
            return False
        if entry.is_link and not self.links:
            return False
        if entry.is_folder and not self.folders:
            return False
        if any(fnmatchcase(entry.name, glob) for glob in self.exclude):
            return False
        for method, glob, kind in self.transfer:
            if kind in ("", entry.type) and fnmatchcase(entry.name, glob):
                return method == "include"
        return (
            entry.is_folder
            or not self.include
            or any(fnmatchcase(entry.name, glob) for glob in self.include)
        )

    def opens(self, depth: int) -> bool:
        """:param depth: of the folder; the top is 0"""
        return self.depth is None or depth < self.depth
