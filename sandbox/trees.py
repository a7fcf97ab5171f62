# Paths are plain text here: any bytes may be a name.
# ruff: noqa: PTH101, PTH102, PTH104, PTH112, PTH120, PTH106, PTH108, PTH208
"""Making and removing whole directories, however deep they are.

``os.makedirs`` and ``shutil.rmtree`` call themselves for each level and give up at
some thousand; a path has room for two thousand.
"""

import os
import stat
from contextlib import suppress
from itertools import count


def make(folder: str) -> None:
    """Make a directory and what is missing above it, unless it is there.

    :raises OSError: as ``os.mkdir``; FileExistsError when it is there as a file
    """
    missing = [folder]
    while missing:
        try:
            os.mkdir(missing[-1])
        except FileNotFoundError:
            missing.append(os.path.dirname(missing[-1]))
            continue
        except FileExistsError:
            if not os.path.isdir(missing[-1]):
                raise
        missing.pop()


def remove(folder: str) -> None:
    """Remove a directory with everything in it, if it is there.

    A directory that was moved into a deep one has a longer path than Linux takes. So
    directories are lifted to the top, one after the other, and are empty there.
    """
    numbers = count()
    lifted = [folder]
    while lifted:
        directory = lifted.pop()
        for path in _inside(directory):
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
            elif directory == folder:
                lifted.append(path)
            else:
                top = f"{folder}/.\x01removed-{next(numbers)}"
                os.rename(path, top)
                lifted.append(top)
        if directory != folder:
            os.rmdir(directory)
    with suppress(FileNotFoundError):
        os.rmdir(folder)


def _inside(directory: str) -> list[str]:
    try:
        os.chmod(directory, 0o700)  # whoever made it may have shut it
        return [f"{directory}/{name}" for name in os.listdir(directory)]
    except FileNotFoundError:
        return []
