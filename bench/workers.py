"""Workers: how many wait at once, how soon they start, what a run costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, interleaved
from bench.ledger import make_jobs
from bench.portal import portal

if TYPE_CHECKING:
    from tests.stack import Stack

WAITS = int(os.environ.get("BENCH_WAITS", "2000"))
RUNS = int(os.environ.get("BENCH_RUNS", "1000"))
IDENTITIES = 10
#: requests that Globus answers one identity in a second
BUDGET = 20
STARTS = 15
BUSY_CALLS = 50
GIVE_UP_SECONDS = 180


@contextmanager
def worker(pool: str, concurrency: int, *more: str, **variables: str) -> Iterator[int]:
    """A Celery worker as a site runs it; gives its process id when it is there."""
    command = [sys.executable, "-m", "celery", "--app", "portal", "worker"]
    command += ["--pool", pool, "--concurrency", str(concurrency), "--loglevel=ERROR"]
    command += ["--without-gossip", "--without-mingle", *more]
    process = subprocess.Popen(
        command, env=os.environ | variables, stdout=subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def until(is_so: Callable[[], bool], *, pause_seconds: float = 0.01) -> float:
    """Seconds until it is so."""
    began = time.perf_counter()
    while not is_so():
        if time.perf_counter() - began > GIVE_UP_SECONDS:
            raise TimeoutError
        time.sleep(pause_seconds)
    return time.perf_counter() - began


def workers() -> Iterator[Figure]:
    with portal():
        ours, our_memory = _rate("threads", 64)
        theirs, their_memory = _rate("prefork", 2)
    yield Figure(
        f"{WAITS:,} jobs that wait 50 ms, threads 64",
        f"{ours:.0f} a second, {our_memory:.0f} MB",
        f"prefork 2: {theirs:.0f} a second, {their_memory:.0f} MB",
        ours / theirs,
        "≥ 11 × the rate, no more memory",
        ours >= 11 * theirs and our_memory <= their_memory,
    )


def _rate(pool: str, concurrency: int) -> tuple[float, float]:
    """Jobs a second, and PSS in MB while it works."""
    import redis
    from django.conf import settings

    from bench.waiting import COUNTER, wait
    from portal.celery import app

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(COUNTER)
    count = WAITS if pool == "threads" else WAITS // 10

    def done() -> int:
        return int(client.get(COUNTER) or 0)

    with worker(pool, concurrency, "--include", "bench.waiting", "-Q", "bench") as pid:
        wait.apply_async(queue="bench")
        until(lambda: done() == 1)
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(count):
                wait.apply_async(queue="bench", producer=producer)
        before = done()
        seconds = until(lambda: done() >= count * 3 // 4)
        rate = (done() - before) / seconds
        memory = _pss(pid)
        until(lambda: done() == count + 1)
    return rate, memory


def _pss(pid: int) -> float:
    """Of a process and its children, shared pages divided by who shares them; MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(own.split()[1]) / 1024 + sum(_pss(int(child)) for child in children)


