"""One owner with thousands of waiting runs beside ten owners with a few each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bench.figures import Figure
from bench.ledger import make_jobs
from bench.portal import portal

if TYPE_CHECKING:
    from accounts.models import User

MANY = int(os.environ.get("BENCH_MANY", "5000"))
FEW = 10
OWNERS = 10
#: what one service takes in both lines; only the ratio matters
WORKERS = 8


def fairness() -> Iterator[Figure]:
    with portal():
        from django.utils import timezone

        from tests.factories import make_service_account, make_user
        from transfers.jobs.models import Run

        account = make_service_account()
        people = [make_user(name=f"Small {number}") for number in range(OWNERS)]
        now = timezone.now()
        _ask(people, FEW, account, now)
        alone = _waits({person.pk for person in people})
        Run.objects.all().delete()
        _ask([make_user(name="Large")], MANY, account, now)
        _ask(people, FEW, account, now)
        beside = _waits({person.pk for person in people})
        yield Figure(
            f"{OWNERS} owners with {FEW} runs beside one with {MANY:,}, "
            "95th percentile of their wait",
            f"after {beside} services",
            f"first come, first served: after {(MANY + OWNERS * FEW) * 95 // 100:,}; "
            f"alone: after {alone}",
            beside / alone,
            "≤ 2 × alone",
            beside <= 2 * alone,
        )


def _ask(people: list[User], count: int, account: object, now: datetime) -> None:
    from transfers.jobs.making import new_run
    from transfers.jobs.models import Run
    from transfers.jobs.storing import store

    for person in people:
        (job,) = make_jobs(1, service_account=account, owner=person)
        runs = [new_run(job, now=now, trigger=Run.Trigger.HAND) for _ in range(count)]
        store(runs, now)


def _waits(watched: set[UUID]) -> int:
    """How many runs were taken before nearly all of the watched ones were."""
    from transfers.jobs import claiming
    from transfers.jobs.models import Run
    from transfers.jobs.states import advance

    left = Run.objects.filter(job__owner__in=watched, state="waiting").count()
    places: list[int] = []
    served = 0
    in_hand: list[Run] = []
    while len(places) < left:
        while len(in_hand) < WORKERS and (run := claiming.take()):
            in_hand.append(run)
            served += 1
            if run.job.owner_id in watched:
                places.append(served)
        advance(in_hand.pop(0), Run.State.SUCCEEDED, says="")
    return sorted(places)[len(places) * 95 // 100 - 1]
