"""Starts programs, watches over them, and leaves none behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from portal.leash import Leashed, stop_all

POLL_SECONDS = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProgramFailed(Exception):
    """A program failed, or ended when it should go on; the text shows its log."""

    def __init__(self, program: Leashed, what: str) -> None:
        super().__init__(
            f"{program.name} {what}; the end of {program.log}:\n{program.log_tail()}"
        )


class NotReady(Exception):
    """Something did not come up in time; the text is a sentence."""


class ToldToStop(Exception):
    """Ctrl-C, SIGTERM, a closed terminal, or the end of whoever started us."""


class Supervisor:
    """Programs that belong together: when one ends, all do.

    :param folder: where they run
    :param logs: gets one file per program, ``NAME.log``
    :param parent: the process without which we stop as well; 0 if none is
    :param patience_seconds: how long a program may take to stop by itself
    """

    def __init__(
        self,
        folder: Path,
        logs: Path,
        *,
        parent: int = 0,
        patience_seconds: float = 8.0,
    ) -> None:
        self.environment: Mapping[str, str] = dict(os.environ)
        self._folder = folder
        self._logs = logs
        self._parent = parent
        self._patience_seconds = patience_seconds
        self._programs: list[Leashed] = []
        self._watched: list[Leashed] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stop_all(self._programs)

    def start(self, name: str, command: Sequence[str | Path]) -> Leashed:
        """Start a program that is to run until we stop."""
        program = self._leashed(name, command)
        self._watched.append(program)
        return program

    def watch(self, programs: Sequence[Leashed]) -> None:
        """Watch over programs that somebody else started, and stops."""
        self._watched += programs

    def run(self, name: str, command: Sequence[str | Path]) -> str:
        """Run a program to its end.

        :returns: what it wrote
        :raises ProgramFailed: its exit status is not 0
        """
        program = self._leashed(name, command)
        while program.status() is None:
            self.check()
            time.sleep(POLL_SECONDS)
        if program.status() != 0:
            raise ProgramFailed(program, f"failed with status {program.status()}")
        return program.log.read_text(errors="replace")

    def wait_until(self, is_so: Callable[[], bool], what: str, seconds: float) -> None:
        """:raises NotReady: it was not so in time"""
        give_up_at = time.monotonic() + seconds
        while not is_so():
            self.check()
            if time.monotonic() > give_up_at:
                raise NotReady(f"{what} after {seconds:.0f} seconds.")
            time.sleep(POLL_SECONDS)

    def serve(self) -> NoReturn:
        """Go on until a program ends or we are told to stop."""
        while True:
            self.check()
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """:raises ProgramFailed: a program has ended
        :raises ToldToStop: the process that started us has
        """
        if self._parent and os.getppid() != self._parent:
            raise ToldToStop
        for program in self._watched:
            status = program.status()
            if status is not None:
                raise ProgramFailed(program, f"ended with status {status}")

    def _leashed(self, name: str, command: Sequence[str | Path]) -> Leashed:
        program = Leashed(
            name,
            command,
            log=self._logs / f"{name}.log",
            environment=self.environment,
            folder=self._folder,
            patience_seconds=self._patience_seconds,
        )
        self._programs.append(program)
        return program


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, the signals that end a program raise ``ToldToStop``, and only once: what
    tidies up is not interrupted.
    """

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise ToldToStop

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
