"""Watching N tasks of one principal, and a page that watches (performance.md 3, 7)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests

from bench.figures import Figure, interleaved
from bench.portal import portal

if TYPE_CHECKING:
    from accounts.models import User
    from transfers.models import Transfer

#: how many tasks, and how often a round is run
SIZES = ((10, 5), (1000, 5), (10_000, 3))
#: tasks that the loop beside it is run for; for more it would take just as much longer
LOOPED = 1000
POLLS = 10


def monitor() -> Iterator[Figure]:
    with portal(), far_side() as address:
        os.environ["GLOBUS_SDK_SERVICE_URL_TRANSFER"] = address
        for size, rounds in SIZES:
            yield from watching(address, size, rounds)
        yield an_unchanged_poll()


@contextmanager
def far_side() -> Iterator[str]:
    with ExitStack() as cleanup:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.task_far_side"],
            stdout=subprocess.PIPE,
            text=True,
        )
        cleanup.callback(process.wait)
        cleanup.callback(process.kill)
        assert process.stdout is not None
        cleanup.enter_context(process.stdout)
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"


def watching(address: str, size: int, rounds: int) -> Iterator[Figure]:
    person, transfers = at_globus(size)
    requests.post(
        f"{address}tasks", json=[str(each.task_id) for each in transfers], timeout=60
    )
    ours, our_calls = timed(address, lambda: a_round(person), rounds)
    looped = transfers[:LOOPED]
    theirs, their_calls = timed(address, lambda: a_loop(person, looped), 1)
    theirs, their_calls = (each * size / len(looped) for each in (theirs, their_calls))
    goal = -(-size // 1000)
    yield Figure(
        f"{size:,} tasks, calls in a round",
        f"{our_calls:g}",
        f"a call per task: {their_calls:g}",
        our_calls / their_calls,
        f"{goal} calls",
        our_calls == goal,
    )
    yield Figure(
        f"{size:,} tasks, a whole round",
        f"{ours:.2f} s",
        f"a call and a save per task: {theirs:.2f} s",
        ours / theirs,
        "≤ 1/5 at 1,000 and more",
        size < 1000 or ours <= theirs / 5,
    )
    if size == SIZES[-1][0]:
        yield written(transfers)


def at_globus(size: int) -> tuple[User, list[Transfer]]:
    from tests.factories import make_token, make_transfer, make_user
    from transfers.models import Transfer

    person = make_user()
    make_token(person)
    first = make_transfer(person, status="ACTIVE")
    rows = [
        Transfer(
            user=person,
            document=first.document,
            source_id=first.source_id,
            destination_id=first.destination_id,
            status="ACTIVE",
            submission_id=uuid4(),
            task_id=uuid4(),
            sent_at=first.sent_at,
        )
        for _ in range(size - 1)
    ]
    Transfer.objects.bulk_create(rows, batch_size=1000)
    return person, [first, *rows]


def timed(address: str, run: Callable[[], object], times: int) -> tuple[float, float]:
    """``(median seconds, calls)`` of one run."""
    taken, before = [], calls(address)
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), (calls(address) - before) / times


def calls(address: str) -> int:
    return int(requests.get(f"{address}calls", timeout=60).json()["calls"])


def a_round(person: User) -> None:
    from transfers import monitoring

    monitoring.poll(person)


def a_loop(person: User, transfers: list[Transfer]) -> None:
    """What the monitor of a portal without a task list does."""
    from django.utils import timezone

    from accounts.clients import transfer_client
    from portal.globus.transport import WORKER

    client = transfer_client(person, WORKER)
    for each in transfers:
        said: Any = client.get_task(each.task_id or "").data
        each.bytes_transferred = said["bytes_transferred"]
        each.files_transferred = said["files_transferred"]
        each.checked_at = timezone.now()
        each.save(
            update_fields=["bytes_transferred", "files_transferred", "checked_at"]
        )


def written(transfers: list[Transfer]) -> Figure:
    """The rows alone: taken in, written, and a sample of each, without Globus."""
    from django.utils import timezone

    from bench.task_far_side import document
    from transfers.models import Transfer
    from transfers.monitoring import _unfinished
    from transfers.taking_in import take_in
    from transfers.task_list import News

    def ours(moved: int) -> None:
        rows = _unfinished(transfers[0].principal)
        news = News(
            ours={row.task_id: document(str(row.task_id), moved) for row in rows}  # type: ignore[misc]
        )
        start = time.perf_counter()
        take_in(rows, news, timezone.now())
        taken.append(time.perf_counter() - start)

    def theirs() -> float:
        rows = _unfinished(transfers[0].principal)
        start = time.perf_counter()
        for row in rows:
            row.bytes_transferred += 1
        Transfer.objects.bulk_update(
            rows,
            ["bytes_transferred", "files_transferred", "checked_at", "status"],
            batch_size=1000,
        )
        return time.perf_counter() - start

    taken: list[float] = []
    for moved in (101, 102, 103):
        ours(moved)
    seconds, baseline = statistics.median(taken), theirs()
    return Figure(
        f"{len(transfers):,} changed rows written",
        f"{seconds:.2f} s, what changed and a sample each",
        f"bulk_update of four columns: {baseline:.2f} s",
        seconds / baseline,
        "≤ 1 s",
        seconds <= 1,
    )


def an_unchanged_poll() -> Figure:
    from django.test import Client

    from tests.factories import make_transfer, make_user

    person = make_user()
    transfer = make_transfer(person, status="ACTIVE")
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(person, backend="accounts.sign_in.GlobusSignIn")
    address = f"/transfers/{transfer.pk}/progress/"
    etag = browser.get(address)["ETag"]

    def unchanged() -> None:
        answer = browser.get(address, headers={"If-None-Match": etag})
        assert answer.status_code == 304, answer.status_code

    def drawn() -> None:
        assert browser.get(address).status_code == 200

    found = interleaved({"unchanged": unchanged, "drawn": drawn}, rounds=POLLS)
    ours, theirs = found["unchanged"], found["drawn"]
    return Figure(
        "an unchanged poll of a transfer's page",
        str(ours),
        f"the same, drawn: {theirs}",
        ours.median / theirs.median,
        "≤ 3 ms",
        ours.median <= 3,
    )
