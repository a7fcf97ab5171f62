"""Everything that may be lost is lost, and every due time is accounted for."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import redis

from bench.figures import Figure
from bench.ledger import make_jobs
from bench.portal import portal

if TYPE_CHECKING:
    from datetime import datetime

    from tests.stack import Stack

JOBS = int(os.environ.get("BENCH_JOBS", "20"))
#: how often each message is delivered, at once
DELIVERED = 10
ROUNDS = 60
#: so that the servers go while something is under way
RESTART_AFTER_SECONDS = 0.2


def chaos() -> Iterator[Figure]:
    with portal(durable=True) as stack:
        yield _Chaos(stack).run()


class _Chaos:
    """A virtual hour, three hours ago, with real workers' functions in threads."""

    def __init__(self, stack: Stack) -> None:
        from django.conf import settings
        from django.utils import timezone

        from sandbox import seed

        self.stack = stack
        self.restarts = 0
        self.interrupted = 0
        self.redis = redis.Redis.from_url(settings.REDIS_URL)
        begin = timezone.now() - timedelta(hours=3)
        self.now = begin.replace(second=0, microsecond=0)
        self.begin = self.now
        self.jobs = make_jobs(
            JOBS, source_collection=seed.HARVEST, source_path="/sensors/"
        )

    def run(self) -> Figure:
        from transfers.jobs.models import Job, Schedule

        # One in three makes up for what was missed with a single run.
        once = [job.pk for job in self.jobs[::3]]
        Job.objects.filter(pk__in=once).update(missed_policy="once")
        Schedule.objects.bulk_create(
            Schedule(
                job=job, cron="* * * * *", next_run_at=self.now + timedelta(minutes=1)
            )
            for job in self.jobs
        )
        self.minutes(2)
        self.minutes(2, mishap=self.redis.flushall)
        self.minutes(1, mishap=self.restart)
        self.minutes(2, while_they_work=self.restart)
        self.now += timedelta(minutes=10)  # no beat at all
        self.minutes(1)
        self.tick(self.now + timedelta(hours=1))  # a clock that is fast, and one slow
        self.tick(self.now - timedelta(hours=1))
        self.minutes(2)
        self.finish()
        return self.figure()

    def minutes(
        self,
        count: int,
        *,
        mishap: Callable[[], object] | None = None,
        while_they_work: Callable[[], object] | None = None,
    ) -> None:
        """Each with two beats.

        :param mishap: what happens while they are at it, and again afterwards
        """
        meanwhile = while_they_work or mishap
        for _ in range(count):
            self.now += timedelta(minutes=1)
            beats = [partial(self.tick, self.now)] * 2
            self.together([*beats, *([mishap] if mishap else [])])
            if while_they_work:
                self.send_again()
            self.together([self.work, *([meanwhile] if meanwhile else [])])
        self.work()

    def send_again(self) -> None:
        """What two sweeps do: the first meets connections from before the restart."""
        from django.db import Error, connection
        from django.utils import timezone

        from transfers import sweeping

        for minutes in (2, 4):
            with suppress(Error):
                sweeping.sweep(now=timezone.now() + timedelta(minutes=minutes))
            with suppress(Error):
                connection.close()

    def together(self, actions: list[Callable[[], object]]) -> None:
        threads = [threading.Thread(target=action) for action in actions]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def tick(self, now: datetime) -> None:
        from django.db import Error, connection

        from transfers.jobs.ledger import fire_due

        with suppress(Error):  # the next tick comes
            fire_due(now=now)
        with suppress(Error):
            connection.close()

    def restart(self) -> None:
        """PostgreSQL really goes, and comes back; Redis with it, and has forgotten."""
        time.sleep(RESTART_AFTER_SECONDS)  # let the others be at it
        self.stack.restart_servers()
        self.restarts += 1

    def work(self) -> None:
        """Delivers what is in the queue, each message ten times at once."""
        try:
            raws = self.redis.lrange("celery", 0, -1)
            self.redis.delete("celery")
        except redis.RedisError:
            return  # it is being restarted; the sweep sends again
        hints = [hint for raw in raws if (hint := _hint(raw))]
        for hint in hints:
            self.together([partial(self.deliver, hint)] * DELIVERED)

    def deliver(self, hint: str) -> None:
        from django.db import Error, connection

        from transfers import tasks

        try:
            tasks.execute_run(hint)
        except Error:  # as a worker that was interrupted: the sweep takes over
            self.interrupted += 1
        finally:
            with suppress(Error):
                connection.close()

    def finish(self) -> None:
        from django.db import Error, connection
        from django.utils import timezone

        from transfers import sweeping
        from transfers.jobs.models import Run

        with suppress(Error):
            connection.close()  # it is from before the restarts
        later = timezone.now()
        for _ in range(ROUNDS):
            if not Run.objects.unfinished().exists():
                return
            later += timedelta(minutes=2)
            with suppress(Error):  # connections from before the restart
                sweeping.sweep(now=later)
            self.work()

    def figure(self) -> Figure:
        from django.db.models import Sum

        from transfers.jobs.models import Run, RunStep, Schedule

        moments = Schedule.objects.values_list("next_run_at", flat=True)
        wanted = sum(
            int((end - self.begin).total_seconds()) // 60 - 1 for end in moments if end
        )
        runs = Run.objects.all()
        states = Counter(runs.values_list("state", flat=True))
        silent = runs.filter(says="").count()
        listings = len(self.stack.sandbox.requests("*/ls"))
        missing = wanted - runs.count()
        # A list whose worker was interrupted is asked for again; nothing else may be.
        attempts = runs.aggregate(found=Sum("attempts"))["found"] or 0
        ends = RunStep.objects.filter(state__in=Run.FINISHED)
        twice = max(0, listings - attempts) + ends.count() - runs.count()
        retaken = attempts - states["succeeded"]
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        ended = {"succeeded", "skipped"}
        return Figure(
            f"Redis wiped, PostgreSQL restarted {self.restarts} times, two beats, none "
            "for ten minutes, clock ± 1 h, each message ten times at once",
            f"{told}; {missing} missing, {twice} twice, {silent} without a reason; "
            f"{self.interrupted} deliveries interrupted, {retaken} runs taken over",
            f"{wanted} due times; Celery alone loses what Redis loses",
            runs.count() / wanted,
            "0 missing, 0 twice, 0 without a reason",
            missing == twice == silent == 0 and set(states) <= ended,
        )


def _hint(raw: bytes | str) -> str:
    envelope = json.loads(raw)
    arguments = json.loads(base64.b64decode(envelope["body"]))[0]
    is_run = envelope["headers"]["task"].endswith("execute_run")
    return arguments[0] if is_run else ""
