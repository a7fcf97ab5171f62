"""Tells the people of a job when it fails, recovers, misses, stalls or takes long.

A sweep reads the runs themselves, so that it does not matter who ended one or how.
Each run is looked at once: noting that and putting the messages into the outbox is one
transaction, and their keys are unique. A failure is told when the job begins to fail,
not once more with each run after it; the same goes for due times that are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import (
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.urls import reverse

from accounts import outbox, telling
from accounts.models import OutboxMessage, User
from transfers.jobs.events import EVENTS
from transfers.jobs.models import Job, Run
from transfers.jobs.roles import JobRole
from transfers.templatetags.names import inert_text

#: runs that are looked at in one transaction, and how many of these one sweep makes
BATCH = 500
MOST_BATCHES = 20
_S = Run.State
_TRIED = (_S.SUCCEEDED, _S.SUCCEEDED_WITH_SKIPS, _S.FAILED)


def sweep(now: datetime) -> None:
    """Safe to call at any time, by any number of processes."""
    for _ in range(MOST_BATCHES):
        if tell_of_ends(now) < BATCH:
            break
    tell_of_stalls()
    tell_of_long_runs(now)


def tell_of_ends(now: datetime) -> int:
    """:returns: how many runs were looked at"""
    untold = Run.objects.filter(told_at__isnull=True, state__in=Run.FINISHED)
    if not untold.exists():
        return 0  # nearly always; without a transaction
    with transaction.atomic():
        ended = untold.select_for_update(skip_locked=True, of=("self",))
        found = list(
            _with_job(ended)
            .annotate(
                before=_state_before(_TRIED), before_any=_state_before(Run.FINISHED)
            )
            .order_by("finished_at", "created_at")[:BATCH]
        )
        if found:
            _tell((run, event) for run in found if (event := _event_of_end(run)))
            Run.objects.filter(pk__in=[run.pk for run in found]).update(told_at=now)
    return len(found)


def _state_before(states: Iterable[str]) -> Subquery:
    """The state in which the run of the same job before this one ended."""
    earlier = Run.objects.filter(
        job=OuterRef("job"),
        state__in=list(states),
        created_at__lt=OuterRef("created_at"),
    )
    return Subquery(earlier.order_by("-created_at").values("state")[:1])


def _event_of_end(run: Any) -> str:
    if run.state == _S.FAILED:
        return "" if run.before == _S.FAILED else "failed"
    if run.state == _S.SKIPPED:
        is_due = run.scheduled_for is not None
        return "missed" if is_due and run.before_any != _S.SKIPPED else ""
    if run.succeeded and run.before == _S.FAILED:
        return "recovered"
    return ""


def tell_of_stalls() -> None:
    _tell_once("stalled", Run.objects.filter(state=_S.STALLED))


def tell_of_long_runs(now: datetime) -> None:
    longest = ExpressionWrapper(
        F("job__long_minutes") * Value(timedelta(minutes=1)),
        output_field=DurationField(),
    )
    _tell_once(
        "long",
        Run.objects.filter(
            Q(started_at__lt=now - longest),
            state__in=Run.UNDER_WAY,
            job__long_minutes__isnull=False,
        ),
    )


def _tell_once(event: str, runs: QuerySet[Run]) -> None:
    untold = runs.exclude(told_of__contains=[event])
    if not untold.exists():
        return
    with transaction.atomic():
        found = list(
            _with_job(
                untold.select_for_update(skip_locked=True, of=("self",))
            ).order_by("started_at")[:BATCH]
        )
        _tell((run, event) for run in found)
        for run in found:
            run.told_of = [*run.told_of, event]
        Run.objects.bulk_update(found, ["told_of"])


def _with_job(runs: QuerySet[Run]) -> QuerySet[Run]:
    return runs.defer("inputs", "result").select_related("job__owner", "job__webhook")


def _tell(events: Iterable[tuple[Run, str]]) -> None:
    wanted = [(run, event) for run, event in events if event in run.job.tell_events]
    if not wanted:
        return
    members = _members({run.job_id for run, _ in wanted if run.job.tell_groups})
    outbox.put(
        message
        for run, event in wanted
        for message in _messages(run, event, members.get(run.job_id, []))
    )


def _members(jobs: set[UUID]) -> dict[UUID, list[User]]:
    """``{job: who may run it by way of a group}``, in two queries."""
    if not jobs:
        return {}
    roles = JobRole.objects.filter(Q(can_run=True) | Q(can_edit=True), job__in=jobs)
    pairs = list(roles.values_list("job", "group__user"))
    people = User.objects.filter(is_active=True, is_staff=True).in_bulk(
        {user for _, user in pairs if user}
    )
    found: dict[UUID, list[User]] = {}
    for job, user in pairs:
        if user in people:
            found.setdefault(job, []).append(people[user])
    return found


def _messages(run: Run, event: str, members: list[User]) -> list[OutboxMessage]:
    job = run.job
    people = {user.pk: user for user in members}
    if job.tell_owner:
        people[job.owner.pk] = job.owner
    about = f"run:{run.pk}:{event}"
    subject = EVENTS[event].subject.format(job=inert_text(job.name))
    body = _body(run, event)
    found = [
        OutboxMessage(
            key=f"{about}:user:{pk}",
            user=user,
            subject=subject,
            body=body,
            path=path_of(run),
            payload=payload(run, event),
        )
        for pk, user in people.items()
    ]
    if job.webhook is not None:
        found.append(
            OutboxMessage(
                key=f"{about}:webhook:{job.webhook.pk}",
                webhook=job.webhook,
                subject=subject,
                payload=payload(run, event),
            )
        )
    return found


_WAYS_ON = {
    "failed": "You hear of it again when it works. Look at what happened, and run it "
    "again, here:",
    "recovered": "Nothing needs to be done. The run:",
    "missed": "You hear of it again when a due time is skipped after the next run. "
    "Why, and what came before:",
    "stalled": "It goes on by itself when the cause is gone. Look at it, or stop it, "
    "here:",
    "long": "It goes on. Look at it, or stop it, here:",
}


def _body(run: Run, event: str) -> str:
    lines = [f"{inert_text(run.says)}"]
    if run.scheduled_for:
        lines.append(f"It was due at {run.scheduled_for:%Y-%m-%d %H:%M} UTC.")
    lines.append(f"{_WAYS_ON[event]}\n{link(run)}")
    lines.append(f"Who is told of what is set here:\n{link(run.job)}")
    return "\n\n".join(lines) + "\n"


def payload(run: Run, event: str) -> dict[str, Any]:
    """What a webhook gets, beside the ``id`` of the delivery (docs/jobs.md)."""
    return {
        "event": event,
        "job": {"id": str(run.job_id), "name": run.job.name},
        "run": {
            "id": str(run.pk),
            "state": run.state,
            "says": run.says,
            "scheduled_for": _iso(run.scheduled_for),
            "started_at": _iso(run.started_at),
            "finished_at": _iso(run.finished_at),
            "error_code": run.error_code,
        },
        "link": link(run),
    }


def link(row: Job | Run) -> str:
    return telling.link_to(path_of(row))


def path_of(row: Job | Run) -> str:
    name = "transfers:run" if isinstance(row, Run) else "transfers:job"
    return reverse(name, args=[row.pk])


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
