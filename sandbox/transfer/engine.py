"""The task engine: threads that carry tasks out, by the virtual clock.

A scheduler thread decides which tasks run: per identity the oldest few of each type,
the others are ``Queued``. An attempt at a task runs in a pool. A task whose attempt
left faults stays ACTIVE, takes up one of the running places, and is tried again
until its deadline. A task whose consent or session ran out is INACTIVE until they are
there again; one that a pause rule holds stays ACTIVE and does nothing. Tasks that a
restart finds ACTIVE are simply run again.
"""

import json
import logging
import shutil
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import BrowserSession, Task, TaskEvent
from sandbox.runtime import runtime
from sandbox.transfer.access import usable_collection
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure
from sandbox.transfer.faults import (
    RENEWABLE,
    CredentialsExpired,
    Fatal,
    Fault,
    Stopped,
)
from sandbox.transfer.pauses import is_task_paused, may_be_paused, rules_of_task
from sandbox.transfer.progress import Progress
from sandbox.transfer.runs import DeleteRun, TransferRun

log = logging.getLogger(__name__)

THREADS = 12
#: seconds between two looks at the clock while a task is unfinished, and otherwise
BUSY_TICK = 0.05
IDLE_TICK = 2.0

CANCELED = ("Canceled", "The task has been cancelled successfully.")
CANCEL_ACCEPTED = "The cancel request has been queued."
TASK_COMPLETE = "The task completed before the cancel request."


