"""Globus Timers: made at ``/v2/timer``, seen and changed at ``/jobs``."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox import clock, scopes
from sandbox.answers import bearer_token, json_answer, json_body
from sandbox.auth import tokens
from sandbox.models import Identity, Timer, Token
from sandbox.timers import schedules
from sandbox.timers.consents import missing
from sandbox.timers.documents import job_document, schedule_of, timer_document
from sandbox.timers.runner import runner
from sandbox.timers.schedules import Invalid, Schedule
from sandbox.transfer.errors import TransferFailure
from sandbox.transfer.submission import check_transfer
from sandbox.wire import UNEXPECTED

Document = dict[str, Any]
#: what a timer's transfer may not hold; the service fills it in for each run
STRIPPED = ("submission_id", "skip_activation_check")
LONGEST_NAME = 255


class TimersFailure(Exception):
    """``{"error": {code, detail, status}}`` and whatever stands beside it."""

    def __init__(
        self, status: int, code: str, detail: str, more: Document | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.more = more or {}
        super().__init__(f"{code}: {detail}")


def timers_view(operation: Callable[..., Document]) -> Callable[..., HttpResponse]:
    """A view out of ``operation(request, token, …) -> document``."""

    @wraps(operation)
    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        try:
            document = operation(request, _token(request), **parts)
            return json_answer(document, document.pop("HTTP_STATUS", 200))
        except Invalid as err:
            detail = {
                "loc": ["body", *err.where],
                "msg": err.message,
                "type": "value_error",
            }
            return json_answer({"detail": [detail]}, 422)
        except TimersFailure as failure:
            error = {
                "code": failure.code,
                "detail": failure.detail,
                "status": failure.status,
            }
            return json_answer({"error": error, **failure.more}, failure.status)

    return view


def _token(request: HttpRequest) -> Token:
    token = tokens.find_access_token(bearer_token(request), scopes.TIMERS)
    if token is None or scopes.TIMER not in token.scope.split():
        raise TimersFailure(401, "UNAUTHORIZED", "Call must be authenticated")
    return token


def _body(request: HttpRequest) -> Document:
    try:
        return json_body(request) if request.body else {}
    except ValueError as err:
        raise Invalid([], "Not a JSON object") from err


def _identity_ids(token: Token) -> list[str]:
    if token.identity.is_client:
        return [token.identity_id]
    linked = Identity.objects.filter(person=token.identity.person)
    return list(linked.values_list("pk", flat=True))


def _own(token: Token, timer_id: str) -> Timer:
    found = Timer.objects.select_related("owner").filter(
        pk=timer_id.lower(), owner__in=_identity_ids(token)
    )
    timer = found.exclude(status="deleted").first()
    if timer is None:
        raise TimersFailure(404, "NOT_FOUND", f"There is no timer {timer_id}")
    return timer


@timers_view
def create(request: HttpRequest, token: Token) -> Document:
    asked = _body(request).get("timer")
    if not isinstance(asked, dict):
        raise Invalid(["timer"], "field required")
    kind = asked.get("timer_type")
    if kind == "flow":
        raise TimersFailure(501, "NOT_IMPLEMENTED", "The sandbox runs no flows")
    if kind != "transfer":
        raise Invalid(["timer", "timer_type"], "unexpected value")
    schedule = schedules.read(asked.get("schedule"))
    timer = _stored(token, _name(asked), schedule, _transfer(asked.get("body")))
    return {"timer": timer_document(timer), "HTTP_STATUS": 201}


@timers_view
def create_job(request: HttpRequest, token: Token) -> Document:
    """The older form: a callback, a start and an interval."""
    asked = _body(request)
    callback = asked.get("callback_body")
    body = callback.get("body") if isinstance(callback, dict) else None
    interval = asked.get("interval")
    kind = "once" if interval is None else "recurring"
    form = {"type": kind, "interval_seconds": interval}
    form["start" if interval is not None else "datetime"] = asked.get("start")
    if asked.get("stop_after_n") is not None:
        form["end"] = {"count": asked["stop_after_n"]}
    elif asked.get("stop_after") is not None:
        form["end"] = {"datetime": asked["stop_after"]}
    schedule = schedules.read(form)
    timer = _stored(token, _name(asked), schedule, _transfer(body))
    return {**job_document(timer), "HTTP_STATUS": 201}


def _name(asked: Document) -> str:
    name = asked.get("name")
    if name is None:
        return "Untitled timer"
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "\0" in name:
        raise Invalid(["timer", "name"], "str type expected")
    return name


def _transfer(body: Any) -> Document:
    """The transfer that each run submits, checked as Transfer would check it.

    :raises Invalid: Transfer would refuse it
    """
    if not isinstance(body, dict):
        raise Invalid(["timer", "body"], "field required")
    try:
        check_transfer(body)
    except TransferFailure as failure:
        raise Invalid(["timer", "body"], failure.message) from failure
    return {name: value for name, value in body.items() if name not in STRIPPED}


def _stored(token: Token, name: str, schedule: Schedule, body: Document) -> Timer:
    """:raises TimersFailure: the token's consent lacks what the runs will need"""
    if lacking := missing(token.client_id, token.identity, body):
        raise TimersFailure(403, "ConsentRequired", "Missing required consent", lacking)
    now = clock.now()
    timer = Timer.objects.create(
        id=str(uuid.uuid4()),
        owner=token.identity,
        client=token.client,
        session=token.session,
        name=name,
        schedule=schedule.document(),
        body=body,
        submitted_at=now,
        first_run_at=schedule.start,
        # A start that lies back is a run at once, and then the next ticks.
        next_run_at=max(schedule.start, now),
    )
    runner.wake()
    return timer


