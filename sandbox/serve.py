"""The HTTP server: gunicorn as a library, one process, many threads.

The engine and the knobs live in that one process, so there is exactly one worker.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from sandbox.wire import Application

THREADS = 32
KEEP_ALIVE_SECONDS = 75
#: before it is killed; a worker with nothing to do ends at once, on a quiet machine
SHUTDOWN_SECONDS = 6


class PortInUse(Exception):
    """Somebody else listens there."""


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 is any free one.

    :raises PortInUse: the port is taken
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Head and body leave in two writes, and the second one
    # would wait 40 ms for the client's delayed acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as err:
        listener.close()
        raise PortInUse(
            f"Port {port} is in use by another program; choose one with --port."
        ) from err
    listener.listen(1024)
    return listener


class Server(BaseApplication):  # type: ignore[misc, unused-ignore] # untyped
    """Serves ``application`` on ``listener`` until SIGINT or SIGTERM."""

    def __init__(
        self,
        application: Application,
        listener: socket.socket,
        *,
        on_start: Callable[[], None],
        on_stop: Callable[[], None],
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """:param certificate: the files of a certificate and its key, for TLS"""
        self.served = application
        self.listener = listener
        self.on_start = on_start
        self.on_stop = on_stop
        self.certificate = certificate
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore] # untyped

    def load_config(self) -> None:
        assert self.cfg is not None, "load_default_config() comes first"
        for name, value in self.options().items():
            self.cfg.set(name, value)

    def options(self) -> dict[str, Any]:
        files = self.certificate
        tls = {"certfile": str(files[0]), "keyfile": str(files[1])} if files else {}
        return {
            **tls,
            "bind": f"fd://{self.listener.fileno()}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "worker_connections": 2000,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": SHUTDOWN_SECONDS,
            "timeout": 0,  # a large ls is slow, not hung
            "limit_request_line": 0,
            "limit_request_field_size": 0,
            "control_socket_disable": True,
            "loglevel": "warning",
            "post_worker_init": lambda worker: self.on_start(),
            "worker_exit": lambda arbiter, worker: self.on_stop(),
        }

    def load(self) -> Application:
        return self.served