class Engine:
    """Start and stop it once; ``wake()`` whenever there may be something to do."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_woken = False
        self._stopping = threading.Event()
        self._scheduler: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._attempting: set[str] = set()
        self._cancelled: set[str] = set()
        self._paused: set[str] = set()
        self._progress: dict[str, Progress] = {}
        self._next_try: dict[str, float] = {}

    def start(self) -> None:
        shutil.rmtree(runtime.unfinished_files, ignore_errors=True)
        runtime.unfinished_files.mkdir(parents=True)
        self._stopping.clear()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="task")
        self._scheduler = threading.Thread(target=self._schedule, name="scheduler")
        self._scheduler.start()

    def stop(self) -> None:
        """Stop all attempts; their tasks stay ACTIVE for the next start."""
        self._stopping.set()
        self.wake()
        if self._scheduler is not None:
            self._scheduler.join()
        if self._pool is not None:
            self._pool.shutdown()
        self._scheduler = self._pool = None
        self._attempting.clear()
        self._cancelled.clear()
        self._paused.clear()
        self._progress.clear()
        self._next_try.clear()

    def wake(self) -> None:
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def cancel(self, task_id: str) -> tuple[str, str]:
        """Cancel a task; returns the result's code and message."""
        unfinished = Task.objects.filter(pk=task_id, status__in=("ACTIVE", "INACTIVE"))
        with self._changed:
            # Before it is stored: its end takes the task out again.
            self._cancelled.add(task_id)
        if not unfinished.update(cancel_requested=True):
            with self._changed:
                self._cancelled.discard(task_id)
            return knobs.canceled_finished_code, TASK_COMPLETE
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: task_id not in self._cancelled, knobs.cancel_wait_seconds
            )
            is_done = task_id not in self._cancelled
        return CANCELED if is_done else (knobs.cancel_pending_code, CANCEL_ACCEPTED)

    def is_at_rest(self, task: Task) -> bool:
        """An unfinished task with which nothing happens before the clock goes on, or
        somebody does something."""
        if task.pk in self._attempting:
            return False
        waits = self._next_try.get(task.pk, 0.0) > clock.now()
        return waits or task.is_paused or task.status == "INACTIVE"

    # --- the scheduler thread

    def _schedule(self) -> None:
        while not self._stopping.is_set():
            try:
                has_work = self._tick()
            except Exception:
                # The thread must outlive a surprise, or every task would hang.
                log.exception("The scheduler met an error")
                has_work = True
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_woken, BUSY_TICK if has_work else IDLE_TICK
                )
                self._is_woken = False
        connection.close()

    def _tick(self) -> bool:
        """Look at every unfinished task once. True if there is any."""
        tasks = list(
            Task.objects.filter(status__in=("ACTIVE", "INACTIVE"))
            .order_by("requested_at", "id")
            .defer("document")
        )
        if tasks and may_be_paused():
            self._pause(tasks)
        now = clock.now()
        places: dict[tuple[str, str], int] = defaultdict(int)
        for task in tasks:
            if task.pk in self._attempting:
                places[task.owner_id, task.type] += 1
                self._progress_of(task).deadline_at = task.deadline_at
            elif task.cancel_requested:
                self._finish_cancelled(task)
            elif task.deadline_at <= now:
                self._expire(task.pk)
            elif task.status == "INACTIVE":
                self._resume_if_renewed(task)
            else:
                places[task.owner_id, task.type] += 1
                is_running = places[task.owner_id, task.type] <= knobs.running_tasks
                self._place(task, is_running and not task.is_paused, now)
        return bool(tasks)

    # --- pauses

    def _pause(self, tasks: list[Task]) -> None:
        """Bring ``is_paused`` of the tasks in line with the rules of now."""
        for task in tasks:
            is_paused = is_task_paused(task)
            if is_paused and not task.is_paused:
                self._pause_one(task)
            elif task.is_paused and not is_paused:
                self._unpause_one(task)

    def _pause_one(self, task: Task) -> None:
        """A running attempt stops; the task is kept for as long as the knob says."""
        with self._changed:
            self._paused.add(task.pk)
        rules = [rule for found in rules_of_task(task).values() for rule in found]
        words = rules[0].message if rules else task.admin_message
        task.is_paused = True
        task.deadline_at = clock.now() + knobs.paused_deadline_seconds
        self._progress_of(task).deadline_at = task.deadline_at
        Task.objects.filter(pk=task.pk).update(
            is_paused=True,
            nice_status="PAUSED",
            nice_status_details=words,
            deadline_at=task.deadline_at,
        )
        _event(task.pk, "PAUSED", "paused", words)

    def _unpause_one(self, task: Task) -> None:
        with self._changed:
            self._paused.discard(task.pk)
        task.is_paused = False
        task.nice_status = "Queued"
        task.deadline_at = clock.now() + knobs.deadline_seconds
        self._next_try.pop(task.pk, None)
        Task.objects.filter(pk=task.pk).update(
            is_paused=False,
            nice_status="Queued",
            nice_status_details="",
            deadline_at=task.deadline_at,
        )
        _event(task.pk, "UNPAUSED", "unpaused", "")

    # --- credentials

    def _deactivate(self, task_id: str, failure: TransferFailure) -> None:
        Task.objects.filter(pk=task_id, status="ACTIVE").update(
            status="INACTIVE",
            nice_status=knobs.credentials_nice_status,
            nice_status_details=failure.message,
        )
        _event(task_id, "AUTH", "auth", failure.message, is_error=True)

    def _resume_if_renewed(self, task: Task) -> None:
        """ACTIVE again once the owner has consented or signed in anew."""
        session = _renewed(task)
        if session is not None:
            Task.objects.filter(pk=task.pk, status="INACTIVE").update(
                status="ACTIVE",
                nice_status="Queued",
                nice_status_details="",
                session=session or None,
            )
            self._next_try.pop(task.pk, None)
            self.wake()

    def _place(self, task: Task, is_running: bool, now: float) -> None:
        """Let a task run, or wait in the queue."""
        if not is_running:
            return
        if task.nice_status == "Queued":
            Task.objects.filter(pk=task.pk).update(nice_status="OK")
        if knobs.hold_tasks or self._next_try.get(task.pk, 0.0) > now:
            return
        assert self._pool is not None
        with self._changed:
            self._attempting.add(task.pk)
        self._pool.submit(self._attempt, task.pk)

    # --- the pool's threads

    def _attempt(self, task_id: str) -> None:
        try:
            self._try(task_id)
        except Stopped:
            pass  # the scheduler ends what was cancelled or expired, a start the rest
        except Exception:
            # The task shows it as a fault and is tried again, or it would hang.
            log.exception("Task %s met an error", task_id)
            self._note_faults(task_id, [Fault("INTERNAL_ERROR", "See the log")])
        finally:
            with self._changed:
                self._attempting.discard(task_id)
                self._is_woken = True
                self._changed.notify_all()

    def _try(self, task_id: str) -> None:
        task = (
            Task.objects.select_related("owner", "session")
            .filter(pk=task_id, status="ACTIVE")
            .first()
        )
        if task is None:
            return  # it ended after the scheduler had read that it was ACTIVE
        progress = self._progress_of(task)
        self._note_start(task)
        faults: list[Fault] = []
        cancelled, paused, stopping = self._cancelled, self._paused, self._stopping

        def check_stop() -> None:
            if (
                clock.now() >= progress.deadline_at
                or task_id in cancelled
                or task_id in paused
                or stopping.is_set()
            ):
                raise Stopped

        def report(fault: Fault) -> None:
            faults.append(fault)

        run = TransferRun if task.type == "TRANSFER" else DeleteRun
        try:
            run(task, progress, check_stop, report).run()
        except CredentialsExpired as expired:
            self._deactivate(task_id, expired.failure)
            return
        except Fatal as fatal:
            self._finish(task_id, "FAILED", fatal.code, fatal.description)
            return
        # A corrupted copy that was put right is a fault, but nothing is left to do.
        open_faults = [one for one in faults if not _is_mended(one, progress)]
        self._note_faults(task_id, faults, is_left=bool(open_faults))
        if not open_faults:
            self._finish(task_id, "SUCCEEDED")

    def _progress_of(self, task: Task) -> Progress:
        progress = self._progress.get(task.pk)
        if progress is None:
            progress = self._progress[task.pk] = Progress(
                task.pk,
                faults=task.faults,
                deadline_at=task.deadline_at,
                may_extend=task.type == "TRANSFER" and not task.has_own_deadline,
            )
        return progress

    def _note_start(self, task: Task) -> None:
        if task.events.filter(code="STARTED").exists():
            return
        details = {"type": "GridFTP Transfer", "concurrency": 4, "parallelism": 4}
        _event(task.pk, "STARTED", "started", json.dumps({**details, "pipelining": 20}))

    def _note_faults(
        self, task_id: str, faults: list[Fault], *, is_left: bool = True
    ) -> None:
        if not faults:
            return
        progress = self._progress.get(task_id)
        if progress is not None:
            progress.faults += len(faults)
            progress.retrying = len(faults) if is_left else 0
            progress.write(always=True)
        for fault in faults:
            words = fault.code.replace("_", " ").lower()
            _event(task_id, fault.code, words, fault.details, is_error=True)
        if is_left:
            self._next_try[task_id] = clock.now() + knobs.retry_seconds
            Task.objects.filter(pk=task_id, status="ACTIVE", is_paused=False).update(
                nice_status=faults[-1].code, nice_status_details=faults[-1].details
            )

    # --- ends

    def _finish_cancelled(self, task: Task) -> None:
        who = "an administrator" if task.canceled_by_admin else "its owner"
        self._finish(task.pk, "FAILED", "CANCELED", f"The task was canceled by {who}")

    def _expire(self, task_id: str) -> None:
        self._finish(task_id, "FAILED", "EXPIRED", "deadline expired")

    def _finish(
        self, task_id: str, status: str, code: str = "", description: str = ""
    ) -> None:
        """Write a task's end, its details first: whoever sees the end sees all."""
        progress = self._progress.pop(task_id, None) or Progress(task_id)
        self._next_try.pop(task_id, None)
        progress.retrying = 0
        progress.write_details()
        if status == "SUCCEEDED":
            _progress_event(progress)
            _event(task_id, "SUCCEEDED", "succeeded", _totals(progress))
        else:
            _event(
                task_id, code, code.lower(), description, is_error=code != "CANCELED"
            )
        has_counted = progress.seen or progress.files or progress.symlinks
        values = progress.counters() if has_counted else {}
        values["subtasks_retrying"] = 0
        total = values.get("subtasks_total", 1)
        settled = values.get("subtasks_succeeded", 0) + len(progress.skips)
        column = {
            "SUCCEEDED": "subtasks_succeeded",
            "CANCELED": "subtasks_canceled",
            "EXPIRED": "subtasks_expired",
        }.get(code or status, "subtasks_failed")
        values[column] = values.get(column, 0) + max(0, total - settled)
        Task.objects.filter(pk=task_id).update(
            **values,
            status=status,
            completed_at=clock.now(),
            is_paused=False,
            is_held=False,
            nice_status="",
            nice_status_details="",
            fatal_error={"code": code, "description": description} if code else None,
        )
        with self._changed:
            self._cancelled.discard(task_id)
            self._paused.discard(task_id)
            self._changed.notify_all()