@timers_view
def jobs(request: HttpRequest, token: Token) -> Document:
    """``order=submitted_at asc``, ``filter_status``, ``filter_name``."""
    found = Timer.objects.filter(owner__in=_identity_ids(token)).exclude(
        status="deleted"
    )
    if statuses := request.GET.get("filter_status"):
        found = found.filter(status__in=statuses.split(","))
    if name := request.GET.get("filter_name"):
        found = found.filter(name__contains=name)
    field, _, direction = request.GET.get("order", "submitted_at asc").partition(" ")
    columns = {"submitted_at": "submitted_at", "name": "name", "status": "status"}
    if field not in columns:
        raise Invalid(["order"], f"cannot order by {field}")
    minus = "-" if direction.strip().lower() == "desc" else ""
    ordered = found.select_related("owner").order_by(f"{minus}{columns[field]}", "pk")
    return {"jobs": [job_document(one) for one in ordered]}


@timers_view
def job(request: HttpRequest, token: Token, timer_id: str) -> Document:
    return job_document(_own(token, timer_id))


@timers_view
def rename(request: HttpRequest, token: Token, timer_id: str) -> Document:
    asked, timer = _body(request), _own(token, timer_id)
    timer.name = _name({"name": timer.name, **asked})
    timer.save(update_fields=["name"])
    return job_document(timer)


@timers_view
def delete(request: HttpRequest, token: Token, timer_id: str) -> Document:
    timer = _own(token, timer_id)
    timer.status, timer.next_run_at = "deleted", None
    timer.save(update_fields=["status", "next_run_at"])
    return job_document(timer)


@timers_view
def pause(request: HttpRequest, token: Token, timer_id: str) -> Document:
    timer = _own(token, timer_id)
    if timer.status == "ended":
        raise TimersFailure(409, "CONFLICT", "The timer has ended")
    timer.status = "inactive"
    timer.inactive_reason = {"cause": "user", "detail": None}
    timer.next_run_at = timer.retry_at = None
    timer.tries = 0
    timer.save(
        update_fields=["status", "inactive_reason", "next_run_at", "retry_at", "tries"]
    )
    return {"message": f"Successfully paused job {timer.pk}."}


@timers_view
def resume(request: HttpRequest, token: Token, timer_id: str) -> Document:
    """``update_credentials`` lets the runs act through the session of now."""
    asked, timer = _body(request), _own(token, timer_id)
    if timer.status == "ended":
        raise TimersFailure(409, "CONFLICT", "The timer has ended")
    if asked.get("update_credentials"):
        timer.client, timer.session = token.client, token.session
    if timer.status == "inactive":
        now, schedule = clock.now(), schedule_of(timer)
        tick = schedule.next_after(now)
        # A single run that was missed while it was paused is made up for.
        is_due = tick is None and schedule.interval is None and timer.n_runs == 0
        timer.next_run_at = now if is_due else tick
        timer.status = "active" if timer.next_run_at is not None else "ended"
        timer.inactive_reason = None
    timer.save()
    runner.wake()
    return {"message": f"Successfully resumed job {timer.pk}."}


@timers_view
def unknown(request: HttpRequest, token: Token, **parts: str) -> Document:
    request.META[UNEXPECTED] = True
    raise TimersFailure(
        404, "NOT_FOUND", f"No route {request.method} {request.get_full_path()}"
    )
