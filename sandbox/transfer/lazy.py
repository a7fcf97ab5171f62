# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH103, PTH108, PTH112, PTH123
"""Generated trees whose entries come into being when somebody looks closer.

A tree of a million files would cost a million inodes and a minute. Its directories
begin as one marker file, which says what is in them: a listing is worked out from
it, and only a step into the directory, a copy or a change makes the entries real.
The marker travels with its directory through renames and is gone with it.
"""

import os
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson

MARKER = ".\x01sandbox-tree"


@dataclass(frozen=True)
class Tree:
    """``levels`` of ``directories`` in each directory, and ``files`` in each.

    :ivar size: bytes of each file; they are holes
    """

    files: int
    size: int = 0
    directories: int = 0
    levels: int = 0
    moment: int = 0
    prefix: str = "file-"
    suffix: str = ".dat"

    @property
    def count(self) -> int:
        """All files, at all levels."""
        folders = sum(int(self.directories**level) for level in range(self.levels + 1))
        return folders * self.files

    def entries(self) -> list[tuple[str, bool]]:
        """``[(name, is_directory)]``."""
        folders = range(self.directories if self.levels else 0)
        return [
            *((f"dir-{number:04d}", True) for number in folders),
            *(
                (f"{self.prefix}{number:06d}{self.suffix}", False)
                for number in range(self.files)
            ),
        ]


_lock = threading.Lock()
#: whether there is any such tree: otherwise nobody looks for markers
_is_used = False


def start() -> None:
    """Trees of an earlier run may be there."""
    global _is_used
    _is_used = True


def reset() -> None:
    global _is_used
    _is_used = False


def plant(directory: str, tree: Tree) -> None:
    """Make ``directory`` such a tree. It must be empty or new."""
    global _is_used
    os.makedirs(directory, exist_ok=True)
    _mark(directory, tree)
    _is_used = True


def _mark(directory: str, tree: Tree) -> None:
    marked = {**asdict(tree), "moment": tree.moment or int(time.time())}
    with open(f"{directory}/{MARKER}", "wb") as file:
        file.write(orjson.dumps(marked))


def tree_at(directory: str) -> Tree | None:
    """What a directory would hold, while nobody has made it real."""
    if not _is_used:
        return None
    try:
        with open(f"{directory}/{MARKER}", "rb") as file:
            known: dict[str, Any] = orjson.loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return Tree(**known)


def fill(directory: str) -> None:
    """Make the entries of one directory real, if they are not yet."""
    if not _is_used:
        return
    with _lock:
        tree = tree_at(directory)
        if tree is None:
            return
        inner = Tree(**{**asdict(tree), "levels": max(0, tree.levels - 1)})
        for name, is_directory in tree.entries():
            path = f"{directory}/{name}"
            if is_directory:
                os.makedirs(path, exist_ok=True)
                _mark(path, inner)
            else:
                _make_file(path, tree)
        os.unlink(f"{directory}/{MARKER}")


def _make_file(path: str, tree: Tree) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        if tree.size:
            os.truncate(file, tree.size)
        os.utime(file, (tree.moment, tree.moment))
    finally:
        os.close(file)


def fill_way(base: str, inner: str) -> None:
    """Make real what lies between ``base`` and the directory ``base/inner``."""
    if not _is_used:
        return
    here = base
    fill(here)
    for name in filter(None, inner.split("/")):
        here = f"{here}/{name}"
        if not os.path.isdir(here):
            return
        fill(here)