def busy_seconds(pid: int) -> float:
    """Of the processor, that a process has had: it has the machine not for itself."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latency() -> Iterator[Figure]:
    with portal() as stack:
        yield _run_now(stack)
        yield _thousand()


def _run_now(stack: Stack) -> Figure:
    from tests.factories import make_job, make_service_account
    from transfers.jobs import runs
    from transfers.jobs.models import Run
    from transfers.jobs.states import advance

    job = make_job(make_service_account(), kind="transfer", overlap_policy="allow")
    taken = []
    with worker("threads", 64):
        for number in range(STARTS + 1):
            stack.sandbox.forget_requests()
            began = stack.sandbox.now()
            run = runs.run_now(job, by=None)
            until(lambda: bool(_posts(stack)), pause_seconds=0.02)
            if number:  # the first one waits for the worker to start
                taken.append((_posts(stack)[0]["at"] - began) * 1000)
            until(lambda run=run: _state(run) == "submitted")  # type: ignore[misc]
            run.refresh_from_db()
            advance(run, Run.State.CANCELLED, says="It was for the figure only.")
    median = statistics.median(taken)
    tick = 2500.0
    return Figure(
        "Run now, until the POST at the sandbox, idle worker",
        f"{median:.0f} ms",
        f"left to a tick of 5 s: {tick:.0f} ms on average",
        median / tick,
        "≤ 100 ms median",
        median <= 100,
    )


def _posts(stack: Stack) -> list[dict[str, float]]:
    sent = stack.sandbox.requests("/v0.10/transfer")
    return [each for each in sent if each["method"] == "POST"]


def _state(run: object) -> str:
    run.refresh_from_db(fields=["state"])  # type: ignore[attr-defined]
    return run.state  # type: ignore[attr-defined, no-any-return]


def _thousand() -> Figure:
    from django.db.models.functions import Now

    from transfers.jobs import runs
    from transfers.jobs.ledger import fire_due
    from transfers.jobs.models import Run, Schedule

    Run.objects.all().delete()
    jobs = [
        job
        for account in _accounts()
        for job in make_jobs(RUNS // IDENTITIES, service_account=account)
    ]
    made = Schedule.objects.bulk_create(
        Schedule(job=job, cron="0 3 * * *") for job in jobs
    )
    allowed = RUNS / IDENTITIES / BUDGET
    far_side = subprocess.Popen(
        [sys.executable, "-m", "bench.slow_side"], stdout=subprocess.PIPE, text=True
    )
    assert far_side.stdout is not None
    address = f"http://127.0.0.1:{far_side.stdout.readline().strip()}/"
    variables = {
        "GLOBUS_SDK_SERVICE_URL_TRANSFER": address,
        "PORTAL_REQUESTS_PER_SECOND": str(BUDGET),
    }
    try:
        with (
            worker("threads", 32, **variables) as one,
            worker("threads", 32, **variables) as other,
        ):
            runs.run_now(jobs[0], by=None)
            until(lambda: not Run.objects.unfinished().exists())  # it is there
            Run.objects.all().delete()
            Schedule.objects.filter(pk__in=[each.pk for each in made]).update(
                next_run_at=Now()
            )
            busy_before = busy_seconds(one) + busy_seconds(other)
            began = time.perf_counter()
            fire_due()
            until(lambda: not Run.objects.unfinished().exists(), pause_seconds=0.1)
            seconds = time.perf_counter() - began
            busy = busy_seconds(one) + busy_seconds(other) - busy_before
    finally:
        far_side.kill()
        far_side.wait()
    good = Run.objects.filter(state="succeeded").count()
    return Figure(
        f"{RUNS:,} due lists of a 50 ms call, {IDENTITIES} identities, two workers",
        f"{seconds:.1f} s, {good:,} succeeded, {busy:.1f} s of processor for both",
        f"what the budget of {BUDGET} a second allows: {allowed:.1f} s",
        seconds / allowed,
        "≤ 1.5 ×",
        seconds <= 1.5 * allowed and good == RUNS,
    )


def _accounts() -> list[object]:
    from tests.factories import make_service_account, make_token

    found: list[object] = []
    for _ in range(IDENTITIES):
        account = make_service_account(client_id=uuid.uuid4())
        make_token(account, lasts=timedelta(days=2), refresh_token=None)
        found.append(account)
    return found


def overhead() -> Iterator[Figure]:
    with portal() as stack:
        from accounts.clients import transfer_client
        from portal.globus.transport import WORKER
        from sandbox import seed
        from tests.factories import make_job, make_service_account
        from transfers.jobs import runs

        account = make_service_account()
        job = make_job(account)
        client = transfer_client(account, WORKER)

        def ours() -> None:
            run = runs.run_now(job, by=None)
            runs.execute(run.pk)

        def bare() -> None:
            client.operation_ls(seed.HARVEST, path="/sensors/", show_hidden=True)

        stack.sandbox.forget_requests()
        taken = interleaved({"ours": ours, "bare": bare}, rounds=8)
        more = taken["ours"].median - taken["bare"].median
        busy = {"ours": _busy_ms(ours), "bare": _busy_ms(bare)}
        yield Figure(
            "a run of one call, from Run now to its end",
            f"{taken['ours']}, {busy['ours']:.1f} ms of processor",
            f"the bare call of the SDK {taken['bare']}, {busy['bare']:.1f} ms",
            taken["ours"].median / taken["bare"].median,
            "≤ 20 ms more",
            more <= 20,
        )
        requests = len(stack.sandbox.requests("*/oauth2/token"))
        yield _tokens(stack, requests)


def _busy_ms(call: Callable[[], object]) -> float:
    """Of this process's processor time, for one call."""
    began = time.process_time()
    for _ in range(BUSY_CALLS):
        call()
    return (time.process_time() - began) / BUSY_CALLS * 1000


def _tokens(stack: Stack, ours: int) -> Figure:
    from sandbox import seed

    processes = 5
    stack.sandbox.forget_requests()
    variables = {
        "GLOBUS_CLI_CLIENT_ID": seed.HARVEST_CLIENT_ID,
        "GLOBUS_CLI_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
    }
    for _ in range(processes):
        subprocess.run(
            [sys.executable, "tests/sandbox/scripts/client_app_ls.py"],
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    theirs = len(stack.sandbox.requests("*/oauth2/token"))
    return Figure(
        f"token requests for {168 + BUSY_CALLS} runs",
        str(ours),
        f"{processes} runs of a script with ClientApp: {theirs}",
        ours / theirs,
        "1 for all in a token's life",
        ours <= 1,
    )
