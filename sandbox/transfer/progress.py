"""What a task has done so far, and how often that is written down."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, models, transaction

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import SkippedError, SuccessfulTransfer, Task

#: seconds between two writes of a running task's counters
WRITE_EVERY = 0.2

#: task, source, destination, size, checksum, algorithm
Success = tuple[str, str, str, int, str, str]
_SUCCESS_FIELDS = (
    "task_id",
    "source_path",
    "destination_path",
    "size",
    "checksum",
    "checksum_algorithm",
)


@dataclass
class Progress:
    """Kept between the attempts of a task, so that no file is copied twice.

    A restart of the sandbox begins with an empty one: the files are copied again.

    :ivar deadline_at: when the task expires; progress moves it on, unless whoever
        submitted the task has set it, or the task is a delete
    """

    task_id: str
    deadline_at: float = float("inf")
    may_extend: bool = False
    done: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    successes: list[Success] = field(default_factory=list)
    skips: list[SkippedError] = field(default_factory=list)
    files: int = 0
    directories: int = 0
    symlinks: int = 0
    files_skipped: int = 0
    files_transferred: int = 0
    bytes_transferred: int = 0
    bytes_checksummed: int = 0
    faults: int = 0
    retrying: int = 0
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0
    written_files: int = 0

    def see(self, path: str, *, is_directory: bool) -> None:
        """Count a file or directory that was discovered, once."""
        if path in self.seen:
            return
        self.seen.add(path)
        if is_directory:
            self.directories += 1
        else:
            self.files += 1

    def skip(self, skipped: SkippedError) -> None:
        """Note a source that skip_source_errors leaves out."""
        if skipped.source_path in self.done:
            return
        self.done.add(skipped.source_path)
        skipped.task_id = self.task_id
        skipped.error_time = clock.now()
        self.skips.append(skipped)

    def counters(self) -> dict[str, Any]:
        """The task's columns. One subtask more than files: expanding the items."""
        seconds = max(0.001, time.monotonic() - self.began)
        return {
            "files": self.files,
            "directories": self.directories,
            "symlinks": self.symlinks,
            "files_skipped": self.files_skipped,
            "files_transferred": self.files_transferred,
            "bytes_transferred": self.bytes_transferred,
            "bytes_checksummed": self.bytes_checksummed,
            "effective_bytes_per_second": int(self.bytes_transferred / seconds),
            "faults": self.faults,
            "subtasks_total": self.files + self.directories + 1,
            "subtasks_retrying": self.retrying,
            "subtasks_succeeded": self.files_transferred + self.files_skipped,
            "subtasks_skipped_errors": len(self.skips),
        }

    def write(self, *, always: bool = False) -> None:
        """Write the counters, unless that was just done."""
        now = time.monotonic()
        if not always and now - self.written < WRITE_EVERY:
            return
        self.written = now
        values = self.counters()
        if self.may_extend and self.files_transferred > self.written_files:
            extended = clock.now() + knobs.extended_deadline_seconds
            self.deadline_at = max(self.deadline_at, extended)
            values["deadline_at"] = self.deadline_at
        self.written_files = self.files_transferred
        Task.objects.filter(pk=self.task_id, status="ACTIVE").update(**values)

    def write_details(self) -> None:
        with transaction.atomic():
            _insert(SuccessfulTransfer, _SUCCESS_FIELDS, self.successes)
            SkippedError.objects.bulk_create(self.skips, batch_size=500)


def _insert(
    model: type[models.Model], names: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Many rows at once: an object for each of 10,000 files would cost more than
    copying it does."""
    marks = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) "  # noqa: S608
            f"VALUES ({marks})",
            list(rows),
        )
