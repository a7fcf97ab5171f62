"""Many submissions, each with a fault at a random point: one task for each of them.

A real web process takes the forms, a real worker sends them, the sandbox is Globus.
Replies are lost, requests time out, Globus answers 5xx, web and worker are killed,
PostgreSQL restarts, Redis is wiped. What chance decides comes from a seed.

``SUBMISSIONS=50`` in the environment makes it a smaller run, ``SEED=2`` another one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import timedelta
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from bench.figures import Figure
from bench.portal import portal
from bench.submitting import (
    Browser,
    agrees,
    client_of_ada,
    kill,
    tasks_of,
    wait_for_web,
    without_stored_ids,
)
from portal.demo import own_ports

if TYPE_CHECKING:
    from sandbox.testing import Sandbox
    from tests.stack import Stack

COUNT = 1000
#: forms that are on their way at once
SENDERS = 6
TICK_SECONDS = 3
POST = "/v0.10/transfer"
#: how often each fault strikes, in percent of the submissions
FAULTS = {
    "reply lost": 20,
    "connection reset": 15,
    "5xx": 20,
    "answer cut short": 12,
    "no submission id": 10,
    "timeout": 2,
    "worker killed": 5,
    "web killed": 5,
    "Redis wiped": 9,
    "PostgreSQL restarted": 2,
}
#: seconds after which a run is given up
LIMIT = 1800.0
SETTLE_SECONDS = 300.0


def submissions() -> Iterator[Figure]:
    count = int(os.environ.get("SUBMISSIONS") or COUNT)
    chance = random.Random(int(os.environ.get("SEED") or 1))
    with portal(durable=True) as stack, ExitStack() as cleanup:
        run = Run(stack, chance, cleanup)
        struck = run.all_of(count)
        yield from run.figures(count, struck)


class Run:
    """The processes of one run, and what was asked of them."""

    def __init__(self, stack: Stack, chance: random.Random, cleanup: ExitStack) -> None:
        self.stack = stack
        self.sandbox: Sandbox = stack.sandbox
        self.chance = chance
        self.asked: set[str] = set()
        self.counting, self.striking = Lock(), Lock()
        self.repeated_forms = 0
        self.ended_workers = 0
        [self.port] = cleanup.enter_context(own_ports(1))
        self.browser = Browser(self.sandbox, self.port)
        cleanup.callback(self.stop)
        self.sandbox.set(running_tasks=20)
        self.web = self.start("web")
        self.worker = self.start("worker")
        wait_for_web(self.port)

    # --- processes

    def start(self, name: str) -> subprocess.Popen[bytes]:
        commands = {
            "web": "gunicorn --config python:portal.gunicorn portal.wsgi "
            f"--bind 127.0.0.1:{self.port} --no-control-socket",
            "worker": "celery --app portal worker --pool threads --concurrency 16 "
            "--without-gossip --without-mingle",
        }
        log = (self.stack.folder / f"{name}.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", *commands[name].split()],
                env=os.environ | {"PORTAL_ACCESS_LOG": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        for process in (self.web, self.worker):
            kill(process)

    # --- the submissions, some at once

    def all_of(self, count: int) -> Counter[str]:
        drawn = self.chance.choices([*FAULTS], weights=[*FAULTS.values()], k=count)
        seeds = [self.chance.random() for _ in range(count)]
        limit = time.monotonic() + LIMIT
        with ThreadPoolExecutor(SENDERS) as pool:
            sent = [
                pool.submit(self.one, number, fault, random.Random(seed))
                for number, (fault, seed) in enumerate(zip(drawn, seeds, strict=True))
            ]
            while wait(sent, timeout=TICK_SECONDS).not_done:
                self.tick()
                if time.monotonic() > limit:
                    pool.shutdown(wait=False, cancel_futures=True)
                    done = sum(each.done() for each in sent)
                    raise RuntimeError(f"Only {done} of {count} in {LIMIT:.0f} s")
        for each in sent:
            each.result()
        self.settle(count)
        return Counter(drawn)

    def one(self, number: int, fault: str, chance: random.Random) -> None:
        label = f"fault {number}"
        form = self.browser.form(number, label)
        at = chance.random() / 4
        skip, times = chance.randrange(3), chance.randint(1, 5)
        match fault:
            case "reply lost":
                self.wire(reset="after", skip=skip, times=times)
            case "connection reset":
                self.wire(reset="before", skip=skip, times=times)
            case "5xx":
                status = chance.choice([500, 502, 503])
                self.wire(status=status, skip=skip, times=times)
            case "answer cut short":
                self.wire(cut_after=chance.randrange(200), skip=skip, times=1)
            case "timeout":
                self.wire(drip_seconds=25.0, skip=skip, times=1)
            case "no submission id":
                self.sandbox.fault("/submission_id", status=503, times=3)
        sent = self.send_in_two_halves(form, at, fault)
        if not sent:
            self.browser.send_until_stored(form)
        with self.counting:
            self.asked.add(label)
            self.repeated_forms += not sent

    def wire(self, **fault: Any) -> None:
        self.sandbox.fault(POST, method="POST", **fault)

    def send_in_two_halves(self, form: dict[str, Any], at: float, fault: str) -> bool:
        """Sends the form; what is to be killed dies while it is on its way.

        :returns: whether the answer came back
        """
        strikes: dict[str, Callable[[], None]] = {
            "web killed": self.kill_web,
            "worker killed": self.kill_worker,
            "Redis wiped": self.wipe_redis,
            "PostgreSQL restarted": self.restart_servers,
        }
        strike = strikes.get(fault)
        if strike is None:
            return self.browser.send(form)
        answers: list[bool] = []
        sender = Thread(target=lambda: answers.append(self.browser.send(form)))
        sender.start()
        time.sleep(at)
        with self.striking:
            strike()
        sender.join()
        return answers == [True]

    # --- what strikes

    def kill_web(self) -> None:
        kill(self.web)
        self.web = self.start("web")
        wait_for_web(self.port)

    def restart_a_dead_worker(self) -> None:
        """As whoever runs the processes does; one may end when Redis goes away."""
        with self.striking:
            if self.worker.poll() is not None:
                self.ended_workers += 1
                self.kill_worker()

    def kill_worker(self) -> None:
        from django.db import connections
        from django.utils import timezone

        from transfers.claims import CLAIM_LASTS
        from transfers.sweeping import sweep

        kill(self.worker)
        # Nobody is left who could hold a claim, so that time may pass at once.
        self.quietly(lambda: sweep(now=timezone.now() + CLAIM_LASTS * 1.1))
        connections.close_all()  # of this thread
        self.worker = self.start("worker")

    def wipe_redis(self) -> None:
        import redis

        with redis.Redis.from_url(self.stack.environment["REDIS_URL"]) as client:
            client.flushall()

    def restart_servers(self) -> None:
        """PostgreSQL, and with it Redis, which comes back empty."""
        from django.db import connections

        connections.close_all()
        self.stack.restart_servers()

    # --- what beat does

    def tick(self) -> None:
        """As beat sends it, a minute later than it is."""
        from django.utils import timezone

        from transfers import monitoring, sweeping

        self.restart_a_dead_worker()
        minute_on = timezone.now() + timedelta(seconds=61)
        self.quietly(lambda: sweeping.sweep(now=minute_on))
        self.quietly(lambda: monitoring.queue_due_polls(now=minute_on))

    @staticmethod
    def quietly(call: Callable[[], object]) -> None:
        """A tick that meets a server which is just restarting is a tick that failed."""
        from django.db import DatabaseError, connections

        try:
            call()
        except DatabaseError:
            connections.close_all()

    def settle(self, count: int) -> None:
        from transfers.models import Transfer

        self.sandbox.clear_faults()
        limit = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < limit:
            self.tick()
            open_ones = Transfer.objects.unfinished().count()
            if not open_ones and Transfer.objects.count() >= count:
                return
            time.sleep(1)

    # --- what came of it

    def figures(self, count: int, struck: Counter[str]) -> Iterator[Figure]:
        from transfers.models import Transfer

        client = client_of_ada()
        tasks = tasks_of(client)
        labels = Counter(str(each["label"]) for each in tasks)
        twice = sum(1 for number in labels.values() if number > 1)
        missing = len(self.asked - set(labels))
        rows = {str(each.task_id): each for each in Transfer.objects.all()}
        differ = sum(not agrees(each, rows.get(each["task_id"])) for each in tasks)
        differ += abs(len(rows) - len(tasks))
        naive_twice, naive_missing, naive_count = without_stored_ids(
            client, lambda: self.wire(reset="after", times=4), count
        )
        wrong = twice + missing + differ
        what = ", ".join(f"{number} {name}" for name, number in struck.most_common())
        yield Figure(
            f"{count:,} submissions with a fault each ({what})",
            f"{len(tasks):,} tasks, {twice} twice, {missing} missing, "
            f"{differ} rows differ; {self.repeated_forms} forms sent again, "
            f"{self.ended_workers} workers ended by themselves",
            f"a loop that tries again with a new document, {naive_count} with a "
            f"lost reply each: {naive_twice} twice, {naive_missing} missing",
            wrong / max(1, naive_twice + naive_missing),
            "one task each, none twice, none missing, all rows agree",
            wrong == 0,
        )
