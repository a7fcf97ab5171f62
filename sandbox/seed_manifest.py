# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH108
"""Which files were changed since they were planted, so that only those are mended."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox import trees

#: inode, size, time of the content's and of the inode's last change
Mark = tuple[int, int, int, int]


@dataclass(frozen=True)
class Manifest:
    """The files below ``root``; a directory's mark is None."""

    root: Path
    marks: dict[str, Mark | None]

    @classmethod
    def of(cls, root: Path) -> "Manifest":
        marks: dict[str, Mark | None] = {}

        def note(path: str, mark: Mark | None) -> bool:
            marks[path] = mark
            return True

        _walk(str(root), note)
        return cls(root, marks)

    def restore(self, write: Callable[[], None] | None) -> None:
        """Delete what is new; write everything again if a planted file was touched.

        :param write: plants all files
        """
        kept = 0

        def keeps(path: str, mark: Mark | None) -> bool:
            nonlocal kept
            is_known = path in self.marks and self.marks[path] == mark
            if is_known:
                kept += 1
            elif mark is None:
                trees.remove(path)
            else:
                os.unlink(path)
            return is_known

        _walk(str(self.root), keeps)
        if kept == len(self.marks) or write is None:
            return
        trees.remove(str(self.root))
        write()
        self.marks.clear()
        self.marks.update(Manifest.of(self.root).marks)


def _walk(folder: str, visit: Callable[[str, Mark | None], bool]) -> None:
    """Visit everything below ``folder``; into directories that ``visit`` keeps."""
    try:
        with os.scandir(folder) as listing:
            found = list(listing)
    except FileNotFoundError:
        return
    for one in found:
        if one.is_dir(follow_symlinks=False):
            if visit(one.path, None):
                _walk(one.path, visit)
            continue
        details = one.stat(follow_symlinks=False)
        visit(
            one.path,
            (
                details.st_ino,
                details.st_size,
                details.st_mtime_ns,
                details.st_ctime_ns,
            ),
        )
