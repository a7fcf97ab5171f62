"""What a task has done so far, and how often that is written down."""

import time
from dataclasses import dataclass, field

from sandbox import clock
from sandbox.models import SkippedError, SuccessfulTransfer, Task

#: seconds between two writes of a running task's counters
WRITE_EVERY = 0.2


@dataclass
class Progress:
    """Kept between the attempts of a task, so that no file is copied twice.

    A restart of the sandbox begins with an empty one: the files are copied again.
    """

    task_id: str
    done: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    successes: list[SuccessfulTransfer] = field(default_factory=list)
    skips: list[SkippedError] = field(default_factory=list)
    files: int = 0
    directories: int = 0
    files_skipped: int = 0
    files_transferred: int = 0
    bytes_transferred: int = 0
    bytes_checksummed: int = 0
    faults: int = 0
    retrying: int = 0
    began: float = field(default_factory=time.monotonic)
    written: float = 0.0

    def see(self, path: str, *, is_directory: bool) -> None:
        """Count a file or directory that was discovered, once."""
        if path in self.seen:
            return
        self.seen.add(path)
        if is_directory:
            self.directories += 1
        else:
            self.files += 1

    def skip(self, source: str, destination: str, code: str, details: str) -> None:
        """Note a source that skip_source_errors leaves out."""
        if source in self.done:
            return
        self.done.add(source)
        self.skips.append(
            SkippedError(
                task_id=self.task_id,
                source_path=source,
                destination_path=destination,
                error_code=code,
                error_details=details,
                error_time=clock.now(),
            )
        )

    def counters(self) -> dict[str, int]:
        """The task's columns. One subtask more than files: expanding the items."""
        seconds = max(0.001, time.monotonic() - self.began)
        return {
            "files": self.files,
            "directories": self.directories,
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
        Task.objects.filter(pk=self.task_id, status="ACTIVE").update(**self.counters())

    def write_details(self) -> None:
        SuccessfulTransfer.objects.bulk_create(self.successes, batch_size=500)
        SkippedError.objects.bulk_create(self.skips, batch_size=500)
