# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH115, PTH116
"""Directory entries as Transfer shows them, with its filters and orders."""

import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from typing import Any

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.transfer import lazy
from sandbox.transfer.errors import bad_request

Entry = dict[str, Any]
Test = Callable[[Entry], bool]

USER = GROUP = "sandbox"
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFCHR: "chr",
    stat.S_IFBLK: "blk",
    stat.S_IFIFO: "pipe",
}
_FIELDS = frozenset({"name", "type", "size", "last_modified", "permissions", "user"})


class _Moments(dict[int, str]):
    """``2026-01-01 00:00:00+00:00`` per second; files of a folder share many."""

    def __missing__(self, second: int) -> str:
        text = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(second))
        self[second] = text
        return text


class _Modes(dict[int, tuple[str, str]]):
    """``(type, permissions)`` per mode."""

    def __missing__(self, mode: int) -> tuple[str, str]:
        pair = _TYPES.get(stat.S_IFMT(mode), "other"), f"{stat.S_IMODE(mode):04o}"
        self[mode] = pair
        return pair


def entries(directory: str, *, show_hidden: bool) -> list[Entry]:
    """All entries of a directory of this machine, in no order.

    Written for 100,000 entries: one stat each, no object per entry but the result.

    :raises OSError: as ``os.scandir``
    """
    if tree := lazy.tree_at(directory):
        return _of_tree(tree)
    moments, modes = _Moments(), _Modes()
    found: list[Entry] = []
    with os.scandir(directory) as listing:
        for one in listing:
            name = one.name
            if not show_hidden and name[0] == ".":
                continue
            try:
                details = one.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone since the directory was read
            mode = details.st_mode
            if stat.S_ISLNK(mode):
                found.append(_link(one.path, name, details, moments, modes))
            else:
                kind, permissions = modes[mode]
                found.append(
                    {
                        "DATA_TYPE": "file",
                        "name": name,
                        "type": kind,
                        "size": details.st_size,
                        "last_modified": moments[int(details.st_mtime)],
                        "permissions": permissions,
                        "user": USER,
                        "group": GROUP,
                        "link_target": None,
                        "link_size": None,
                        "link_user": None,
                        "link_group": None,
                        "link_last_modified": None,
                    }
                )
    return found


def _of_tree(tree: lazy.Tree) -> list[Entry]:
    """The entries of a directory that is not real yet, as they will be."""
    moment = _Moments()[tree.moment]
    common = {
        "last_modified": moment,
        "user": USER,
        "group": GROUP,
        "link_target": None,
        "link_size": None,
        "link_user": None,
        "link_group": None,
        "link_last_modified": None,
    }
    return [
        {
            "DATA_TYPE": "file",
            "name": name,
            "type": "dir" if is_directory else "file",
            "size": 4096 if is_directory else tree.size,
            "permissions": "0755" if is_directory else "0644",
            **common,
        }
        for name, is_directory in tree.entries()
    ]


def entry(real: str, name: str) -> Entry:
    """One entry, for ``stat``.

    :raises OSError: as ``os.lstat``
    """
    details = os.lstat(real)
    moments, modes = _Moments(), _Modes()
    if stat.S_ISLNK(details.st_mode):
        return _link(real, name, details, moments, modes)
    kind, permissions = modes[details.st_mode]
    return {
        "DATA_TYPE": "file",
        "name": name,
        "type": kind,
        "size": details.st_size,
        "last_modified": moments[int(details.st_mtime)],
        "permissions": permissions,
        "user": USER,
        "group": GROUP,
        **dict.fromkeys(
            (
                "link_target",
                "link_size",
                "link_user",
                "link_group",
                "link_last_modified",
            )
        ),
    }


def _link(
    path: str, name: str, link: os.stat_result, moments: _Moments, modes: _Modes
) -> Entry:
    """A link's main fields describe what it points to."""
    try:
        details = os.stat(path)
        kind, permissions = modes[details.st_mode]
    except OSError:
        details, kind = link, "invalid_symlink"
        permissions = modes[link.st_mode][1]
    return {
        "DATA_TYPE": "file",
        "name": name,
        "type": kind,
        "size": details.st_size,
        "last_modified": moments[int(details.st_mtime)],
        "permissions": permissions,
        "user": USER,
        "group": GROUP,
        "link_target": os.readlink(path),
        "link_size": link.st_size,
        "link_user": USER,
        "link_group": GROUP,
        "link_last_modified": moments[int(link.st_mtime)],
    }


