"""The sandbox ends when it is told to, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sandbox.testing import REPOSITORY
from tests.sandbox.waiting import until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_and_frees_its_port(number):
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(8)]
    assert all(line.startswith("export ") for line in lines)
    port = int(lines[1].rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /_sandbox/health HTTP/1.0\r\n\r\n")
        assert b"200 OK" in connection.recv(4096)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    (worker,) = children.read_text().split()

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert errors == ""
    assert not Path(f"/proc/{worker}").exists()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_it_ends_with_a_test_run_that_was_killed(tmp_path):
    """Else each worker of a killed run would leave one behind."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from sandbox.testing import Sandbox\n"
        "sandbox = Sandbox.start(Path(sys.argv[1]))\n"
        "print(sandbox.url, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        assert requests.get(f"{url}/_sandbox/health", timeout=30).ok
        run.kill()

    def is_gone() -> bool:
        try:
            requests.get(f"{url}/_sandbox/health", timeout=30)
        except requests.ConnectionError:
            return True
        return False

    until(is_gone, "the end of the sandbox")
