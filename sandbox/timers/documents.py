"""A timer in its two shapes: of ``/v2/timer`` and of the older ``/jobs``."""

from typing import Any

from sandbox import clock, scopes
from sandbox.models import Task, Timer, TimerRun
from sandbox.timers import schedules
from sandbox.timers.schedules import Schedule
from sandbox.transfer.tasks import task_document

CALLBACK_URL = "https://actions.automate.globus.org/transfer/transfer/run"
MOST_RESULTS = 25


def schedule_of(timer: Timer) -> Schedule:
    """The stored schedule; its start was settled when the timer was made."""
    stored = timer.schedule
    end = stored.get("end") or {}
    until = end.get("datetime")
    return Schedule(
        timer.first_run_at,
        stored.get("interval_seconds"),
        end.get("count"),
        None if until is None else schedules.moment(until, []),
    )


def timer_document(timer: Timer) -> dict[str, Any]:
    return {
        "job_id": timer.pk,
        "name": timer.name,
        "timer_type": timer.timer_type,
        "schedule": timer.schedule,
        "status": timer.status,
        "submitted_at": clock.iso(timer.submitted_at),
        "last_ran_at": clock.iso_or_none(timer.last_ran_at),
        "next_run": clock.iso_or_none(timer.next_run_at),
        "number_of_runs": timer.n_runs,
        "number_of_errors": timer.n_errors,
        "inactive_reason": timer.inactive_reason,
        "body": timer.body,
    }


def job_document(timer: Timer) -> dict[str, Any]:
    schedule = schedule_of(timer)
    return {
        "job_id": timer.pk,
        "name": timer.name,
        "start": clock.iso(schedule.start),
        "stop_after": _stop_after(schedule),
        "interval": schedule.interval,
        "callback_url": CALLBACK_URL,
        "callback_body": {"body": timer.body},
        "scope": scopes.TRANSFER_ALL,
        "status": timer.status,
        "inactive_reason": timer.inactive_reason,
        "submitted_at": clock.iso(timer.submitted_at),
        "last_ran_at": clock.iso_or_none(timer.last_ran_at),
        "next_run": clock.iso_or_none(timer.next_run_at),
        "n_runs": timer.n_runs,
        "n_errors": timer.n_errors,
        "results": _results(timer),
        "schedule": timer.schedule,
        "timer_type": timer.timer_type,
        "activity": _activity(timer),
    }


def _stop_after(schedule: Schedule) -> dict[str, Any] | None:
    if schedule.interval is None:
        return {"date": None, "n_runs": 1}
    if schedule.count is None and schedule.until is None:
        return None
    return {
        "date": clock.iso_or_none(schedule.until),
        "n_runs": schedule.count,
    }


def _activity(timer: Timer) -> dict[str, Any] | None:
    if timer.status in ("ended", "deleted"):
        return None
    if timer.status == "inactive":
        return {"code": "paused"}
    last = timer.runs.order_by("-pk").first()
    if timer.retry_at is not None and last:
        return {"code": "retrying", "start_timestamp": clock.iso(last.ran_at)}
    if last and Task.objects.filter(pk=last.task_id, completed_at=None).exists():
        return {"code": "run_in_progress", "start_timestamp": clock.iso(last.ran_at)}
    return {
        "code": "awaiting_next_run",
        "next_run": clock.iso_or_none(timer.next_run_at),
    }


def _results(timer: Timer) -> dict[str, Any]:
    runs = list(timer.runs.order_by("-pk")[:MOST_RESULTS])
    tasks = Task.objects.select_related("owner").in_bulk(
        [run.task_id for run in runs if run.task_id]
    )
    return {
        "data": [_result(timer, run, tasks.get(run.task_id)) for run in runs],
        "page_next": None,
    }


def _result(timer: Timer, run: TimerRun, task: Task | None) -> dict[str, Any]:
    return {
        "end_time": clock.iso_or_none(task.completed_at) if task else None,
        "ran_at": clock.iso(run.ran_at),
        "run_id": str(run.pk),
        "status": 200 if task else 400,
        "data": {
            "action_id": run.task_id or None,
            "creator_id": f"urn:globus:auth:identity:{timer.owner_id}",
            "status": task.status if task else "FAILED",
            "display_status": task.status if task else "FAILED",
            "details": task_document(task) if task else {"error": run.error},
            "label": task.label if task else None,
        },
    }
