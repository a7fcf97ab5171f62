"""A far side for benchmarks: HTTPS, a kept connection, one canned listing, no work.

    python -m bench.far_side FOLDER

Prints its port. Counts connections, so that a benchmark can say how many it opened.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENTRIES = 100
RESOURCE_SERVERS = ("transfer.api.globus.org", "auth.globus.org")


def entry(number: int) -> dict[str, object]:
    return {
        "DATA_TYPE": "file",
        "name": f"run-{number:05}.h5",
        "type": "file",
        "size": 1000 + number,
        "last_modified": "2026-01-01 00:00:00+00:00",
        "permissions": "0644",
        "user": "ada",
        "group": "science",
        "link_target": None,
        "link_size": None,
        "link_user": None,
        "link_group": None,
        "link_last_modified": None,
    }


LISTING = json.dumps(
    {
        "DATA_TYPE": "file_list",
        "endpoint": "x",
        "path": "/run/",
        "absolute_path": "/run/",
        "rename_supported": True,
        "symlink_supported": True,
        "length": ENTRIES,
        "total": ENTRIES,
        "request_id": "abcdefghi",
        "resource": "/operation/ls",
        "DATA": [entry(number) for number in range(ENTRIES)],
    }
).encode()

GRANT = json.dumps(
    {
        "access_token": "AgBench",
        "scope": "urn:globus:auth:scope:transfer.api.globus.org:all",
        "expires_in": 172800,
        "token_type": "Bearer",
        "resource_server": "transfer.api.globus.org",
        "other_tokens": [],
    }
).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections = 0

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_GET(self) -> None:
        if self.path == "/connections":
            self.answer(json.dumps(type(self).connections).encode())
        else:
            self.answer(LISTING)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(GRANT)

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a line per request would be measured too."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself: ``(certificate, key)``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    text = certificate.public_bytes(serialization.Encoding.PEM)
    certificate_path.write_bytes(text)
    # What clients trust: as many authorities as in production, and this one.
    trusted = Path(certifi.where()).read_bytes() + text
    (folder / "trusted.pem").write_bytes(trusted)
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


def main(folder: Path) -> None:
    certificate, key = make_certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    # The handshake belongs to the connection's own thread.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
