"""One line of a benchmark's output, and how the numbers in it are taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """:ivar met: whether ``ours`` reaches ``goal``"""

    name: str
    ours: str
    baseline: str
    ratio: float
    goal: str
    met: bool

    def __str__(self) -> str:
        met = "met" if self.met else "short"
        return (
            f"{self.name} | {self.ours} | {self.baseline} | "
            f"{self.ratio:.2f} | {self.goal} | {met}"
        )


@dataclass(frozen=True)
class Timing:
    """Milliseconds of many calls of one thing.

    :ivar cpu: the median of what the thread worked; a busy machine adds nothing to it
    """

    median: float
    low: float
    high: float
    cpu: float

    def __str__(self) -> str:
        span = f"{self.low:.2f}–{self.high:.2f}"
        return f"{self.median:.2f} ms ({span}; processor {self.cpu:.2f})"


def interleaved(
    ways: Mapping[str, Callable[[], object]], *, rounds: int, slice_length: int = 20
) -> dict[str, Timing]:
    """Runs the ways in turn, a slice of calls each, so that all share a busy minute.

    The first call of a slice is not counted: it pays for what the others left in the
    processor's caches, which a process that does one thing does not.

    :returns: for each way its median and the span of the middle nine tenths
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            run()
            for _ in range(slice_length):
                start, worked = time.perf_counter(), time.thread_time()
                run()
                wall = time.perf_counter() - start
                worked = time.thread_time() - worked
                taken[name].append((wall * 1000, worked * 1000))
    return {name: _timing(values) for name, values in taken.items()}


def _timing(values: list[tuple[float, float]]) -> Timing:
    walls, workings = zip(*values, strict=True)
    cuts = statistics.quantiles(walls, n=20)
    cpu = statistics.median(workings)
    return Timing(statistics.median(walls), cuts[0], cuts[-1], cpu)
