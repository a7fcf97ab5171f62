"""Runs a Python program that cannot reach another machine (check 68).

    python tests/guarded.py PROGRAM ARGUMENTS…
    python tests/guarded.py -m MODULE ARGUMENTS…

An audit hook refuses each connection, datagram and look-up of a name that is not
loopback's. Child processes that are forked have it too. It knows nothing but the
standard library: the ``globus`` command runs below it in an environment of its own.
"""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

#: this file, to be run as a script
GUARD = __file__
GUARDED_SANDBOX = (sys.executable, GUARD, "-m", "sandbox")

LOOPBACK = re.compile(r"127(\.\d+){3}")
HERE = ("::1", "localhost", "", None, b"localhost")


class LeftTheMachine(AssertionError):
    """A test, or a program in it, wanted to reach something else than loopback."""


def check(host: Any) -> None:
    """:raises LeftTheMachine: it is not this machine"""
    text = host.decode() if isinstance(host, bytes) else host
    is_loopback = isinstance(text, str) and LOOPBACK.fullmatch(text)
    if host not in HERE and not is_loopback:
        raise LeftTheMachine(f"A connection to {host!r}")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple):  # that of a Unix socket is a text
            check(address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        check(arguments[0])


def main() -> None:
    sys.addaudithook(_hook)
    sys.argv = sys.argv[1:]
    if sys.argv[0] != "-m":
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    sys.argv = sys.argv[1:]
    sys.path[0] = ""  # as ``python -m`` has it, instead of this file's folder
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
