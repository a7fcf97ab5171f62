"""A portal and a sandbox that speak TLS, and a third host on the way between them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from portal import demo
from sandbox.certificates import Certificate, own_certificate
from sandbox.testing import Sandbox
from tests.browser.site import MigratesOnce, Site, surroundings_of_a_shell


class TLSPlace(demo.Place):
    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@dataclass(frozen=True)
class TLSSite(Site):
    """:ivar files: one certificate for everything that a browser meets here"""

    files: Certificate


@contextlib.contextmanager
def running_tls_site() -> Iterator[TLSSite]:
    """The portal's web process and the sandbox, as browsers meet them on a real site.

    Both show a certificate of an authority that is made for the occasion. The portal
    trusts it because ``GLOBUS_SDK_VERIFY_SSL`` names it, and checks it like any other.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cw-") as name,
        demo.own_ports(1) as [port],
        surroundings_of_a_shell(),
    ):
        folder = Path(name)
        place = TLSPlace(folder, port, 0, throw_away=True, parent=0)
        sandbox = Sandbox.start(
            folder / "sandbox",
            tls=True,
            redirect_uris=[f"{place.url}/complete/globus/"],
        )
        with (
            _stopped(sandbox),
            demo.embedded_at(place) as servers,
            MigratesOnce(demo.CHECKOUT, place.logs) as supervisor,
        ):
            files = own_certificate(folder / "sandbox")
            settings = demo.portal_settings(place, servers, sandbox.environment)
            supervisor.environment = demo.unambiguous(os.environ, settings)
            supervisor.run("migrate", demo.manage("migrate", "--no-input"))
            web = demo.portal_commands(place)["web"]
            web += ["--certfile", str(files.certificate), "--keyfile", str(files.key)]
            supervisor.start("web", web)
            supervisor.wait_until(
                lambda: _answers(f"{place.url}/readyz", files.trusted),
                "The portal does not answer over TLS",
                demo.START_SECONDS,
            )
            yield TLSSite(place.url, sandbox, files)


@contextlib.contextmanager
def _stopped(sandbox: Sandbox) -> Iterator[None]:
    try:
        yield
    finally:
        sandbox.stop()


def _answers(url: str, trusted: Path) -> bool:
    try:
        return requests.get(url, verify=str(trusted), timeout=5).ok
    except requests.RequestException:
        return False


def trusting(files: Certificate) -> str:
    """The flag with which Chromium takes this one certificate, for whatever name."""
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    public = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    printed = base64.b64encode(hashlib.sha256(public).digest()).decode()
    return f"--ignore-certificate-errors-spki-list={printed}"


@dataclass(frozen=True)
class Campus:
    """An institution's own sign-in page, which passes people on without a word.

    :ivar seen: the paths that it was asked for
    """

    url: str
    seen: list[str]


@contextlib.contextmanager
def running_campus(files: Certificate) -> Iterator[Campus]:
    """``GET /?back=ADDRESS`` sends the browser to that address."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            seen.append(parts.path)
            [back] = parse_qs(parts.query)["back"]
            self.send_response(302)
            self.send_header("Location", back)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not among the words of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            # Browsers find every name below localhost on this machine.
            yield Campus(f"https://campus.localhost:{server.server_port}", seen)
        finally:
            server.shutdown()
            thread.join()
