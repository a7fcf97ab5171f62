"""``manage.py sandbox``: serve the sandbox until SIGINT or SIGTERM."""

import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.wsgi import get_wsgi_application
from django.db import connections

from sandbox import background, clock, planting, seed
from sandbox.auth import keys
from sandbox.certificates import own_certificate
from sandbox.runtime import runtime
from sandbox.schema import open_database
from sandbox.serve import PortInUse, Server, listen
from sandbox.transfer import lazy
from sandbox.wire import WireLayer


class Command(BaseCommand):
    help = "Serve a local stand-in of Globus Auth, Transfer, Groups and Timers."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=9300, help="0: any free one")
        parser.add_argument("--data", type=Path, help="kept there; else a temporary")
        parser.add_argument("--seed", choices=["demo", "none"], default="demo")
        parser.add_argument(
            "--tls",
            action="store_true",
            help="serve TLS with a certificate authority made in the data directory",
        )
        parser.add_argument("--tls-cert", type=Path, help="serve TLS with this file")
        parser.add_argument("--tls-key", type=Path, help="the key of --tls-cert")
        parser.add_argument(
            "--redirect-uri",
            action="append",
            default=[],
            help="one more redirect URI of the seeded portal client; repeatable",
        )

        parser.add_argument(
            "--stop-with-parent",
            action="store_true",
            help="end when standard input does, as when who started it was killed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            listener = listen(options["port"])
        except PortInUse as err:
            raise CommandError(str(err)) from err
        scheme = "https" if options["tls"] or options["tls_cert"] else "http"
        runtime.url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        self._set_certificate(options)
        runtime.seed = options["seed"]
        runtime.redirect_uris = options["redirect_uri"]
        self.stop_with_parent = options["stop_with_parent"]
        is_own = options["tls"] and not options["tls_cert"]
        if options["data"]:
            self._serve(options["data"], listener, is_own)
        else:
            with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
                self._serve(Path(folder), listener, is_own)

    def _start(self) -> None:
        background.start()
        if self.stop_with_parent:
            stop_at_end_of_input()

    def _set_certificate(self, options: dict[str, Any]) -> None:
        """:raises CommandError: one of the two files is missing"""
        certificate, key = options["tls_cert"], options["tls_key"]
        if bool(certificate) != bool(key):
            raise CommandError("--tls-cert and --tls-key belong together.")
        for file in filter(None, (certificate, key)):
            if not file.is_file():
                raise CommandError(f"There is no file {file}.")
        if certificate:
            runtime.certificate = (certificate, key)
            runtime.trusted = certificate

    def _serve(self, data: Path, listener: Any, is_own_certificate: bool) -> None:
        prepare(data)
        if is_own_certificate:
            own = own_certificate(runtime.data)
            runtime.certificate = (own.certificate, own.key)
            runtime.trusted = own.trusted
        print_exports()
        logging.getLogger("django.request").addFilter(only_surprises)
        server = Server(
            WireLayer(get_wsgi_application()),
            listener,
            on_start=self._start,
            on_stop=background.stop,
            certificate=runtime.certificate,
        )
        try:
            server.run()  # type: ignore[no-untyped-call, unused-ignore] # untyped
        except SystemExit as end:
            # gunicorn's way to end; the temporary directory goes after this.
            if end.code:
                raise


def stop_at_end_of_input() -> None:
    """Runs beside the server, in the worker: nothing has a thread before it forks."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 1024):
                pass
        os.kill(os.getppid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def only_surprises(record: logging.LogRecord) -> bool:
    """Django notes each 4xx and 5xx answer; here they are what was asked for."""
    return record.exc_info is not None


def prepare(data: Path) -> None:
    """Make the data directory, its tables and its seed, where they are missing."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    runtime.data = data.resolve()
    is_new = open_database(runtime.data / "sandbox.sqlite3")
    keys.load(runtime.data)
    clock.load()
    lazy.start()
    if is_new:
        # The files of a database that was set aside are nobody's any more.
        planting.wipe()
        if runtime.seed == "demo":
            planting.plant()
        planting.remember()
    planting.register_redirect_uris(runtime.redirect_uris)
    # A data directory keeps the seed that it was made with.
    runtime.is_seeded = planting.is_planted()
    # The worker process is forked from this one and must not share a connection.
    connections.close_all()


def print_exports() -> None:
    for name, value in exports().items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()


def exports() -> dict[str, str]:
    """The environment in which ``globus-sdk`` and ``globus-cli`` find the sandbox.

    The unknown environment name makes a client of a service that is not served
    here refuse to start, instead of calling the real one. ``NO_PROXY`` is the last:
    whoever reads the lines knows by it that they are complete.
    """
    url = runtime.url
    trusted = {"GLOBUS_SDK_VERIFY_SSL": str(runtime.trusted)} if runtime.trusted else {}
    client = {
        "GLOBUS_CLI_CLIENT_ID": seed.HARVEST_CLIENT_ID,
        "GLOBUS_CLI_CLIENT_SECRET": seed.HARVEST_CLIENT_SECRET,
    }
    return {
        **trusted,
        "GLOBUS_SDK_ENVIRONMENT": "labsandbox",
        "GLOBUS_SDK_SERVICE_URL_AUTH": f"{url}/auth/",
        "GLOBUS_SDK_SERVICE_URL_TRANSFER": f"{url}/transfer/",
        "GLOBUS_SDK_SERVICE_URL_GROUPS": f"{url}/groups/",
        "GLOBUS_SDK_SERVICE_URL_TIMER": f"{url}/timer/",
        **(client if runtime.is_seeded else {}),
        "NO_PROXY": "localhost,127.0.0.1",
    }
