"""What the supervisor promises is tested with small programs elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no stubs here
import pytest

from portal import demo
from tests.portal.processes import connections_of, eventually, naming

ROOT = Path(__file__).parents[2]

DEMO = """
import sys
from pathlib import Path
from portal import demo

demo.FOLDER = Path(sys.argv[1]) / "demo"
sys.exit(demo.main(sys.argv[2:]))
"""


@pytest.fixture
def folder():
    """Short, as a checkout is; pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="cw-") as name:
        yield Path(name)
        assert eventually(lambda: not naming(name))


@pytest.fixture
def start(folder):
    """Starts a demo as a process, with nothing set but what the test sets."""
    processes: list[subprocess.Popen[str]] = []

    def started(*arguments, **settings):
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        process = subprocess.Popen(
            [sys.executable, "-c", DEMO, folder, *arguments],
            cwd=ROOT,
            env={**kept, "TMPDIR": str(folder), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield started
    for process in processes:
        with process:  # closes its pipes
            process.kill()


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def own_ports():
    with demo.own_ports(2) as ports:
        yield ports


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate()
    return process.returncode, output


def listening_ports(processes: list[psutil.Process]) -> set[int]:
    return {
        connection.laddr.port
        for connection in connections_of(processes, "tcp")
        if connection.status == "LISTEN"
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is kept")
def test_a_port_is_kept_for_the_server_that_names_it():
    with demo.own_ports(1) as [port]:
        for _ in range(2):  # a server may be started once more
            with socket.create_server(("127.0.0.1", port)):
                socket.create_connection(("127.0.0.1", port)).close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    demo.check_port(port, "for this test", "")


def test_a_port_in_use_is_named_and_nothing_starts(start, folder, taken_port):
    status, output = outcome(start("--port", str(taken_port)))

    assert status == 1
    assert f"Port {taken_port} is wanted for the portal" in output
    assert "make demo PORT=" in output
    assert not (folder / "demo").exists()


def test_the_sandbox_port_in_use_is_named(start, folder, taken_port, own_ports):
    free, _ = own_ports

    status, output = outcome(start("--port", str(free), SANDBOX_PORT=str(taken_port)))

    assert status == 1
    assert f"Port {taken_port} is wanted for the sandbox" in output
    assert "SANDBOX_PORT=" in output
    assert not (folder / "demo").exists()


def test_a_sandbox_port_that_is_no_number_is_named(start):
    status, output = outcome(start(SANDBOX_PORT="many"))

    assert (status, output) == (1, "SANDBOX_PORT must be a whole number, not “many”.\n")


def test_a_database_out_of_reach_is_named(start):
    status, output = outcome(
        start("--once", DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/portal")
    )

    assert status == 1
    assert "DATABASE_URL" in output
    assert "hidden" not in output


def test_a_failure_half_way_shows_the_log_and_leaves_nothing(start, folder):
    status, output = outcome(start("--once", PORTAL_DATABASE_POOL="many"))

    assert status == 1
    assert "migrate failed" in output
    assert "PORTAL_DATABASE_POOL must be a whole number" in output
    assert not naming(folder)
    assert not [*folder.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_half_way_it_leaves_no_process_and_no_port(start, folder, number):
    process = start("--once")
    assert eventually(lambda: [*folder.glob("*/logs/migrate.log")])
    ports = listening_ports(naming(folder))
    assert ports

    process.send_signal(number)

    assert process.wait() != 0
    assert eventually(lambda: not naming(folder))
    for port in ports:
        demo.check_port(port, "for this test", "")


def test_the_whole_main_job_passes(start, folder):
    status, output = outcome(start("--once"))

    assert status == 0, output
    assert [line[:5] for line in output.splitlines()] == ["PASS "] * 5
    assert not naming(folder)
    assert not [*folder.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_serves_until_it_is_stopped_and_leaves_nothing(
    start, folder, number, own_ports
):
    port, sandbox_port = own_ports
    process = start("--port", str(port), SANDBOX_PORT=str(sandbox_port))
    lines = iter(process.stdout.readline, "")
    assert any("Ctrl-C stops everything" in line for line in lines)
    assert demo.answers(f"http://localhost:{port}/healthz")
    assert {port, sandbox_port} <= listening_ports(naming(folder))

    process.send_signal(number)

    status, output = outcome(process)
    expected = (0, "Stopped.") if number == signal.SIGINT else (-number, "")
    assert (status, output.strip()) == expected
    assert eventually(lambda: not naming(folder))
    for each in own_ports:
        demo.check_port(each, "for this test", "")


def test_a_process_that_dies_is_named_and_ends_the_demo(start, folder, own_ports):
    port, sandbox_port = own_ports
    process = start("--port", str(port), SANDBOX_PORT=str(sandbox_port))
    lines = iter(process.stdout.readline, "")
    assert any("Ctrl-C stops everything" in line for line in lines)
    (beat,) = (
        found
        for found in naming(folder / "demo" / "beat")
        if "leash.py" not in " ".join(found.cmdline())
    )

    beat_log = folder / "demo" / "logs" / "beat.log"
    assert eventually(lambda: "Starting..." in beat_log.read_text())

    beat.kill()

    status, output = outcome(process)
    assert status == 1
    assert f"beat ended with status {128 + signal.SIGKILL}" in output
    assert "Starting..." in output, "the end of its log"
    assert not naming(folder)


def test_exports_are_read_from_between_other_lines(tmp_path):
    log = tmp_path / "sandbox.log"
    log.write_text("export A='one two'\nlet's go\nexport B=3\n")

    assert demo.exports_in(log) == {"A": "one two", "B": "3"}


def test_the_environment_file_is_for_its_owner_and_for_a_shell(tmp_path):
    path = tmp_path / "environment"

    demo.write_environment(path, {"URL": "a?b='c d'"})

    assert path.stat().st_mode & 0o777 == 0o600
    shell = subprocess.run(
        ["sh", "-c", f'. {path} && printf %s "$URL"'], capture_output=True, text=True
    )
    assert shell.stdout == "a?b='c d'"


def test_a_setting_replaces_its_other_form():
    around = {
        "REDIS_URL_FILE": "/etc/redis",
        "PORTAL_SECRET_KEY": "theirs",
        "HOME": "/home/ada",
        "DJANGO_SETTINGS_MODULE": "elsewhere",
    }
    ours = {"REDIS_URL": "unix:///r", "PORTAL_SECRET_KEY_FILE": "/key"}

    assert demo.unambiguous(around, ours) == {**ours, "HOME": "/home/ada"}
