"""A tree of a million entries: what it takes of a worker, and what a kill costs.

Its folders have a thousand entries each, and the worker keeps to the budget of
requests: a million take it a minute. ``BENCH_ENTRIES`` makes the tree smaller, not its
folders.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.portal import portal

if TYPE_CHECKING:
    from tests.stack import Stack
    from transfers.models import Inventory, Job, Run

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "1000000"))
#: entries of a folder, some
FOLDER_ENTRIES = 1000
#: folders in a folder, on two levels: 1,057 in all for a million entries
DIRECTORIES = max(2, round((ENTRIES / FOLDER_ENTRIES) ** 0.5))
#: requests that Globus answers one identity in a second
BUDGET = 20
MOST_MEGABYTES = 150
LONGEST_SECONDS = 3600
PATH = "/million/"


def inventory() -> Iterator[Figure]:
    with portal() as stack, ExitStack() as cleanup:
        workers = Workers(stack, cleanup)
        yield from _figures(stack, workers)


class Workers:
    """Celery workers as a site runs them, one after the other."""

    def __init__(self, stack: Stack, cleanup: ExitStack) -> None:
        self._stack, self._cleanup = stack, cleanup
        self._log = Path(stack.folder) / "workers.log"

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "--app", "portal", "worker"]
        command += ["--pool", "threads", "--concurrency", "8"]
        command += ["--without-gossip", "--without-mingle"]
        variables = {"PORTAL_REQUESTS_PER_SECOND": str(BUDGET)}
        with self._log.open("ab") as log:
            worker = subprocess.Popen(
                command,
                env=os.environ | self._stack.environment | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._cleanup.callback(worker.wait)
        self._cleanup.callback(worker.kill)
        return worker


def peak_megabytes(pid: int) -> float:
    """The most memory that a process has had so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _figures(stack: Stack, workers: Workers) -> Iterator[Figure]:
    from sandbox import seed
    from transfers.jobs import runs
    from transfers.jobs.walking import AT_ONCE

    folders = 1 + DIRECTORIES + DIRECTORIES**2
    files = max(1, round(ENTRIES / folders))
    made = stack.sandbox.generate(
        seed.HARVEST, PATH, files, size=1000, levels=2, directories=DIRECTORIES
    )
    expected = made + folders - 1
    job = _job()
    # Its token, so that a script beside it does not wait for one.
    run = runs.run_now(job, by=None)
    first = workers.start()
    _wait(lambda: _read(run) > folders // 2 or _ended(run))
    peaks = [peak_megabytes(first.pid)]
    first.send_signal(signal.SIGKILL)
    first.wait()
    asked = len(stack.sandbox.requests("/ls"))
    known = _read(run)
    stack.sandbox.forget_requests()

    _take_over()
    second = workers.start()
    began = time.monotonic()
    _wait(lambda: _ended(run))
    walked = time.monotonic() - began
    again = asked + len(stack.sandbox.requests("/ls")) - folders
    found = _inventory(run)
    compared = runs.run_now(job, by=None)
    _wait(lambda: _ended(compared))
    peaks.append(peak_megabytes(second.pid))

    peak = max(peaks)
    naive = _script(stack)
    yield Figure(
        f"memory of the worker for {expected:,} entries, killed, resumed, compared",
        f"{peak:.0f} MB",
        f"a script that keeps what it lists {naive:.0f} MB",
        peak / naive,
        f"≤ {MOST_MEGABYTES} MB",
        peak <= MOST_MEGABYTES,
    )
    yield Figure(
        f"folders listed again after kill -9 at {known} of {folders}",
        f"{again} (the rest took {walked:.0f} s)",
        f"a script that begins anew {known}",
        again / max(1, known),
        f"≤ {AT_ONCE}, those that were being asked for",
        again <= AT_ONCE,
    )
    lost = _lost_or_doubled(found, expected)
    other = _inventory(compared)
    lost += other.new + other.changed + other.gone
    yield Figure(
        "entries lost, doubled, or wrongly called new, changed or gone",
        str(lost),
        f"{expected:,} at the sandbox",
        lost / expected,
        "0",
        lost == 0,
    )
    yield from _pages(other)


def _job() -> Job:
    from tests.factories import make_job

    return make_job(source_path=PATH, recursive=True)


def _read(run: Run) -> int:
    from transfers.models import Inventory

    found = Inventory.objects.filter(run=run).first()
    return found.folders_read if found else 0


def _inventory(run: Run) -> Inventory:
    from transfers.models import Inventory

    return Inventory.objects.get(run=run)


def _ended(run: Run) -> bool:
    run.refresh_from_db()
    if run.is_finished and not run.succeeded:
        raise RuntimeError(run.says)
    return run.is_finished


def _wait(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + LONGEST_SECONDS
    while not is_so():
        if time.monotonic() > limit:
            raise TimeoutError
        time.sleep(0.2)


def _take_over() -> None:
    """The sweep of two minutes later."""
    from django.utils import timezone

    from transfers.claims import CLAIM_LASTS
    from transfers.sweeping import sweep

    sweep(now=timezone.now() + CLAIM_LASTS + timedelta(seconds=1))


def _lost_or_doubled(found: Inventory, expected: int) -> int:
    from transfers.jobs.settling import rows_in

    counted, wrong, last = 0, 0, ("", "")
    for row in rows_in(found):
        place = row.folder, row.name
        wrong += place <= last
        counted, last = counted + 1, place
    return wrong + abs(expected - counted)


def _script(stack: Stack) -> float:
    """The same tree by a script with the SDK, which keeps the entries in a list."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.keeping_script", PATH],
        env=os.environ | stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _pages(found: Inventory) -> Iterator[Figure]:
    from transfers.jobs import inventories
    from transfers.jobs.inventories import Wish
    from transfers.jobs.settling import rows_in

    began = time.perf_counter()
    rows = sum(1 for _ in rows_in(found))
    everything = (time.perf_counter() - began) * 1000
    last = f"dir-{DIRECTORIES - 1:04d}"
    wishes = {
        "the first page": Wish(),
        "a search for what is not there": Wish(words="no such name"),
        "the largest files": Wish(order="-size"),
        "one folder of many": Wish(folder=f"{PATH}{last}/{last}/"),
    }
    for name, wish in wishes.items():
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            inventories.page(found, wish)
            taken.append((time.perf_counter() - began) * 1000)
        ours = statistics.median(taken)
        yield Figure(
            f"{name} of an inventory of {rows:,} entries",
            f"{ours:.0f} ms",
            f"reading all of it {everything:.0f} ms",
            ours / everything,
            "≤ 1000 ms",
            ours <= 1000,
        )
