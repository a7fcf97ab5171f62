"""What a process with many threads keeps of what they have read."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

#: Eight threads read 10 MB each, one after the other, and keep the last 2 KB of it.
READING = """
import sys, threading
from pathlib import Path
from resource import getpagesize

if "early" in sys.argv:
    from portal.memory import give_back_early
    give_back_early()

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()

def read(turn):
    turn.wait()
    rows = [bytearray(2000) for _ in range(5000)]
    kept = rows.pop()
    del rows
    done.release()
    leave.wait()
    return kept

done, leave = threading.Semaphore(0), threading.Event()
turns = [threading.Event() for _ in range(8)]
threads = [threading.Thread(target=read, args=(turn,)) for turn in turns]
for thread in threads:
    thread.start()
before = resident()
for turn in turns:
    turn.set()
    done.acquire()
print(resident() - before)
leave.set()
"""


def kept_bytes(*arguments):
    ended = subprocess.run(
        [sys.executable, "-c", READING, *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps")
def test_threads_use_one_heap_one_after_the_other():
    """Without it, each thread holds on to a heap of its own."""
    early, otherwise = kept_bytes("early"), kept_bytes()
    assert early < 20_000_000
    assert otherwise > 3 * early


def test_another_libc_is_left_alone(monkeypatch):
    import ctypes

    from portal.memory import give_back_early

    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back_early()
