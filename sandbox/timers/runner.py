"""The thread that lets timers run, on the virtual clock.

Ticks that a jump of the clock passed over are all run, one after the other: in the
time that was jumped they would have been. A tick is skipped, and not counted, when
the task of the tick before has not ended and will not by itself. A submission that
fails is tried again for 45 minutes or half an interval, and an owner's timers
together run once a minute (globus-services.md section 5).
"""

import logging
import threading
import time
import uuid
from typing import Any

from django.db import connection
from django.db.models import Max

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import Task, Timer, TimerRun
from sandbox.timers.consents import missing
from sandbox.timers.documents import schedule_of
from sandbox.transfer.callers import Caller
from sandbox.transfer.engine import engine
from sandbox.transfer.errors import TransferFailure
from sandbox.transfer.submission import submit_transfer

log = logging.getLogger(__name__)

#: seconds between two looks while a timer waits, and otherwise
BUSY_TICK = 0.05
IDLE_TICK = 2.0
#: real seconds that a tick which is due waits for the run before it to end
PATIENCE = 20.0


class Runner:
    """Start and stop it once; ``wake()`` when a timer or the clock has changed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_woken = False
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        #: per task that a tick waited for: since when, in real time
        self._awaited: dict[str, float] = {}

    def start(self) -> None:
        self._is_stopping = False
        self._thread = threading.Thread(target=self._loop, name="timers")
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self.wake()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._awaited.clear()

    def wake(self) -> None:
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def _loop(self) -> None:
        while not self._is_stopping:
            try:
                is_waiting = self._tick()
            except Exception:
                # The thread must outlive a surprise, or no timer would run again.
                log.exception("The timers met an error")
                is_waiting = True
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_woken, BUSY_TICK if is_waiting else IDLE_TICK
                )
                self._is_woken = False
        connection.close()

    def _tick(self) -> bool:
        """Run what is due. True if any timer waits for the clock."""
        waiting = Timer.objects.filter(
            status__in=("new", "active"), next_run_at__isnull=False
        )
        is_waiting = False
        for timer in waiting.select_related("owner", "session"):
            is_waiting = True
            if _due_at(timer) <= clock.now() and _turn(timer) <= clock.now():
                self._due(timer)
            elif timer.status == "new":
                Timer.objects.filter(pk=timer.pk, status="new").update(status="active")
        return is_waiting

    def _due(self, timer: Timer) -> None:
        assert timer.next_run_at is not None
        match self._last_run(timer):
            case "running":
                return
            case "stuck":
                self._move_on(timer, {})
            case _:
                self._run(timer)

    def _last_run(self, timer: Timer) -> str:
        """``running`` will end soon, ``stuck`` will not, ``""`` has ended."""
        last = timer.runs.order_by("-pk").first()
        if last is None or not last.task_id:
            return ""
        task = Task.objects.filter(pk=last.task_id, completed_at=None).first()
        if task is None or engine.is_at_rest(task):
            self._awaited.pop(last.task_id, None)
            return "stuck" if task else ""
        # Since the tick is due, not since the task began: a jump of the clock makes
        # a tick due whenever somebody likes, and the task may have begun long ago.
        since = self._awaited.setdefault(last.task_id, time.monotonic())
        return "running" if time.monotonic() - since < PATIENCE else "stuck"

    def _run(self, timer: Timer) -> None:
        if lacking := missing(timer.client_id, timer.owner, timer.body):
            self._deactivate(timer, lacking)
            return
        turn, now = _turn(timer), clock.now()
        task_id, error = _submit(timer)
        TimerRun.objects.create(
            timer=timer, ran_at=now, turn_at=turn, task_id=task_id, error=error
        )
        counted = {"last_ran_at": now, "n_errors": timer.n_errors + bool(error)}
        if error and (retry_at := _next_try(timer, turn)) is not None:
            values = {**counted, "tries": timer.tries + 1, "retry_at": retry_at}
            Timer.objects.filter(pk=timer.pk).update(**values)
            return
        self._move_on(
            timer,
            {**counted, "n_runs": timer.n_runs + 1, "tries": 0, "retry_at": None},
        )

    def _deactivate(self, timer: Timer, requirements: dict[str, Any]) -> None:
        reason = {"cause": "globus_auth_requirements", "detail": requirements}
        Timer.objects.filter(pk=timer.pk, status__in=("new", "active")).update(
            status="inactive", inactive_reason=reason, next_run_at=None
        )

    def _move_on(self, timer: Timer, values: dict[str, Any]) -> None:
        """To the next tick, unless somebody paused the timer meanwhile."""
        assert timer.next_run_at is not None
        schedule = schedule_of(timer)
        passed = timer.next_run_at
        if not knobs.timer_catch_up:
            passed = max(passed, clock.now())
        tick = schedule.next_after(passed)
        if schedule.is_over(values.get("n_runs", timer.n_runs)):
            tick = None
        status = "ended" if tick is None else "active"
        running = Timer.objects.filter(pk=timer.pk, status__in=("new", "active"))
        if not running.update(**values, next_run_at=tick, status=status) and values:
            Timer.objects.filter(pk=timer.pk).update(**values)


def _due_at(timer: Timer) -> float:
    assert timer.next_run_at is not None
    return timer.next_run_at if timer.retry_at is None else timer.retry_at


def _turn(timer: Timer) -> float:
    """When a waiting timer runs: at its tick or its next try, but not within a
    minute of another run of its owner."""
    due = _due_at(timer)
    if not knobs.timer_runs_per_minute:
        return due
    last = TimerRun.objects.filter(timer__owner=timer.owner_id).aggregate(
        at=Max("turn_at")
    )["at"]
    return due if last is None else max(due, last + 60 / knobs.timer_runs_per_minute)


def _next_try(timer: Timer, turn: float) -> float | None:
    """When a submission that failed is tried again; None is not any more."""
    assert timer.next_run_at is not None
    limit = float(knobs.timer_retry_limit_seconds)
    interval = schedule_of(timer).interval
    if interval is not None:
        limit = min(limit, interval / 2)
    again = turn + max(1, knobs.timer_retry_seconds) * 2**timer.tries
    return again if again <= timer.next_run_at + limit else None


def _submit(timer: Timer) -> tuple[str, str]:
    """``(task id, error)`` of one run."""
    caller = Caller(timer.owner, timer.client_id, timer.session, timer_id=timer.pk)
    label = timer.body.get("label") or timer.name
    document = {
        "DATA_TYPE": "transfer",
        **timer.body,
        "label": f"{label[:100].strip()}, run {timer.n_runs + 1}",
        "submission_id": str(uuid.uuid4()),
    }
    try:
        return submit_transfer(caller, document)["task_id"], ""
    except TransferFailure as failure:
        return "", f"{failure.code}: {failure.message}"


runner = Runner()
