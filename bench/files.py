"""What the files page costs beside Globus itself (performance.md section 2).

The sandbox answers with the latency of a real service; ours is what remains of a page
when the call to it is taken off.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import requests

from bench.figures import Figure
from bench.portal import portal
from sandbox import seed
from tests.stack import Stack

LATENCY_SECONDS = 0.05
FOLDER = 1_000
LARGE = 100_000
ROUNDS = 25
LISTINGS = 100
MEGABYTE = 1_000_000


def files() -> Iterator[Figure]:
    with portal() as stack:
        yield from server_figures(stack)
    if os.environ.get("BENCH_BROWSER", "1") == "1":
        from bench.files_browser import browser_figures

        yield from browser_figures()


def server_figures(stack: Stack) -> Iterator[Figure]:
    from django.test import Client

    from tests.flows import sign_in

    sandbox = stack.sandbox
    sandbox.generate(seed.LAPTOP, "/thousand", FOLDER, 1024)
    sandbox.generate(seed.LAPTOP, "/large", LARGE, 1024)
    browser = Client(headers={"host": "localhost:8000"})
    assert sign_in(browser, sandbox, "ada").status_code == 302
    sandbox.latency("/endpoint/*/ls", LATENCY_SECONDS)
    yield thousand(browser)
    yield connections(browser, sandbox)
    yield from large(browser, sandbox)


class Clock:
    """How long Globus took within a page: its calls, and reading what they brought."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def __enter__(self) -> Clock:
        send = requests.Session.send

        def timed_send(session: Any, *args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            answer = send(session, *args, **kwargs)
            self.seconds += time.perf_counter() - start
            self.calls += 1
            return answer

        self._patch = mock.patch.object(requests.Session, "send", timed_send)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


def address(path: str, **more: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/files/?origin_id={seed.LAPTOP}&origin_path={path}{extra}"


def rows_at(path: str, offset: int, **more: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/files/rows/?id={seed.LAPTOP}&path={path}&offset={offset}{extra}"


def shares(browser: Any, path: str, rounds: int) -> tuple[list[float], list[float]]:
    """``(ms of ours, ms of the calls)`` of pages that had to ask Globus."""
    from accounts.models import User
    from transfers import keeping

    [user] = User.objects.all()
    ours, theirs = [], []
    for _ in range(rounds):
        keeping.forget(user.pk, _laptop())
        with Clock() as clock:
            start = time.perf_counter()
            answer = browser.get(address(path))
            took = time.perf_counter() - start
        assert answer.status_code == 200
        assert clock.calls == 1, clock.calls
        ours.append((took - clock.seconds) * 1000)
        theirs.append(clock.seconds * 1000)
    return ours, theirs


def _laptop() -> Any:
    from uuid import UUID

    return UUID(seed.LAPTOP)


def thousand(browser: Any) -> Figure:
    browser.get(address("/thousand/"))  # the name of the collection, once
    ours, theirs = shares(browser, "/thousand/", ROUNDS)
    mine = statistics.median(ours)
    call = statistics.median(theirs)
    return Figure(
        f"our share of a listing page, {FOLDER:,} entries",
        f"{mine:.1f} ms",
        f"the call itself {call:.1f} ms",
        mine / call,
        "≤ 25 ms",
        mine <= 25,
    )


def connections(browser: Any, sandbox: Any) -> Figure:
    """Counted by urllib3 itself: connections that were made for a hundred pages."""
    from urllib3.connectionpool import HTTPConnectionPool

    made = 0
    new = HTTPConnectionPool._new_conn

    def counting(pool: Any) -> Any:
        nonlocal made
        made += 1
        return new(pool)

    sandbox.clear_faults()
    with mock.patch.object(HTTPConnectionPool, "_new_conn", counting):
        shares(browser, "/thousand/", LISTINGS)
    sandbox.latency("/endpoint/*/ls", LATENCY_SECONDS)
    return Figure(
        f"connections per {LISTINGS} listings",
        str(made),
        f"a client per request {LISTINGS}",
        made / LISTINGS,
        "≤ 1",
        made <= 1,
    )


def large(browser: Any, sandbox: Any) -> Iterator[Figure]:
    before = resident()
    ours, theirs = shares(browser, "/large/", 3)
    mine, call = statistics.median(ours), statistics.median(theirs)
    yield Figure(
        f"first rows of {LARGE:,} entries, after the API answered",
        f"{mine:.0f} ms",
        f"the call itself {call:.0f} ms",
        mine / call,
        "≤ 1,000 ms",
        mine <= 1000,
    )
    more = (resident() - before) / MEGABYTE
    yield Figure(
        "the process is larger by, afterwards",
        f"{more:.0f} MB",
        "150 MB of parsed entries",
        more / 150,
        "≤ 30 MB",
        more <= 30,
    )
    sandbox.forget_requests()
    worst, whole = pages(browser)
    yield Figure(
        "a later page, the slowest kind at its median",
        f"{worst[1]:.1f} ms ({worst[0]})",
        f"first rows {whole:.0f} ms",
        worst[1] / whole,
        "≤ 20 ms",
        worst[1] <= 20,
    )
    first = statistics.median(
        timed(browser, rows_at("/large/", 0, filter=f"*{n}.dat")) for n in range(10)
    )
    yield Figure(
        "a filter that nobody asked for before",
        f"{first:.1f} ms",
        f"first rows {whole:.0f} ms",
        first / whole,
        "≤ 100 ms",
        first <= 100,
    )
    calls = len(sandbox.requests("*/ls"))
    yield Figure(
        "calls to Globus for all of these pages",
        str(calls),
        "1 for the first rows",
        float(calls),
        "0",
        calls == 0,
    )


def pages(browser: Any) -> tuple[tuple[str, float], float]:
    """The slowest kind of later page, and how long the first rows take once more."""
    kinds: dict[str, dict[str, str]] = {
        "by name": {},
        "by size": {"sort": "-size"},
        "by time": {"sort": "time"},
        "by owner": {"sort": "user"},
        "filtered": {"filter": "*7.dat"},
        "filtered, by time": {"filter": "*7.dat", "sort": "time"},
    }
    medians = {}
    for name, view in kinds.items():
        browser.get(rows_at("/large/", 0, **view))
        medians[name] = statistics.median(
            timed(browser, rows_at("/large/", n * 317, **view)) for n in range(1, 21)
        )
    whole = timed(browser, address("/large/"))
    return max(medians.items(), key=lambda each: each[1]), whole


def timed(browser: Any, wanted: str) -> float:
    start = time.perf_counter()
    browser.get(wanted)
    return (time.perf_counter() - start) * 1000


def resident() -> int:
    """Bytes of memory that this process holds."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found
    return int(found[1]) * 1024
