# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH105, PTH108, PTH110, PTH123
"""Moving the bytes of one file, and comparing files."""

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable

from sandbox.knobs import current as knobs
from sandbox.runtime import runtime

#: one call copies this much at most, so that a cancel is noticed in between
CHUNK = 32 * 1024 * 1024

CheckStop = Callable[[], None]

#: what one read and one write are enough for
SMALL = 128 * 1024

_corruption = threading.Lock()
_numbers = itertools.count()


def copy_file(
    source: str, destination: str, *, keep_time: bool, check_stop: CheckStop
) -> int:
    """Copy ``source`` over ``destination``; returns the size.

    The bytes go to a file elsewhere in the data directory, which is then renamed:
    a reader sees the old file or the new one, never half of it.

    :raises OSError: as the calls that it makes
    """
    unfinished = f"{runtime.unfinished_folder}/{next(_numbers)}"
    # Not waiting for the other end of a pipe that somebody has put there.
    reader = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        writer = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            size = _copy_bytes(reader, writer, check_stop)
            if keep_time:
                details = os.fstat(reader)
                os.utime(writer, ns=(details.st_atime_ns, details.st_mtime_ns))
        finally:
            os.close(writer)
        if knobs.corrupt_files:
            _corrupt(unfinished)
        os.replace(unfinished, destination)
    except BaseException:
        # Whatever ended it, a cancel included, leaves no half file behind.
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise
    finally:
        os.close(reader)
    return size


def _copy_bytes(reader: int, writer: int, check_stop: CheckStop) -> int:
    size = 0
    if not knobs.copy_bytes_per_second:
        content = os.read(reader, SMALL)
        size = os.write(writer, content)
        if size < SMALL:
            return size
    while True:
        began = time.monotonic()
        rate = knobs.copy_bytes_per_second
        # At a set rate, ten small steps a second.
        copied = os.copy_file_range(
            reader, writer, max(1, rate // 10) if rate else CHUNK
        )
        if not copied:
            return size
        size += copied
        check_stop()
        if rate:
            time.sleep(max(0.0, copied / rate - (time.monotonic() - began)))


def _corrupt(path: str) -> None:
    with _corruption:
        if not knobs.corrupt_files:
            return
        knobs.corrupt_files -= 1
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 0xFF]) if first else b"!")


def checksum(path: str, algorithm: str = "sha256") -> str:
    """The file's checksum in hex.

    :raises ValueError: there is no such algorithm
    """
    with open(path, "rb") as file:
        name = algorithm.lower().replace("-", "")
        return hashlib.file_digest(file, name).hexdigest()
