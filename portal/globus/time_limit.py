"""A limit for the whole of a request, however its answer drips (security.md L18, R05).

The timeout of a socket is for one read, so that a byte now and then would hold a web
process, or what a worker has claimed, for ever. Here one thread per process cuts the
connections of a request whose time is over; what waits for them fails at once.
"""

from __future__ import annotations

import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class TimeLimit:
    """Cuts the connections that it was shown when the time is over.

    :ivar is_over: the time was over before the limit was lifted
    """

    __slots__ = ("_lines", "_lock", "ends_at", "is_over")

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self.ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._lines: list[socket.socket] | None = []

    def watch(self, connected: socket.socket) -> None:
        """From now on this connection, too, ends with the limit."""
        # A duplicate: TLS takes the socket itself over, and a number that was closed
        # and given to another connection must not be cut.
        line = socket.fromfd(connected.fileno(), connected.family, connected.type)
        with self._lock:
            if self._lines is None:
                line.close()
                return
            self._lines.append(line)
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        with self._lock:
            if self._lines is None:
                return
            self.is_over = True
            for each in self._lines:
                with suppress(OSError):  # the other side was faster
                    each.shutdown(socket.SHUT_RDWR)

    def lift(self) -> None:
        """Nothing is cut any more when this returns."""
        with self._lock:
            lines, self._lines = self._lines, None
        for each in lines or ():
            each.close()


_current: ContextVar[TimeLimit | None] = ContextVar("time_limit", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """What is asked inside has so long; within another limit no longer than that."""
    outer = _current.get()
    limit = TimeLimit(seconds)
    if outer is not None:
        limit.ends_at = min(limit.ends_at, outer.ends_at)
    token = _current.set(limit)
    _watcher(os.getpid()).add(limit)
    try:
        yield limit
    finally:
        limit.lift()
        _current.reset(token)


def time_is_over() -> bool:
    """Whether nothing that is asked now can still be answered."""
    limit = _current.get()
    return limit is not None and limit.is_over


class _Watcher:
    """The thread that waits for the next limit to end.

    A limit that was lifted stays in the heap until its time; it holds nothing then.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._waiting: list[tuple[float, int, TimeLimit]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="time-limits", daemon=True).start()

    def add(self, limit: TimeLimit) -> None:
        with self._changed:
            entry = (limit.ends_at, next(self._numbers), limit)
            heapq.heappush(self._waiting, entry)
            if self._waiting[0] is entry:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next().cut()

    def _next(self) -> TimeLimit:
        with self._changed:
            while True:
                pause = None
                if self._waiting:
                    pause = self._waiting[0][0] - time.monotonic()
                    if pause <= 0:
                        return heapq.heappop(self._waiting)[2]
                self._changed.wait(pause)


_lock = threading.Lock()
_watchers: dict[int, _Watcher] = {}


def _watcher(process_id: int) -> _Watcher:
    """One per process: a thread does not come along when a process is forked."""
    watcher = _watchers.get(process_id)
    if watcher is None:
        with _lock:
            watcher = _watchers.get(process_id)
            if watcher is None:
                watcher = _watchers[process_id] = _Watcher()
    return watcher


# --- connections that can be cut


class Cuttable:
    """Stands before a connection class of urllib3."""

    sock: Any

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        _watch(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # one that was kept
            _watch(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]


def _watch(connected: socket.socket) -> None:
    limit = _current.get()
    if limit is not None:
        limit.watch(connected)


class _Connection(Cuttable, HTTPConnection):
    pass


class _TLSConnection(Cuttable, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class InTimeAdapter(HTTPAdapter):
    """Makes connections that a limit can cut."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
