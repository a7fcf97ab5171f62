"""A tick with a million schedules, idle and with a thousand due (performance.md 5)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.figures import Figure
from bench.ledger import make_jobs
from bench.portal import portal

SCHEDULES = int(os.environ.get("BENCH_SCHEDULES", "1000000"))
BASELINE = int(os.environ.get("BENCH_BASELINE", "10000"))
DUE = 1000
ROUNDS = 5
TICKS = 500

_FILL = """
INSERT INTO transfers_schedule (id, job_id, kind, cron, rule, zone, excluded_dates,
    blackouts, paused, paused_reason, next_run_at, says, created_at)
SELECT gen_random_uuid(), %s, 'cron', '0 3 * * *', '', 'UTC', '[]', '[]', false, '',
    now() + interval '1 hour' + random() * interval '300 days', '', now()
FROM generate_series(1, %s)
"""


def schedules() -> Iterator[Figure]:
    with portal():
        baseline_idle, baseline_rate = _baseline()
        _fill()
        yield _idle(baseline_idle)
        yield _due(baseline_rate)


def _baseline() -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.beat_baseline", str(BASELINE)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    idle, rate = map(float, done.stdout.split()[-2:])
    return idle, rate


def _fill() -> None:
    from django.db import connection

    (job,) = make_jobs(1)
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [job.pk, SCHEDULES])
        cursor.execute("ANALYZE transfers_schedule")


def _idle(baseline: float) -> Figure:
    from transfers.jobs.ledger import fire_due

    taken = []
    for _ in range(TICKS):
        began = time.perf_counter()
        assert fire_due() == 0
        taken.append((time.perf_counter() - began) * 1000)
    median = statistics.median(taken)
    return Figure(
        f"idle look at {SCHEDULES:,} schedules",
        f"{median:.3f} ms",
        f"django-celery-beat at {BASELINE:,}: {baseline:.1f} ms",
        median / baseline,
        "≤ 0.5 ms",
        median <= 0.5,
    )


def _due(baseline: float) -> Figure:
    from django.db.models.functions import Now

    from accounts.models import ServiceAccount
    from transfers.jobs.ledger import fire_due
    from transfers.jobs.models import Schedule

    account = ServiceAccount.objects.get()
    made = Schedule.objects.bulk_create(
        Schedule(job=job, cron="0 3 * * *", zone="Europe/Berlin")
        for job in make_jobs(DUE, service_account=account)
    )
    rows = Schedule.objects.filter(pk__in=[each.pk for each in made])
    taken = []
    for _ in range(ROUNDS):
        rows.update(next_run_at=Now())
        began = time.perf_counter()
        assert fire_due() == DUE
        taken.append(time.perf_counter() - began)
    seconds = statistics.median(taken)
    theirs = DUE / baseline
    return Figure(
        f"{DUE:,} due of {SCHEDULES:,}: claimed, inserted and sent",
        f"{seconds:.2f} s",
        f"django-celery-beat at {BASELINE:,}: {theirs:.1f} s ({baseline:.0f} a second)",
        seconds / theirs,
        "≤ 1.5 s",
        seconds <= 1.5,
    )
