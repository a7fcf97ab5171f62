"""What runs on this machine, for tests that must leave nothing running."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no stubs here

#: only what never comes is waited for so long; a machine under load is slow
LIMIT_SECONDS = 90.0


def naming(text: str | Path) -> list[psutil.Process]:
    """The processes whose command line or environment names something, such as the
    folder that a test is about.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(text) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(process)
    return found


def connections_of(processes: Iterable[psutil.Process], kind: str) -> list[Any]:
    """What they hold open, those left out that have ended meanwhile.

    :param kind: ``tcp``, ``inet``, … of psutil
    """
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found += process.net_connections(kind)
    return found


def eventually(is_so: Callable[[], object]) -> bool:
    """Look again and again, for a limited time."""
    give_up_at = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < give_up_at:
        if is_so():
            return True
        time.sleep(0.02)
    return False
