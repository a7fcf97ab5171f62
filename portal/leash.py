"""Starts a program that cannot outlive this process, however this process ends.

Between us and the program stands a small process, this same file run as a script,
which reads a pipe that only we hold open. When we say stop, or when the pipe closes
because we were killed, it stops the program and everything in the program's group.
It knows nothing but the standard library, so it starts in about 20 ms.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

#: how long the leash itself may need beyond the patience it has with the program
MARGIN_SECONDS = 5.0
#: how long those that a program left in its group may take to be gone once killed
DEATH_SECONDS = 2.0


class Leashed:
    """A running program, which stops at the latest when this process ends.

    :param log: where its output goes; each start begins the file anew
    :param user: run as this system user (only root may say so)
    :param held: a file that stays open, and so stays locked, until the program is gone
    :param stop_signal: how the program is asked to stop
    :param patience_seconds: how long after that it is killed
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str],
        folder: Path | None = None,
        user: str = "",
        held: IO[str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        patience_seconds: float = 8.0,
    ) -> None:
        self.name = name
        self.log = log
        self._patience_seconds = patience_seconds
        leash = [sys.executable, "-I", "-S", __file__]
        leash += [str(int(stop_signal)), str(patience_seconds), user]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 (callers name programs)
                [*leash, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                pass_fds=(held.fileno(),) if held else (),
                start_new_session=True,  # Ctrl-C in a terminal is for us alone
            )

    def status(self) -> int | None:
        """None while it runs, then its exit status (128 + n: ended by signal n)."""
        return self._process.poll()

    def log_tail(self, lines: int = 20) -> str:
        text = self.log.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def ask_to_stop(self) -> None:
        """Say stop and return at once; ``stop`` waits. Again is harmless."""
        assert self._process.stdin
        if self._process.stdin.closed:
            return
        with suppress(BrokenPipeError):  # it ended by itself
            # A word, since a fork of ours may hold the pipe open after we close it.
            self._process.stdin.write(b"stop")
            self._process.stdin.close()

    def stop(self) -> None:
        """Returns when the program and its group are gone."""
        self.ask_to_stop()
        self._process.wait(self._patience_seconds + MARGIN_SECONDS)


def stop_all(programs: Sequence[Leashed]) -> None:
    """Stop them side by side, so that the slowest one sets the time."""
    for program in programs:
        program.ask_to_stop()
    for program in programs:
        program.stop()


def _hold(stop_signal: int, patience_seconds: float, user: str, *command: str) -> int:
    """Run the command until it ends or the pipe tells us to end it."""
    # Only the pipe ends a leash, else the program would run on without one.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: None)
    try:
        program = subprocess.Popen(  # noqa: S603 (from our parent)
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            user=user or None,
            group=user or None,
            extra_groups=[] if user else None,
        )
    except OSError as err:
        print(f"{command[0]} cannot be started: {err.strerror}.")  # noqa: T201 (its log)
        return 127
    try:
        threading.Thread(
            target=_stop_when_told,
            args=(program, stop_signal, patience_seconds),
            daemon=True,
        ).start()
        status = program.wait()
        return status if status >= 0 else 128 - status
    finally:
        _end_group(program.pid)


def _stop_when_told(
    program: "subprocess.Popen[bytes]", stop_signal: int, patience_seconds: float
) -> None:
    os.read(sys.stdin.fileno(), 1)  # the word, or the end of who would have said it
    program.send_signal(stop_signal)
    try:
        program.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        _kill_group(program.pid)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _end_group(group: int) -> None:
    """Kills the group and waits until it is gone: to die takes a moment on a busy
    machine. Not for ever, for there may be nobody who reaps what has died.
    """
    _kill_group(group)
    give_up_at = time.monotonic() + DEATH_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < give_up_at:
            os.killpg(group, 0)
            time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(_hold(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:]))
