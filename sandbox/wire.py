"""Around every request, below Django: the log, the latency, the faults.

Faults live here, and not in a view, so that they cover what no view can do: a
connection that is reset after the request was handled, an answer that drips, one
that ends before its Content-Length.
"""

import errno
import fnmatch
import json
import logging
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

LOG_LENGTH = 200_000
#: how long a reset waits for the requests that are being handled
PATIENCE = 10.0
#: set in the environ of a request for which there is no route
UNEXPECTED = "sandbox.unexpected"
#: the path as it was sent: each character is a byte
SENT_PATH = "sandbox.sent_path"

log = logging.getLogger(__name__)
CONTROL = "/_sandbox"


def matches(route: str, path: str) -> bool:
    """``route`` is the end of a path, and may hold ``*``: ``/endpoint/*/ls``."""
    return fnmatch.fnmatchcase(path, f"*{route}")


@dataclass
class Fault:
    """What happens to requests of a route instead of, or after, their handling."""

    route: str
    method: str = "*"
    status: int | None = None
    body: Any = None
    retry_after: int | None = None
    #: "before" the request is handled, or "after", when only the answer is lost
    reset: str = ""
    #: seconds between two small pieces of the answer
    drip_seconds: float = 0.0
    #: the answer ends after this many bytes of its body
    cut_after: int | None = None
    #: how many requests it hits; None is all
    times: int | None = None
    #: this many matching requests pass first
    skip: int = 0

    def wants(self, method: str, path: str) -> bool:
        if self.times == 0:
            return False
        return self.method in ("*", method) and matches(self.route, path)


@dataclass(frozen=True)
class LoggedRequest:
    method: str
    path: str
    query: str
    status: int
    at: float
    seconds: float
    #: the sandbox has no such route
    is_unexpected: bool = False


