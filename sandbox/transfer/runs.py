# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH106, PTH108, PTH110, PTH112, PTH114
# ruff: noqa: PTH115, PTH116, PTH119, PTH120, PTH208, PTH211
"""One attempt at a task: walk its items, copy or delete what is left to do."""

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sandbox import trees
from sandbox.knobs import current as knobs
from sandbox.models import Collection, SkippedError, Task
from sandbox.transfer import lazy
from sandbox.transfer.access import (
    check_readable,
    check_writable,
    permissions,
    usable_collection,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.copying import checksum, copy_file
from sandbox.transfer.errors import TransferFailure
from sandbox.transfer.faults import (
    QUOTA,
    RENEWABLE,
    CredentialsExpired,
    Fatal,
    Fault,
    of_failure,
    of_os_error,
)
from sandbox.transfer.paths import place
from sandbox.transfer.progress import Progress

CheckStop = Callable[[], None]
Report = Callable[[Fault], None]

#: copies of one file whose checksum differs, before it counts as a fault
CHECKSUM_TRIES = 3


def usable(caller: Caller, collection_id: str) -> Collection:
    """The collection, for a task that runs.

    :raises CredentialsExpired: its owner must consent or sign in anew
    :raises Fault: it cannot be used for another reason
    """
    try:
        return usable_collection(caller, collection_id)
    except TransferFailure as failure:
        if failure.code in RENEWABLE:
            raise CredentialsExpired(failure) from failure
        raise of_failure(failure, at_source=False) from failure


class FilterRules:
    """``filter_rules`` of a transfer: the first that matches decides."""

    def __init__(self, rules: list[dict[str, Any]] | None) -> None:
        self.rules: list[tuple[bool, re.Pattern[str], str | None]] = [
            (
                rule.get("method", "exclude") == "include",
                re.compile(fnmatch.translate(rule["name"])),
                rule.get("type"),
            )
            for rule in rules or []
        ]

    def takes(self, name: str, kind: str) -> bool:
        for includes, pattern, only in self.rules:
            if only in (None, kind) and pattern.match(name):
                return includes
        return True


@dataclass(frozen=True)
class Spot:
    """A path in a collection beside the same path on this machine."""

    path: str
    real: str

    def inside(self, name: str) -> "Spot":
        return Spot(f"{self.path.rstrip('/')}/{name}", f"{self.real}/{name}")


@dataclass(frozen=True)
class Level:
    """A directory that is being copied.

    :ivar entries: what is left of it
    :ivar names: of all its entries; None is that nothing of it is copied
    """

    source: Spot
    destination: Spot
    entries: Iterator[os.DirEntry[str]]
    names: set[str] | None


class Run:
    """What an attempt at a task has to work with.

    :ivar check_stop: raises ``Stopped`` when it is to end
    :ivar report: takes a fault, which leaves the task for another attempt
    """

    def __init__(
        self, task: Task, progress: Progress, check_stop: CheckStop, report: Report
    ) -> None:
        self.task = task
        self.progress = progress
        self.check_stop = check_stop
        self.report = report
        self.options: dict[str, Any] = task.document
        self.caller = Caller.of_task(task)


class TransferRun(Run):
    """An attempt at a transfer. Items that fail are reported and left for later."""

    def __init__(
        self, task: Task, progress: Progress, check_stop: CheckStop, report: Report
    ) -> None:
        super().__init__(task, progress, check_stop, report)
        self.rules = FilterRules(self.options.get("filter_rules"))
        self.links = self.options.get("recursive_symlinks") or "ignore"
        #: where the tree of an item is copied to, as device and inode
        self.landing: tuple[int, int] | None = None

    def run(self) -> None:
        """:raises Stopped: from ``check_stop``
        :raises CredentialsExpired: a consent or a session ran out"""
        try:
            self.source = usable(self.caller, self.task.source_id)
            self.destination = usable(self.caller, self.task.destination_id)
        except Fault as fault:
            self.report(fault)
            return
        for item in self.options["DATA"]:
            self.check_stop()
            with self._guarded(item["source_path"], item["destination_path"], item):
                if item.get("DATA_TYPE") == "transfer_symlink_item":
                    self._symlink_item(item)
                else:
                    self._item(item)

    @contextmanager
    def _guarded(
        self, source: str, destination: str, item: dict[str, Any], kind: str = "file"
    ) -> Iterator[None]:
        """Around what is done to one source: a fault does not stop the others."""
        try:
            yield
        except Fault as fault:
            self._met(fault, source, destination, item, kind)
        except OSError as err:
            self.report(of_os_error(err, destination))

    def _met(
        self,
        fault: Fault,
        source: str,
        destination: str,
        item: dict[str, Any],
        kind: str,
    ) -> None:
        if fault.code in QUOTA and self.options.get("fail_on_quota_errors"):
            raise Fatal(fault.code, fault.details) from fault
        if not fault.is_skippable or not self.options.get("skip_source_errors"):
            self.report(fault)
            return
        self.progress.skip(
            SkippedError(
                source_path=source,
                destination_path=destination,
                error_code=fault.code,
                error_details=fault.details,
                is_directory=kind == "dir" or item.get("recursive") is True,
                is_symlink=kind == "link",
                external_checksum=item.get("external_checksum") or "",
                checksum_algorithm=item.get("checksum_algorithm") or "",
            )
        )

    def _item(self, item: dict[str, Any]) -> None:
        source = self._source_spot(item["source_path"])
        destination = self._destination_spot(item["destination_path"])
        try:
            details = os.stat(source.real)
        except OSError as err:
            raise of_os_error(err, source.path, at_source=True) from err
        is_directory = stat.S_ISDIR(details.st_mode)
        if item.get("recursive") is True and not is_directory:
            raise Fault("NOT_A_DIRECTORY", f"Path: {source.path}", at_source=True)
        if item.get("recursive") is False and is_directory:
            raise Fault("IS_A_DIRECTORY", f"Path: {source.path}", at_source=True)
        if is_directory:
            self.landing = None
            self._directory(source, destination)
            return
        if not stat.S_ISREG(details.st_mode):
            raise Fault("NOT_A_FILE", f"Path: {source.path}", at_source=True)
        if item["destination_path"].endswith("/"):
            raise Fault("IS_A_DIRECTORY", f"Path: {destination.path}")
        self._make_directory(os.path.dirname(destination.real), destination.path)
        self._file(source, destination, details, item)

    def _symlink_item(self, item: dict[str, Any]) -> None:
        """Copy the link itself, wherever it points to."""
        try:
            where = place(self.caller, self.source, item["source_path"])
            check_readable(self.caller, self.source, where.path)
        except TransferFailure as failure:
            raise of_failure(failure, at_source=True) from failure
        source = Spot(where.path, where.real)
        if not os.path.lexists(source.real):
            raise Fault("FILE_NOT_FOUND", f"Path: {source.path}", at_source=True)
        if not os.path.islink(source.real):
            raise Fault("NOT_A_SYMLINK", f"Path: {source.path}", at_source=True)
        destination = self._destination_spot(item["destination_path"])
        self._make_directory(os.path.dirname(destination.real), destination.path)
        self._keep_link(source, destination)

    def _keep_link(self, source: Spot, destination: Spot) -> None:
        if source.path in self.progress.done:
            return
        if os.path.isdir(destination.real) and not os.path.islink(destination.real):
            raise Fault("IS_A_DIRECTORY", f"Path: {destination.path}")
        if os.path.lexists(destination.real):
            os.unlink(destination.real)
        os.symlink(os.readlink(source.real), destination.real)
        self.progress.symlinks += 1
        self.progress.done.add(source.path)

    def _source_spot(self, path: str) -> Spot:
        try:
            where = place(self.caller, self.source, path)
            check_readable(self.caller, self.source, where.path)
            return Spot(where.path, where.target)
        except TransferFailure as failure:
            raise of_failure(failure, at_source=True) from failure

    def _destination_spot(self, path: str) -> Spot:
        try:
            where = place(self.caller, self.destination, path)
            check_writable(self.caller, self.destination, where.path)
            # A link at the destination is followed when it is a directory.
            real = where.target if os.path.isdir(where.real) else where.real
            return Spot(where.path, real)
        except TransferFailure as failure:
            raise of_failure(failure, at_source=False) from failure

    def _make_directory(self, real: str, path: str) -> None:
        try:
            trees.make(real)
        except FileExistsError as err:
            raise Fault("NOT_A_DIRECTORY", f"Path: {path}") from err
        except OSError as err:
            raise of_os_error(err, path) from err

    def _directory(self, source: Spot, destination: Spot) -> None:
        """Copy a tree; entries that fail are left for the next attempt.

        Without recursion: a path has room for two thousand levels, Python's stack has
        not.
        """
        levels = [self._enter(source, destination)]
        while levels:
            level = levels[-1]
            one = next(level.entries, None)
            if one is None:
                self._leave(levels.pop())
                continue
            inner = level.source.inside(one.name), level.destination.inside(one.name)
            with self._guarded(inner[0].path, inner[1].path, {}, _kind_of(one)):
                if deeper := self._entry(one, *inner):
                    levels.append(deeper)

    def _enter(self, source: Spot, destination: Spot) -> Level:
        """Make the directory, and see what is to be copied into it.

        :raises Fault: it cannot be made or read
        """
        self.check_stop()
        if self.landing is not None and _inode(source.real) == self.landing:
            # A tree that is copied into itself would never end.
            return Level(source, destination, iter(()), None)
        self.progress.see(source.path, is_directory=True)
        if os.path.islink(destination.real):
            raise Fault("INVALID_SYMLINK", f"Path: {destination.path}")
        self._make_directory(destination.real, destination.path)
        if self.landing is None:
            self.landing = _inode(destination.real)
        try:
            lazy.fill(source.real)
            with os.scandir(source.real) as listing:
                found = sorted(listing, key=lambda one: one.name)
        except OSError as err:
            raise of_os_error(err, source.path, at_source=True) from err
        names = {one.name for one in found}
        return Level(source, destination, iter(found), names)

    def _leave(self, level: Level) -> None:
        if level.names is None or not self.options.get("delete_destination_extra"):
            return
        with self._guarded(level.source.path, level.destination.path, {}, "dir"):
            self._delete_extra(level.destination, level.names)

    def _entry(
        self, one: os.DirEntry[str], source: Spot, destination: Spot
    ) -> Level | None:
        """Copy one entry; a directory is entered instead."""
        if one.is_symlink():
            return self._symlink(source, destination)
        if one.is_dir(follow_symlinks=False):
            if self.rules.takes(one.name, "dir"):
                self._check_source(source)
                return self._enter(source, destination)
        elif one.is_file(follow_symlinks=False) and self.rules.takes(one.name, "file"):
            # Devices, pipes and sockets are not files that travel.
            if self.source.denied_paths:
                self._check_source(source)
            self._file(source, destination, one.stat(follow_symlinks=False), {})
        return None

    def _check_source(self, source: Spot) -> None:
        if not permissions(self.caller, self.source, source.path):
            raise Fault("PERMISSION_DENIED", f"Path: {source.path}", at_source=True)

    def _symlink(self, source: Spot, destination: Spot) -> Level | None:
        if self.links == "ignore":
            return None
        if self.links == "keep":
            self._keep_link(source, destination)
            return None
        target = self._source_spot(source.path)
        if not os.path.exists(target.real):
            raise Fault("INVALID_SYMLINK", f"Path: {source.path}", at_source=True)
        if os.path.isdir(target.real):
            if self._is_loop(source, target):
                raise Fault("INVALID_SYMLINK", f"Path: {source.path}", at_source=True)
            return self._enter(Spot(source.path, target.real), destination)
        self._file(
            Spot(source.path, target.real), destination, os.stat(target.real), {}
        )
        return None

    def _is_loop(self, source: Spot, target: Spot) -> bool:
        return f"{source.real}/".startswith(f"{target.real.rstrip('/')}/")

    def _file(
        self,
        source: Spot,
        destination: Spot,
        details: os.stat_result,
        item: dict[str, Any],
    ) -> None:
        self.check_stop()
        self.progress.see(source.path, is_directory=False)
        if source.path in self.progress.done:
            return
        if self._is_in_sync(source, destination, details):
            self.progress.files_skipped += 1
        else:
            self._copy(source, destination, item)
        self.progress.done.add(source.path)
        self.progress.write()

    def _is_in_sync(
        self, source: Spot, destination: Spot, details: os.stat_result
    ) -> bool:
        """Whether ``sync_level`` leaves the file at the destination as it is."""
        level = self.options.get("sync_level")
        if level is None:
            return False
        try:
            there = os.lstat(destination.real)
        except OSError:
            return False
        if not stat.S_ISREG(there.st_mode):
            return False
        if level == 0:
            return True
        if there.st_size != details.st_size:
            return False
        if level == 1:
            return True
        if level == 2:
            return int(there.st_mtime) >= int(details.st_mtime)
        self.progress.bytes_checksummed += details.st_size
        return checksum(source.real) == checksum(destination.real)

    def _copy(self, source: Spot, destination: Spot, item: dict[str, Any]) -> None:
        if os.path.isdir(destination.real):
            raise Fault("IS_A_DIRECTORY", f"Path: {destination.path}")
        self._check_external(source, item)
        self._check_quota(source)
        for attempt in range(CHECKSUM_TRIES):
            size = self._copy_once(source, destination)
            found = self._verified(source, destination, size)
            if found is not None:
                break
            fault = Fault("VERIFY_CHECKSUM", f"Path: {destination.path}")
            if attempt == CHECKSUM_TRIES - 1:
                raise fault
            self.report(fault)
        self.progress.files_transferred += 1
        self.progress.bytes_transferred += size
        algorithm = "sha256" if found else ""
        if item.get("external_checksum"):
            found = str(item["external_checksum"]).lower()
            algorithm = item.get("checksum_algorithm") or "md5"
        self.progress.successes.append(
            (
                self.task.pk,
                source.path,
                destination.path,
                size,
                found or "",
                algorithm,
            )
        )

    def _copy_once(self, source: Spot, destination: Spot) -> int:
        try:
            return copy_file(
                source.real,
                destination.real,
                keep_time=bool(self.options.get("preserve_timestamp")),
                check_stop=self.check_stop,
            )
        except FileNotFoundError as err:
            is_source = not os.path.exists(source.real)
            path = source.path if is_source else destination.path
            raise of_os_error(err, path, at_source=is_source) from err
        except OSError as err:
            raise of_os_error(err, destination.path) from err

    def _verified(self, source: Spot, destination: Spot, size: int) -> str | None:
        """The checksum, "" when nobody asked, None when the copy differs."""
        if not self.options.get("verify_checksum"):
            return ""
        self.progress.bytes_checksummed += size
        wanted = checksum(source.real)
        return wanted if checksum(destination.real) == wanted else None

    def _check_quota(self, source: Spot) -> None:
        if not knobs.quota_bytes:
            return
        size = os.stat(source.real).st_size
        if self.progress.bytes_transferred + size > knobs.quota_bytes:
            raise Fault("QUOTA_EXCEEDED", f"Path: {source.path}")

    def _check_external(self, source: Spot, item: dict[str, Any]) -> None:
        wanted = item.get("external_checksum")
        if not wanted:
            return
        found = checksum(source.real, item.get("checksum_algorithm") or "md5")
        self.progress.bytes_checksummed += os.stat(source.real).st_size
        if found != str(wanted).lower():
            raise Fault("EXTERNAL_CHECKSUM_MISMATCH", f"Path: {source.path}")

    def _delete_extra(self, destination: Spot, names: set[str]) -> None:
        with os.scandir(destination.real) as listing:
            extra = [one for one in listing if one.name not in names]
        for one in extra:
            remove(one.path, self.check_stop, lambda files: None)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        details = os.stat(path)
    except OSError:
        return None  # whoever reads it meets the error, and reports it
    return details.st_dev, details.st_ino


def _kind_of(one: os.DirEntry[str]) -> str:
    if one.is_symlink():
        return "link"
    return "dir" if one.is_dir(follow_symlinks=False) else "file"


class DeleteRun(Run):
    """An attempt at a delete task."""

    def run(self) -> None:
        """:raises Fatal: a directory without ``recursive``
        :raises Stopped: from ``check_stop``
        :raises CredentialsExpired: a consent or a session ran out"""
        try:
            self.collection = usable(self.caller, self.task.source_id)
        except Fault as fault:
            self.report(fault)
            return
        for item in self.options["DATA"]:
            for path in self._paths(item["path"]):
                self.check_stop()
                try:
                    self._delete(path)
                except Fault as fault:
                    self.report(fault)

    def _paths(self, path: str) -> list[str]:
        """What the path stands for: itself, or what its wildcards match."""
        if not self.options.get("interpret_globs") or not glob.has_magic(path):
            return [path]
        try:
            where = place(self.caller, self.collection, path)
        except TransferFailure as failure:
            self.report(of_failure(failure, at_source=True))
            return []
        parent = os.path.dirname(where.real)
        above = where.path.rpartition("/")[0]
        try:
            names = sorted(os.listdir(parent))
        except OSError as err:
            self.report(of_os_error(err, above, at_source=True))
            return []
        pattern = os.path.basename(where.real)
        return [f"{above}/{name}" for name in fnmatch.filter(names, pattern)]

    def _delete(self, path: str) -> None:
        try:
            where = place(self.caller, self.collection, path)
            check_writable(self.caller, self.collection, where.path)
        except TransferFailure as failure:
            raise of_failure(failure, at_source=True) from failure
        if where.path in self.progress.done:
            return
        if where.path == "/":
            raise Fault("PERMISSION_DENIED", "Path: /")
        try:
            is_directory = stat.S_ISDIR(os.lstat(where.real).st_mode)
            if is_directory and not self.options.get("recursive"):
                raise Fatal(
                    "IS_A_DIRECTORY", f"{where.path} is a directory, not recursive"
                )
            remove(where.real, self.check_stop, self._count)
        except OSError as err:
            is_missing = isinstance(err, FileNotFoundError)
            if not (is_missing and self.options.get("ignore_missing")):
                raise of_os_error(err, where.path) from err
        self.progress.done.add(where.path)

    def _count(self, files: int) -> None:
        self.progress.files += files
        self.progress.write()


def remove(real: str, check_stop: CheckStop, count: Callable[[int], None]) -> None:
    """Remove a file, a link (never its target) or a whole tree, at any depth.

    :raises OSError: as the calls that it makes
    """
    #: directories from the outermost one inwards, and what is left in each
    levels: list[tuple[str, list[str]]] = []
    path: str | None = real
    while path is not None or levels:
        check_stop()
        if path is None:
            directory, left = levels[-1]
            if left:
                path = left.pop()
            else:
                os.rmdir(directory)
                levels.pop()
        elif stat.S_ISDIR(os.lstat(path).st_mode):
            levels.append((path, _emptied(path, count)))
            path = None
        else:
            os.unlink(path)
            count(1)
            path = None


def _emptied(directory: str, count: Callable[[int], None]) -> list[str]:
    """What has to be removed from a directory; of a tree that is not real, nothing."""
    if tree := lazy.tree_at(directory):
        count(tree.count)
        os.unlink(f"{directory}/{lazy.MARKER}")
        return []
    with os.scandir(directory) as listing:
        return [one.path for one in listing]