def ordered(found: list[Entry], orderby: str) -> list[Entry]:
    """Sort by ``field [ASC|DESC], …``; names decide what is left open.

    :raises TransferFailure: there is no such field or direction
    """
    found.sort(key=lambda one: one["name"])
    for field, is_descending in reversed(order_terms(orderby, _FIELDS)):
        found.sort(key=lambda one: one[field], reverse=is_descending)
    return found


def order_terms(orderby: str, fields: Iterable[str]) -> list[tuple[str, bool]]:
    """``[(field, is_descending)]`` of an ``orderby`` parameter."""
    terms = []
    for part in filter(None, (one.strip() for one in orderby.split(","))):
        field, _, direction = part.partition(" ")
        direction = direction.strip().upper() or "ASC"
        if field not in fields or direction not in ("ASC", "DESC"):
            raise bad_request(f"Invalid orderby: '{part}'")
        terms.append((field, direction == "DESC"))
    return terms


def passes(filters: list[str]) -> Test:
    """A test for entries: any of the filters, and of each all its terms."""
    alternatives = [
        [_term(term) for term in text.split("/") if term] for text in filters if text
    ]
    if not alternatives:
        return lambda one: True
    return lambda one: any(all(t(one) for t in terms) for terms in alternatives)


def _term(term: str) -> Test:
    field, separator, value = term.partition(":")
    if not separator or field not in _FIELDS:
        raise bad_request(f"Invalid filter: '{term}'")
    if field == "last_modified":
        return _moment_range(value)
    if field == "size":
        return _size(value)
    if field == "type":
        kinds = set(value.lstrip("=").split(","))
        return lambda one: one["type"] in kinds
    wanted = value.split(",") if knobs.filter_commas else [value]
    tests = [text_test(one) for one in wanted]
    return lambda one: any(matches(str(one[field])) for matches in tests)


def text_test(value: str) -> Callable[[str], bool]:
    """The operators on texts: ``=``, ``!=``, ``!``, ``~`` glob, ``!~`` not glob."""
    if value.startswith("!~"):
        inverse = re.compile(fnmatch.translate(value[2:]))
        return lambda text: inverse.match(text) is None
    if value.startswith("~"):
        pattern = re.compile(fnmatch.translate(value[1:]))
        return lambda text: pattern.match(text) is not None
    if value.startswith("!"):
        unwanted = value[1:].removeprefix("=")
        return lambda text: text != unwanted
    wanted = value.removeprefix("=")
    return lambda text: text == wanted


def _size(value: str) -> Test:
    """Comparisons of sizes are not known of production; these are plausible."""
    match = re.fullmatch(r"(>=|<=|>|<|!|=|)(\d+)", value)
    is_equal = match is not None and match[1] in ("", "=")
    if match is None or not (is_equal or knobs.size_comparisons):
        raise bad_request(f"Invalid size in a filter: '{value}'")
    number = int(match[2])
    tests: dict[str, Test] = {
        ">": lambda one: one["size"] > number,
        ">=": lambda one: one["size"] >= number,
        "<": lambda one: one["size"] < number,
        "<=": lambda one: one["size"] <= number,
        "!": lambda one: one["size"] != number,
    }
    return tests.get(match[1], lambda one: one["size"] == number)


def _moment_range(value: str) -> Test:
    after, before = moment_range(value)
    return lambda one: after <= clock.from_text(one["last_modified"]) < before


def moment_range(value: str) -> tuple[float, float]:
    """``after,before``, either side may be empty.

    :raises TransferFailure: a side is not a moment
    """
    after, _, before = value.partition(",")
    try:
        return (
            clock.from_text(after) if after.strip() else float("-inf"),
            clock.from_text(before) if before.strip() else float("inf"),
        )
    except ValueError as err:
        raise bad_request(f"Invalid date in a filter: '{value}'") from err
