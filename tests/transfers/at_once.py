"""The same work by several threads, none of which begins before all are there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection


def at_once(count: int, work: Callable[[], object]) -> None:
    """What one of them raises is raised here."""
    ready = threading.Barrier(count)

    def one() -> None:
        try:
            ready.wait()
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        for each in [pool.submit(one) for _ in range(count)]:
            each.result()
