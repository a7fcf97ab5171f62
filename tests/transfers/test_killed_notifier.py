"""A real worker is killed while a webhook, or a mail server, has not answered yet."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

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


class MailServer(ThreadingTCPServer):
    """Takes mails, but does not say so until it may (RFC 5321, as far as needed)."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        self.mails = []
        self.may_answer = threading.Event()
        super().__init__(("127.0.0.1", 0), MailHandler)


class MailHandler(StreamRequestHandler):
    def handle(self):
        self.say("220 here")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go on")
                self.server.mails.append(self.mail())
                self.server.may_answer.wait(60)
            self.say("221 bye" if verb == b"QUIT" else "250 yes")

    def mail(self):
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line)
        return message_from_bytes(b"".join(lines))

    def say(self, words):
        try:
            self.wfile.write(words.encode() + b"\r\n")
        except OSError:
            self.server.may_answer.wait(60)  # its client was killed


@pytest.fixture
def mail_server():
    server = MailServer()
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

    def start(**environment):
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
                    **environment,
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


def test_a_worker_killed_while_it_mails_leaves_one_message_mailed(
    mail_server, start_worker
):
    person = make_user(email="emmy@uni.example")
    make_transfer(person, status="FAILED", finished_at=timezone.now(), label="spring")
    email_url = f"smtp://127.0.0.1:{mail_server.server_address[1]}"
    victim = start_worker(EMAIL_URL=email_url)
    for _ in range(3):  # noticed again and again
        sweeping.sweep()
    assert eventually(lambda: mail_server.mails)

    victim.kill()
    victim.wait()

    assert states() == ["waiting"]
    mail_server.may_answer.set()
    start_worker(EMAIL_URL=email_url)
    queue.send_messages()  # comes too early
    # Nobody is left who could hold the claim, so that its time may pass at once.
    OutboxMessage.objects.filter(state="waiting").update(
        next_try_at=timezone.now() - timedelta(seconds=1)
    )
    for _ in range(3):
        queue.send_messages()
    assert eventually(lambda: states() == ["sent"])
    # The server cannot tell that it took the first; by its name, a mail program can.
    [first, again] = mail_server.mails
    assert first["Message-ID"] == again["Message-ID"]
    assert first["To"] == "emmy@uni.example"
    assert first.get_payload() == again.get_payload()
    # What was answered for is never sent a third time.
    outbox.send_due(now=timezone.now() + 2 * outbox.CLAIM_LASTS)
    assert len(mail_server.mails) == 2
