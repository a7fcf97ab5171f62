"""A real worker is killed while somebody's webhook has not answered yet."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone

from accounts import outbox, queue, webhooks
from accounts.models import OutboxMessage, Wishes
from tests.factories import make_transfer, make_user
from tests.portal.processes import eventually
from tests.stack import database_url
from transfers import sweeping


class Receiver(ThreadingHTTPServer):
    """Does not answer until it may, and remembers what it was told."""

    daemon_threads = True

    def __init__(self):
        self.told = []
        self.may_answer = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(self.headers["X-Causeway-Delivery"])
        self.server.may_answer.wait(60)
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver(settings):
    settings.WEBHOOKS_TO_PRIVATE = True
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def start_worker(messages, tmp_path):
    workers = []

    def start():
        command = [sys.executable, "-m", "celery", "--app", "portal", "worker"]
        command += ["--pool", "threads", "--concurrency", "2"]
        command += ["--without-gossip", "--without-mingle"]
        with (tmp_path / f"worker-{len(workers)}.log").open("wb") as log:
            worker = subprocess.Popen(
                command,
                env=os.environ
                | {
                    "DATABASE_URL": database_url(),
                    "PORTAL_WEBHOOKS_TO_PRIVATE": "true",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def states():
    return [*OutboxMessage.objects.values_list("state", flat=True)]


def test_a_worker_killed_while_it_tells_leaves_one_message_told(receiver, start_worker):
    person = make_user(email="")
    hook, _ = webhooks.make(f"http://127.0.0.1:{receiver.server_port}/", by=person)
    Wishes.objects.create(user=person, webhook=hook)
    make_transfer(person, status="FAILED", finished_at=timezone.now())
    victim = start_worker()
    for _ in range(3):  # noticed again and again
        sweeping.sweep()
    assert eventually(lambda: receiver.told)

    victim.kill()
    victim.wait()

    assert sorted(states()) == ["quiet", "waiting"]
    receiver.may_answer.set()
    start_worker()
    queue.send_messages()  # comes twice, and too early
    assert len(receiver.told) == 1
    # Nobody is left who could hold the claim, so that its time may pass at once.
    OutboxMessage.objects.filter(state="waiting").update(
        next_try_at=timezone.now() - timedelta(seconds=1)
    )
    for _ in range(3):
        queue.send_messages()
    assert eventually(lambda: sorted(states()) == ["quiet", "sent"])
    # The repeat bears the name of the first, by which a receiver knows it.
    assert len(receiver.told) == 2
    assert len({*receiver.told}) == 1
    outbox.send_due(now=timezone.now() + outbox.CLAIM_LASTS)
    assert len(receiver.told) == 2
