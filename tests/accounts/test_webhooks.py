"""Webhooks go to public addresses only, signed, and follow nobody (W05)."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from accounts import webhooks
from accounts.secret import Secret

KEY = Secret("the key")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.1/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://224.0.0.1/",
    ],
)
def test_w05_a_private_address_is_not_asked(url):
    with pytest.raises(webhooks.NotDelivered, match="private network") as refused:
        webhooks.deliver(url, b"{}", key=KEY, delivery_id="1")
    assert refused.value.is_final


def test_w05_a_name_of_which_one_address_is_private_is_not_asked(monkeypatch):
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)
    with pytest.raises(webhooks.NotDelivered, match="private network"):
        webhooks.deliver("https://both.example/", b"", key=KEY, delivery_id="1")


def test_w05_a_name_that_changes_its_answer_is_resolved_once(monkeypatch):
    asked = []

    def answer(host, port, **options):
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    pools = []
    monkeypatch.setattr(
        webhooks, "_pool", lambda parts, address: pools.append(address) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        webhooks.deliver("https://turns.example/", b"", key=KEY, delivery_id="1")
    assert asked == ["turns.example"]
    assert pools == ["93.184.216.34"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "//hooks.example.org/",
        "https://user:pass@hooks.example.org/",
        "https://hooks.example.org/#x",
        "https://hooks.example.org:99999/",
        "https:///x",
        "javascript:alert(1)",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nX: y",
        "https://hooks.example.org/" + "x" * 1000,
    ],
)
def test_an_address_that_cannot_be_used_has_a_sentence(url):
    with pytest.raises(webhooks.BadAddress) as refused:
        webhooks.checked(url)
    assert refused.value.advice.endswith(".")


class Receiver(BaseHTTPRequestHandler):
    status = 204
    seen: ClassVar[list[Any]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver(settings):
    settings.WEBHOOKS_TO_PRIVATE = True
    Receiver.seen, Receiver.status = [], 204
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?a=b"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_arrives_is_signed(receiver):
    webhooks.deliver(receiver, b'{"event": "failed"}', key=KEY, delivery_id="abc")
    [(path, headers, body)] = Receiver.seen
    assert path == "/hook?a=b"
    assert headers["X-Causeway-Delivery"] == "abc"
    moment, _, signed = headers["X-Causeway-Signature"].partition(",v1=")
    text = moment.removeprefix("t=").encode() + b"." + body
    assert hmac.new(b"the key", text, hashlib.sha256).hexdigest() == signed


@pytest.mark.parametrize(
    ("status", "is_final"), [(302, False), (500, False), (404, False), (410, True)]
)
def test_any_other_answer_is_no_delivery_and_redirects_are_not_followed(
    receiver, status, is_final
):
    Receiver.status = status
    with pytest.raises(webhooks.NotDelivered, match=str(status)) as failed:
        webhooks.deliver(receiver, b"{}", key=KEY, delivery_id="1")
    assert failed.value.is_final == is_final
    assert len(Receiver.seen) == 1


def test_nobody_there_is_no_delivery(settings):
    settings.WEBHOOKS_TO_PRIVATE = True
    with socket.socket() as silent:  # has the port, and does not listen
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(webhooks.NotDelivered, match="did not answer"):
            webhooks.deliver(address, b"", key=KEY, delivery_id="1")


@pytest.mark.django_db
def test_the_key_is_sealed():
    webhook, key = webhooks.make("https://hooks.example.org/", by=None)
    webhook.refresh_from_db()
    assert key.reveal().encode() not in bytes(webhook.sealed_key)
    assert webhook.key().reveal() == key.reveal()
