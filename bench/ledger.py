"""Schedulers that are killed at random leave one row for each due time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.figures import Figure
from bench.portal import portal

if TYPE_CHECKING:
    from transfers.jobs.models import Job

SCHEDULERS = 5
SCHEDULES = int(os.environ.get("BENCH_SCHEDULES", "1000"))
TICKS = int(os.environ.get("BENCH_TICKS", "60"))
#: schedules of the baseline, each due once
BASELINE = 50
#: the first minute; schedulers live in a virtual hour
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
GIVE_UP_SECONDS = int(os.environ.get("BENCH_GIVE_UP", "1800"))


def ledger() -> Iterator[Figure]:
    with portal():
        make_schedules(SCHEDULES)
        began = time.monotonic()
        kills = run_schedulers()
        seconds = time.monotonic() - began
        yield counted(kills, seconds, _two_beats())


def _two_beats() -> int:
    """What two of the named alternative send, without any mishap."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.two_beats", str(BASELINE)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1])


def make_schedules(count: int) -> None:
    """Every minute, a job for each."""
    from transfers.jobs.models import Schedule

    Schedule.objects.bulk_create(
        [
            Schedule(
                job=job, cron="* * * * *", next_run_at=BEGIN + timedelta(minutes=1)
            )
            for job in make_jobs(count)
        ],
        batch_size=2000,
    )


def make_jobs(count: int, **fields: Any) -> list[Job]:
    from tests.factories import make_service_account
    from transfers.jobs.models import Job

    account = fields.pop("service_account", None) or make_service_account()
    defaults = {
        "kind": Job.Kind.LIST,
        "service_account": account,
        "owner": account.owner,
        "source_collection": "a09f914b-7c8e-55c2-925d-98c69f4b4ca9",
        "overlap_policy": "allow",
        "missed_policy": "all",
        "missed_most": 1000,
    }
    return Job.objects.bulk_create(
        [Job(name=f"job {uuid.uuid4()}", **defaults | fields) for _ in range(count)],
        batch_size=2000,
    )


def run_schedulers() -> int:
    """Keeps five of them alive until the hour is over.

    :returns: how many were killed
    """
    from transfers.jobs.models import Schedule

    kills = 0
    living: list[subprocess.Popen[bytes]] = []
    limit = time.monotonic() + GIVE_UP_SECONDS
    end = BEGIN + timedelta(minutes=TICKS)
    command = [sys.executable, "-m", "bench.scheduler", BEGIN.isoformat(), str(TICKS)]
    while Schedule.objects.filter(next_run_at__lte=end).exists():
        if time.monotonic() > limit:
            break
        for process in [*living]:
            if process.poll() is not None:
                living.remove(process)
                kills += process.returncode == -signal.SIGKILL
        while len(living) < SCHEDULERS:
            living.append(subprocess.Popen(command))
        time.sleep(0.05)
    for process in living:
        process.kill()
        process.wait()
    return kills


def counted(kills: int, seconds: float, theirs: int) -> Figure:
    from django.db.models import Count

    from transfers.jobs.models import Run, RunStep

    wanted = SCHEDULES * TICKS
    rows = Run.objects.count()
    pairs = Run.objects.values("job", "scheduled_for").distinct().count()
    by_job = Run.objects.values("job").annotate(found=Count("pk"))
    whole = sum(each["found"] == TICKS for each in by_job)
    steps = RunStep.objects.count()
    met = rows == pairs == steps == wanted and whole == SCHEDULES
    return Figure(
        f"{SCHEDULERS} schedulers, {SCHEDULES:,} schedules, {TICKS} ticks, "
        f"{kills} killed",
        f"{rows:,} rows, {wanted - pairs:,} missing, {rows - pairs:,} twice, in "
        f"{seconds:.0f} s",
        f"two of django-celery-beat: {theirs} messages for {BASELINE} due times",
        rows / wanted,
        f"exactly {wanted:,}",
        met,
    )