def _is_mended(fault: Fault, progress: Progress) -> bool:
    """A VERIFY_CHECKSUM fault whose file arrived whole in a later try."""
    if fault.code != "VERIFY_CHECKSUM":
        return False
    path = fault.details.removeprefix("Path: ")
    return any(one[2] == path for one in progress.successes)


def _renewed(task: Task) -> BrowserSession | str | None:
    """A session with which the task's collections can be used now.

    "" stands for none, which is how client identities act; None is that nothing
    helps yet.
    """
    ends = [one for one in (task.source_id, task.destination_id) if one]
    newer = BrowserSession.objects.order_by("-created_at")
    own = Caller.of_task(task).identity_ids
    sessions = [task.session] + [one for one in newer if own & set(one.authentications)]
    for session in sessions:
        caller = Caller(task.owner, task.client_id, session, timer_id=task.timer_id)
        try:
            for end in ends:
                usable_collection(caller, end)
        except TransferFailure as failure:
            if failure.code in RENEWABLE:
                continue
        return session or ""
    return None


def _event(
    task_id: str, code: str, description: str, details: str, *, is_error: bool = False
) -> None:
    TaskEvent.objects.create(
        task_id=task_id,
        code=code,
        is_error=is_error,
        description=description,
        details=details,
        time=clock.now(),
    )


def _progress_event(progress: Progress) -> None:
    if progress.bytes_transferred:
        details = {"bytes_transferred": progress.bytes_transferred}
        _event(progress.task_id, "PROGRESS", "progress", json.dumps(details))


def _totals(progress: Progress) -> str:
    return json.dumps(
        {
            "files_succeeded": progress.files_transferred + progress.files_skipped,
            "bytes_transferred": progress.bytes_transferred,
        }
    )


engine = Engine()
