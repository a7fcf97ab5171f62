"""Everything that may be lost is lost, and every due time is accounted for."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.ledger import make_jobs
from bench.portal import portal

if TYPE_CHECKING:
    from datetime import datetime

    from tests.stack import Stack

JOBS = int(os.environ.get("BENCH_JOBS", "20"))
#: how often each message is delivered
DELIVERED = 10
WORKERS = 4
ROUNDS = 40


def chaos() -> Iterator[Figure]:
    with portal() as stack:
        yield _Chaos(stack).run()


class _Chaos:
    """A virtual hour, three hours ago, with real workers' functions in threads."""

    def __init__(self, stack: Stack) -> None:
        import redis
        from django.conf import settings
        from django.utils import timezone

        from sandbox import seed

        self.stack = stack
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
        self.minutes(2, mishap=self.lose_connections)
        self.now += timedelta(minutes=10)  # no beat at all
        self.minutes(1)
        self.tick(self.now + timedelta(hours=1))  # a clock that is fast, and one slow
        self.tick(self.now - timedelta(hours=1))
        self.minutes(2)
        self.finish()
        return self.figure()

    def minutes(
        self, count: int, *, mishap: Callable[[], object] | None = None
    ) -> None:
        for _ in range(count):
            self.now += timedelta(minutes=1)
            beats = [
                threading.Thread(target=self.tick, args=[self.now]) for _ in range(2)
            ]
            for beat in beats:
                beat.start()
            if mishap is not None:
                mishap()
            for beat in beats:
                beat.join()
            if mishap is not None:
                mishap()
            self.work()

    def tick(self, now: datetime) -> None:
        from django.db import Error, connection

        from transfers.jobs.ledger import fire_due

        with suppress(Error):  # the next tick comes
            fire_due(now=now)
        connection.close()

    def lose_connections(self) -> None:
        """What a restart of PostgreSQL does to whoever is connected."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def work(self) -> None:
        """Delivers what is in the queue, each message ten times."""
        raws = self.redis.lrange("celery", 0, -1)
        self.redis.delete("celery")
        hints = [hint for raw in raws if (hint := _hint(raw))] * DELIVERED
        pending = iter(hints)
        lock = threading.Lock()

        def worker() -> None:
            from django.db import Error, connection

            from transfers import tasks

            while True:
                with lock:
                    hint = next(pending, None)
                if hint is None:
                    break
                with suppress(Error):
                    tasks.execute_run(hint)
            connection.close()

        threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def finish(self) -> None:
        from django.utils import timezone

        from transfers import sweeping
        from transfers.jobs.models import Run

        later = timezone.now()
        for _ in range(ROUNDS):
            if not Run.objects.unfinished().exists():
                return
            later += timedelta(minutes=2)
            sweeping.sweep(now=later)
            self.work()

    def figure(self) -> Figure:
        from transfers.jobs.models import Run, Schedule

        ends = Schedule.objects.values_list("next_run_at", flat=True)
        wanted = sum(
            int((end - self.begin).total_seconds()) // 60 - 1 for end in ends if end
        )
        runs = Run.objects.all()
        states = Counter(runs.values_list("state", flat=True))
        silent = runs.filter(says="").count()
        listings = len(self.stack.sandbox.requests("*/ls"))
        missing = wanted - runs.count()
        twice = listings - states["succeeded"]
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        ended = {"succeeded", "skipped"}
        return Figure(
            "Redis wiped, connections cut, two beats, none for ten minutes, clock "
            "± 1 h, each message ten times",
            f"{told}; {missing} missing, {twice} twice, {silent} without a reason",
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
