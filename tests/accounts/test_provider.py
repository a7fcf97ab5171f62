"""L18: calls to the provider, against servers that do what no honest one does."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import tracemalloc
from unittest import mock

import pytest

from accounts import provider
from accounts.models import Token, User
from bench.far_side import make_certificate
from portal.globus.errors import (
    PortalNotAccepted,
    SignInTimedOut,
    SignInUnreachable,
    SignInUnverified,
)
from tests.far_server import HEAD, answers, drips, far_server
from tests.flows import begin, come_back

SECRETS = {"data": {"code": "the-code"}, "auth": ("client", "the-secret")}


def test_l18_an_answer_is_read_to_its_end():
    body = json.dumps({"text": "x" * 200_000}).encode()
    with far_server(answers(body=body)) as far:
        answer = provider.ask("POST", f"{far.url}/token", **SECRETS)
    assert answer.json() == json.loads(body)
    [(method, path, headers, sent)] = far.seen
    assert (method, path, sent) == ("POST", "/token", b"code=the-code")
    assert headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_l18_a_redirect_is_not_followed(status):
    with far_server(answers()) as thief:
        with (
            far_server(answers(status, Location=f"{thief.url}/token")) as far,
            pytest.raises(SignInUnverified),
        ):
            provider.ask("POST", f"{far.url}/token", **SECRETS)
        assert thief.seen == []
    assert len(far.seen) == 1


@pytest.mark.parametrize(
    "start",
    [HEAD, b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Drip: ", b""],
    ids=["body", "body without a length", "header", "status line"],
)
def test_l18_a_drip_is_cut_off(start):
    began = time.monotonic()
    with far_server(drips(start=start)) as far:
        with (
            mock.patch.object(provider, "TOTAL_SECONDS", 0.5),
            pytest.raises(SignInTimedOut),
        ):
            provider.ask("GET", far.url)
        assert far.was_cut.wait(60), "the connection is closed as well"
    assert time.monotonic() - began < provider.READ_SECONDS


def test_l18_silence_is_a_timeout():
    done = threading.Event()
    with far_server(lambda handler: done.wait(60)) as far:
        with (
            mock.patch.object(provider, "READ_SECONDS", 0.2),
            pytest.raises(SignInTimedOut),
        ):
            provider.ask("GET", far.url)
        done.set()


def test_l18_how_long_is_waited():
    assert provider.CONNECT_SECONDS == 3
    assert provider.READ_SECONDS == 5
    assert provider.TOTAL_SECONDS == 10
    assert provider.LONGEST_BODY == 256 * 1024


def floods(handler):
    """80 MB, as fast as they are taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 83886080\r\n\r\n")
    piece = b"x" * 65_536
    for _ in range(1280):
        handler.wfile.write(piece)


def bomb(handler):
    """What unpacks to far more than it is."""
    answers(body=b"\x1f\x8b" + b"\0" * 100_000, Content_Encoding="gzip")(handler)


@pytest.mark.parametrize("does", [floods, bomb])
def test_l18_a_large_body_is_not_read(does):
    with far_server(does) as far:
        tracemalloc.start()
        try:
            with pytest.raises(SignInUnverified):
                provider.ask("GET", far.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 5_000_000
    assert far.seen[0][2]["Accept-Encoding"] == "identity"


def test_l18_the_longest_body_that_is_read():
    longest = b'"' + b"x" * (provider.LONGEST_BODY - 2) + b'"'
    with far_server(answers(body=longest)) as far:
        assert len(provider.ask("GET", far.url).json()) == len(longest) - 2
    with (
        far_server(answers(body=longest + b" ")) as far,
        pytest.raises(SignInUnverified),
    ):
        provider.ask("GET", far.url)


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.globus.org/token",
        "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "",
    ],
)
def test_l18_only_tls_or_this_machine(url):
    with pytest.raises(SignInUnverified):
        provider.ask("GET", url)


def test_l18_a_proxy_of_the_shell_is_not_asked(monkeypatch):
    with far_server(answers()) as proxy, far_server(answers()) as far:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        # Either of them, set on the machine, would decide this test.
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        provider.ask("GET", far.url)
        assert proxy.seen == []


def test_l18_a_configured_proxy_is_asked(settings):
    with far_server(answers(404)) as proxy:
        settings.AUTH_PROXY = proxy.url
        with pytest.raises(SignInUnreachable):
            provider.ask("POST", "https://auth.globus.test/", **SECRETS)
    # The stand-in makes no tunnel; that it was asked for one is what counts.
    [(method, target, headers, _)] = proxy.seen
    assert (method, target) == ("CONNECT", "auth.globus.test:443")
    assert "Authorization" not in headers


def test_l18_nobody_there_is_an_outage():
    with socket.socket() as silent:  # has the port, and does not listen
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        with pytest.raises(SignInUnreachable):
            provider.ask("GET", f"http://127.0.0.1:{port}/")


def test_l18_an_answer_that_breaks_off_is_an_outage():
    def breaks_off(handler):
        handler.wfile.write(HEAD + b"x")

    with far_server(breaks_off) as far, pytest.raises(SignInUnreachable):
        provider.ask("GET", far.url)


def test_l18_a_certificate_of_nobody_we_trust_is_refused(tmp_path):
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with far_server(answers(), context) as far:
        address = far.url.replace("http:", "https:")
        with pytest.raises(SignInUnverified):
            provider.ask("GET", address, **SECRETS)
    assert far.seen == []


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (401, "invalid_client", PortalNotAccepted),
        (400, "unauthorized_client", PortalNotAccepted),
        (429, "", SignInUnreachable),
        (500, "", SignInUnreachable),
        (201, "", SignInUnverified),
    ],
)
def test_what_a_status_means(status, error, failure):
    with pytest.raises(failure):
        provider.check_status(status, json.dumps({"error": error}).encode())


@pytest.mark.django_db
def test_l18_a_hanging_provider_is_a_504_and_leaves_nothing(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    sandbox.fault("/auth/v2/oauth2/token", drip_seconds=0.2)
    with mock.patch.object(provider, "TOTAL_SECONDS", 0.3):
        answer = come_back(browser, address)
    assert answer.status_code == 504
    assert "took too long" in answer.content.decode()
    assert "_auth_user_id" not in browser.session
    assert (User.objects.count(), Token.objects.count()) == (0, 0)
