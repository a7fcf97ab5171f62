"""What runs beside the requests: the task engine and the timers."""

from sandbox.timers.runner import runner
from sandbox.transfer.engine import engine


def start() -> None:
    engine.start()
    runner.start()


def stop() -> None:
    """Everything that is unfinished stays so, for the next start."""
    runner.stop()
    engine.stop()


def wake() -> None:
    """The clock or a knob has changed."""
    runner.wake()
    engine.wake()
