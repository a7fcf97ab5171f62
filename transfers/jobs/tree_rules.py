"""Which part of a tree an inventory is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from transfers.browsing import Entry

#: what an inventory can be narrowed down to
TYPES = ("file", "dir", "link")
MOST_PATTERNS = 100
LONGEST_PATTERN = 255
_PARTS = {"include", "exclude", "types", "hidden"}


def type_of(entry: Entry) -> str:
    """One of ``TYPES``, or what else Globus calls it, such as a pipe."""
    is_link = entry.is_link or entry.type == "invalid_symlink"
    return "link" if is_link else entry.type


@dataclass(frozen=True)
class Rules:
    """:ivar depth: levels of folders that are opened: 1 is the folder alone, None all
    :ivar include: globs for the names of files; empty is every file
    :ivar exclude: globs for names of files and of folders, which are not opened
    :ivar hidden: also names that begin with a dot
    :ivar folders: also folders
    :ivar links: also symbolic links; they are never followed
    :ivar types: of ``TYPES``, those that are noted; empty is every type. A folder that
        is not noted is opened all the same
    :ivar wanted: only these paths and what lies in them, or with a slash at the end
        only what lies in them; empty is everything
    :ivar transfer: filter rules of a transfer, ``(method, glob, type)``: the first that
        fits decides, and what none fits is taken
    """

    depth: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = True
    folders: bool = True
    links: bool = True
    types: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    transfer: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Rules:
        """Of a run's inputs: ``recursive``, ``depth`` and ``filters``.

        ``filters`` is ``{"include": [glob, …], "exclude": [glob, …], "types":
        [type, …], "hidden": bool}``, each of them only where it says something.
        """
        filters = inputs.get("filters") or {}
        return cls(
            depth=(inputs.get("depth") or None) if inputs["recursive"] else 1,
            include=tuple(filters.get("include") or ()),
            exclude=tuple(filters.get("exclude") or ()),
            hidden=filters.get("hidden", True) is not False,
            types=tuple(filters.get("types") or ()),
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
            tuple(kept.get("types", ())),
            tuple(kept.get("wanted", ())),
            tuple((method, glob, kind) for method, glob, kind in kept["transfer"]),
        )

    def as_json(self) -> dict[str, Any]:
        """Without what is new and says nothing: inventories are compared by it."""
        return {
            **({"types": [*self.types]} if self.types else {}),
            **({"wanted": [*self.wanted]} if self.wanted else {}),
            "depth": self.depth,
            "include": [*self.include],
            "exclude": [*self.exclude],
            "hidden": self.hidden,
            "folders": self.folders,
            "links": self.links,
            "transfer": [[*rule] for rule in self.transfer],
        }

    def takes(self, entry: Entry) -> bool:
        """Whether it stands in the inventory."""
        return self._lets_in(entry) and (not self.types or type_of(entry) in self.types)

    def enters(self, entry: Entry) -> bool:
        """Whether it is a folder whose own entries are looked at, depth aside."""
        return entry.is_folder and self._lets_in(entry)

    def _lets_in(self, entry: Entry) -> bool:
        if self.wanted and not self._wants(entry.path):
            return False
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

    @cached_property
    def _places(self) -> frozenset[str]:
        return frozenset(self.wanted)

    def _wants(self, path: str) -> bool:
        """:param path: empty if the name cannot stand in one; better one too many"""
        if not path:
            return True
        above = path = path.rstrip("/")
        while above:
            above = above.rpartition("/")[0]
            if above in self._places or f"{above}/" in self._places:
                return True
        return path in self._places

    def opens(self, depth: int) -> bool:
        """:param depth: of the folder; the top is 0"""
        return self.depth is None or depth < self.depth


def problem_of(filters: Any) -> str:
    """What is wrong with the filters of a job, in a sentence; empty if nothing is."""
    if not isinstance(filters, Mapping) or not set(filters) <= _PARTS:
        return "Filters have the parts include, exclude, types and hidden."
    if not isinstance(filters.get("hidden", True), bool):
        return "“hidden” is true or false."
    types = filters.get("types", [])
    if not isinstance(types, list) or not all(each in TYPES for each in types):
        return f"Choose among these types: {', '.join(TYPES)}."
    for name in ("include", "exclude"):
        patterns = filters.get(name, [])
        if not isinstance(patterns, list) or len(patterns) > MOST_PATTERNS:
            return f"“{name}” is a list of at most {MOST_PATTERNS} patterns."
        for pattern in patterns:
            if says := problem_of_pattern(pattern):
                return says
    return ""


def problem_of_pattern(pattern: Any) -> str:
    if not isinstance(pattern, str) or not pattern:
        return "A pattern is text, like *.csv."
    if "/" in pattern:
        return f"“{pattern[:40]}” holds a “/”; a pattern is for one name, not a path."
    if len(pattern) > LONGEST_PATTERN:
        return f"“{pattern[:40]}…” is longer than {LONGEST_PATTERN} characters."
    return ""
