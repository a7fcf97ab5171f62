import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portal import leash
from portal.supervisor import NotReady, ProgramFailed, Supervisor
from tests.portal.processes import eventually, naming

ROOT = Path(__file__).parents[2]

#: has a child of its own, and says when both are there
STUBBORN = """
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "input()", sys.argv[1]],
                         stdin=subprocess.PIPE)
pathlib.Path(sys.argv[1], "up").touch()
child.wait()
"""
PORT_HOLDER = """
import pathlib, socket, sys
server = socket.create_server(("127.0.0.1", 0))
pathlib.Path(sys.argv[1], "port.new").write_text(str(server.getsockname()[1]))
pathlib.Path(sys.argv[1], "port.new").rename(pathlib.Path(sys.argv[1], "port"))
server.accept()
"""
SUPERVISED = """
import sys
from pathlib import Path
from portal.supervisor import Supervisor, ToldToStop, stoppable

folder, program, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
try:
    with stoppable(), Supervisor(folder, folder / "logs", parent=parent) as supervisor:
        supervisor.start("first", [sys.executable, "-c", program, folder])
        supervisor.start("second", [sys.executable, "-c", program, folder])
        print("serving", flush=True)
        supervisor.serve()
except ToldToStop:
    print("told")
"""
GOES_ON = "import sys; sys.stdin.read() or __import__('signal').pause()"


def command(program: str, folder: Path) -> list[str | Path]:
    return [sys.executable, "-c", program, folder]


@pytest.fixture
def supervisor(tmp_path):
    with Supervisor(tmp_path, tmp_path / "logs") as supervisor:
        yield supervisor
    assert naming(tmp_path) == []


@pytest.fixture
def supervised(tmp_path):
    """Starts a process that supervises two programs, and waits until it does."""
    processes: list[subprocess.Popen[str]] = []

    def start(program=GOES_ON, parent=0):
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISED, tmp_path, program, str(parent)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "serving\n"
        return process

    yield start
    for process in processes:
        with process:  # closes its pipes
            process.kill()
    assert eventually(lambda: not naming(tmp_path))


def test_a_program_that_ends_is_named_with_the_end_of_its_log(supervisor, tmp_path):
    supervisor.start("steady", command(GOES_ON, tmp_path))
    supervisor.start("weak", command("print('my last words'); exit(3)", tmp_path))

    with pytest.raises(ProgramFailed, match=r"weak ended with status 3[\s\S]*my last"):
        supervisor.serve()


def test_a_killed_program_counts_as_ended(supervisor, tmp_path):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    supervisor.start("weak", command(program, tmp_path))

    with pytest.raises(ProgramFailed, match=f"status {128 + signal.SIGKILL}"):
        supervisor.serve()


def test_a_program_that_does_not_exist_is_named(supervisor):
    supervisor.start("missing", ["/nowhere/program"])

    with pytest.raises(ProgramFailed, match=r"missing ended[\s\S]*cannot be started"):
        supervisor.serve()


def test_what_was_run_to_its_end_is_returned(supervisor, tmp_path):
    assert supervisor.run("once", command("print('done')", tmp_path)) == "done\n"


def test_what_fails_is_named(supervisor, tmp_path):
    with pytest.raises(ProgramFailed, match=r"once failed with status 2"):
        supervisor.run("once", command("exit(2)", tmp_path))


def test_a_program_that_ends_meanwhile_is_noticed_by_a_run(supervisor, tmp_path):
    supervisor.start("weak", command("exit(3)", tmp_path))

    with pytest.raises(ProgramFailed, match="weak"):
        supervisor.run("once", command(GOES_ON, tmp_path))


def test_what_does_not_come_up_is_named(supervisor):
    with pytest.raises(NotReady, match="The moon is not green after 0 seconds"):
        supervisor.wait_until(lambda: False, "The moon is not green", 0)


def test_an_exception_half_way_leaves_no_process(tmp_path):
    def half_way() -> None:
        with Supervisor(tmp_path, tmp_path / "logs") as supervisor:
            supervisor.start("steady", command(GOES_ON, tmp_path))
            assert eventually(lambda: naming(tmp_path))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_way()

    assert naming(tmp_path) == []


def test_programs_that_will_not_stop_are_killed_with_their_children(tmp_path):
    with Supervisor(tmp_path, tmp_path / "logs", patience_seconds=0.1) as supervisor:
        stubborn = supervisor.start("stubborn", command(STUBBORN, tmp_path))
        assert eventually((tmp_path / "up").exists)

    assert stubborn.status() == 128 + signal.SIGKILL
    assert naming(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(supervised, tmp_path, number):
    process = supervised()

    process.send_signal(number)

    output, _ = process.communicate()
    assert (output, process.returncode) == ("told\n", 0)
    assert naming(tmp_path) == []


def test_a_killed_supervisor_leaves_no_process(supervised, tmp_path):
    process = supervised()
    assert eventually(lambda: len(naming(tmp_path)) > 2)

    process.kill()

    assert eventually(lambda: not naming(tmp_path))


def test_a_killed_supervisor_leaves_no_port(supervised, tmp_path):
    process = supervised(PORT_HOLDER)
    assert eventually((tmp_path / "port").exists)

    process.kill()

    assert eventually(lambda: not naming(tmp_path))
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path)


def test_what_was_killed_is_waited_for(monkeypatch):
    """A group is there for a while after the signal that ends it."""
    asked = []

    def killpg(group, number):
        asked.append(number)
        if len(asked) == 4:
            raise ProcessLookupError

    monkeypatch.setattr("os.killpg", killpg)
    leash._end_group(2**22 + 1)
    assert asked == [signal.SIGKILL, 0, 0, 0]


def test_what_nobody_reaps_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr("os.killpg", lambda group, number: None)
    monkeypatch.setattr(leash, "DEATH_SECONDS", 0.01)
    leash._end_group(2**22 + 1)


def test_a_terminated_leash_keeps_its_program(tmp_path):
    with Supervisor(tmp_path, tmp_path / "logs") as supervisor:
        program = supervisor.start("steady", command(PORT_HOLDER, tmp_path))
        assert eventually((tmp_path / "port").exists)
        (hold,) = (p for p in naming(tmp_path) if "leash.py" in str(p.cmdline()))

        hold.terminate()

        connect(tmp_path)  # which ends it
        assert eventually(lambda: program.status() == 0)


def test_the_end_of_the_parent_is_the_end(supervised, tmp_path):
    nobody = 2**22 + 1  # beyond the largest process id

    process = supervised(parent=nobody)

    output, _ = process.communicate()
    assert output == "told\n"
    assert naming(tmp_path) == []


def connect(folder: Path) -> None:
    port = int((folder / "port").read_text())
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