class Wire:
    """The faults, latencies and the log of one sandbox.

    A request belongs to the world in which it came. One that is late, because it was
    held up and the sandbox was reset meanwhile, uses up no fault of the next world,
    is not in its log and leaves nothing in it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._world = 0
        self._under_way = 0
        self._handled = 0
        self._is_ending = False
        self._faults: list[Fault] = []
        self._latencies: dict[str, float] = {}
        self._log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)

    def add_fault(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def set_latency(self, route: str, seconds: float) -> None:
        with self._lock:
            self._latencies[route] = seconds

    def faults(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def latencies(self) -> dict[str, float]:
        with self._lock:
            return dict(self._latencies)

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()
            self._latencies.clear()

    def clear_log(self) -> None:
        with self._lock:
            self._log.clear()

    @contextmanager
    def under_way(self) -> Iterator[int]:
        """The world in which a request comes; it waits while one ends."""
        with self._lock:
            self._under_way += 1
            self._changed.wait_for(lambda: not self._is_ending)
            world = self._world
        try:
            yield world
        finally:
            with self._lock:
                self._under_way -= 1

    def how_many(self) -> int:
        """Requests that are held up or handled."""
        return self._under_way

    def hold_up(self, world: int, seconds: float) -> None:
        with self._lock:
            self._changed.wait_for(lambda: self._world != world, seconds)

    @contextmanager
    def handling(self, world: int) -> Iterator[bool]:
        """``False`` if the world has ended, else it does not end meanwhile."""
        with self._lock:
            is_there = self._world == world and not self._is_ending
            self._handled += is_there
        try:
            yield is_there
        finally:
            with self._lock:
                self._handled -= is_there
                self._changed.notify_all()

    @contextmanager
    def next_world(self) -> Iterator[None]:
        """Nothing is handled meanwhile; afterwards no fault, latency or request."""
        with self._lock:
            self._is_ending = True
            self._changed.wait_for(lambda: not self._handled, PATIENCE)
        try:
            yield
        finally:
            with self._lock:
                self._faults.clear()
                self._latencies.clear()
                self._log.clear()
                self._world += 1
                self._is_ending = False
                self._changed.notify_all()

    def record(self, world: int, request: LoggedRequest) -> None:
        with self._lock:
            if self._world == world:
                self._log.append(request)

    def requests(self, route: str = "") -> list[dict[str, Any]]:
        with self._lock:
            logged = list(self._log)
        return [asdict(one) for one in logged if matches(route, one.path)]

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The first fault that is due; it is counted as used."""
        with self._lock:
            for fault in self._faults:
                if not fault.wants(method, path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def latency_for(self, path: str) -> float:
        with self._lock:
            return max(
                (s for route, s in self._latencies.items() if matches(route, path)),
                default=0.0,
            )


wire = Wire()


class WireLayer:
    """WSGI middleware that puts ``wire`` around Django."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            return _without_body(self._answer(environ, start_response))
        return self._answer(environ, start_response)

    def _answer(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        # social-core asks for "<issuer>/" + "/.well-known/…"; Globus minds neither.
        path = re.sub("/{2,}", "/", environ.get("PATH_INFO") or "/")
        # Django makes text of PATH_INFO; a file's name may be any bytes.
        environ["PATH_INFO"] = environ[SENT_PATH] = path
        if path == "/" or path.startswith(CONTROL):
            return self.application(environ, start_response)
        return self._through_the_wire(environ, start_response)

    def _through_the_wire(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        began = time.time()
        with wire.under_way() as world:
            if delay := wire.latency_for(environ["PATH_INFO"]):
                wire.hold_up(world, delay)
            with wire.handling(world) as is_in_time:
                if not is_in_time:
                    _reset_connection(environ)
                return self._logged(world, began, environ, start_response)

    def _logged(
        self, world: int, began: float, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        fault = wire.fault_for(method, path)
        seen: list[int] = []

        def remember(status: str, headers: Any, *rest: Any) -> Any:
            seen.append(int(status[:3]))
            return start_response(status, headers, *rest)

        try:
            if fault is None:
                return self.application(environ, remember)
            return self._faulty(fault, environ, remember)
        finally:
            wire.record(
                world,
                LoggedRequest(
                    method=method,
                    path=path,
                    query=environ.get("QUERY_STRING", ""),
                    status=seen[0] if seen else 0,
                    at=began,
                    seconds=time.time() - began,
                    is_unexpected=UNEXPECTED in environ,
                ),
            )
            if UNEXPECTED in environ:
                query = environ.get("QUERY_STRING", "")
                log.warning(
                    "No route for %s %s%s", method, path, f"?{query}" if query else ""
                )

    def _faulty(
        self, fault: Fault, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if fault.reset == "before":
            _reset_connection(environ)
        if fault.status is not None:
            _read_body(environ)
            return _made_up_answer(fault, start_response)
        answer = self.application(environ, start_response)
        if fault.reset == "after":
            _drop(answer)
            _reset_connection(environ)
        if fault.cut_after is not None:
            return _cut(answer, fault.cut_after, environ)
        if fault.drip_seconds:
            return _drip(answer, fault.drip_seconds)
        return answer


def _without_body(answer: Iterable[bytes]) -> list[bytes]:
    """To HEAD: the headers alone, whichever view answers (RFC 9110 section 9.3.2)."""
    for _ in answer:
        pass  # a fault may hide in the body
    _drop(answer)
    return []


def _made_up_answer(fault: Fault, start_response: StartResponse) -> list[bytes]:
    assert fault.status is not None
    body = fault.body
    if body is None:
        body = {
            "code": "ServiceUnavailable" if fault.status == 503 else "Fault",
            "message": "A fault that a test asked the sandbox for",
            "request_id": "fault0000",
            "resource": fault.route,
        }
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, str) else "application/json"
    headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    try:
        phrase = HTTPStatus(fault.status).phrase
    except ValueError:
        phrase = "Fault"
    start_response(f"{fault.status} {phrase}", headers)
    return [content]


def _read_body(environ: Environ) -> None:
    """Leave nothing unread on a connection that is going to be used again."""
    stream = environ.get("wsgi.input")
    if stream is not None:
        while stream.read(65_536):
            pass


def _drop(answer: Iterable[bytes]) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def _reset_connection(environ: Environ) -> None:
    """Make the kernel send RST, and tell the server that the peer is gone.

    :raises ConnectionResetError: always; gunicorn takes it as a lost client
    """
    peer = environ.get("gunicorn.socket")
    if isinstance(peer, socket.socket):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    raise ConnectionResetError(errno.ECONNRESET, "a test asked for this")


def _drip(answer: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    for piece in answer:
        size = max(1, len(piece) // 10)
        for start in range(0, len(piece), size):
            time.sleep(seconds)
            yield piece[start : start + size]


def _cut(answer: Iterable[bytes], length: int, environ: Environ) -> Iterator[bytes]:
    left = length
    for piece in answer:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            break
    peer = environ.get("gunicorn.socket")
    if isinstance(peer, socket.socket):
        peer.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError(errno.ECONNRESET, "a test asked for this")
