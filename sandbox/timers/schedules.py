"""When a timer runs: at ``start + n · interval`` of the virtual clock."""

import math
from dataclasses import dataclass
from typing import Any

from sandbox import clock

SHORTEST_SECONDS = 60
YEAR_SECONDS = 365 * 86_400


class Invalid(Exception):
    """A part of a document that is not as it has to be (a 422).

    :ivar where: the path to the part
    """

    def __init__(self, where: list[str], message: str) -> None:
        self.where = where
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class Schedule:
    """:ivar interval: seconds, None for a single run
    :ivar count: runs after which the timer has ended
    :ivar until: no run later than this
    """

    start: float
    interval: float | None = None
    count: int | None = None
    until: float | None = None

    def next_after(self, moment: float) -> float | None:
        """The first tick later than ``moment``."""
        if self.start > moment:
            tick = self.start
        elif self.interval is None:
            return None
        else:
            passed = math.floor((moment - self.start) / self.interval) + 1
            tick = self.start + passed * self.interval
        return None if self.until is not None and tick > self.until else tick

    def is_over(self, runs: int) -> bool:
        return self.count is not None and runs >= self.count

    def document(self) -> dict[str, Any]:
        """The form that answers have: always ``count``, always a start."""
        if self.interval is None:
            return {"type": "once", "datetime": clock.iso(self.start)}
        end: dict[str, Any] | None = None
        if self.count is not None:
            end = {"condition": "iterations", "count": self.count}
        if self.until is not None:
            end = {"condition": "time", "datetime": clock.iso(self.until)}
        return {
            "type": "recurring",
            "interval_seconds": _plain(self.interval),
            "start": clock.iso(self.start),
            "end": end,
        }


def _plain(seconds: float) -> float | int:
    return int(seconds) if seconds == int(seconds) else seconds


def read(document: Any) -> Schedule:
    """A schedule out of a request; ``iterations`` is read as ``count`` too.

    :raises Invalid: it is none
    """
    if not isinstance(document, dict):
        raise Invalid(["schedule"], "field required")
    match document.get("type"):
        case "once":
            return Schedule(_start(document, "datetime"))
        case "recurring":
            return _recurring(document)
    raise Invalid(["schedule", "type"], "unexpected value; permitted: once, recurring")


def _recurring(document: dict[str, Any]) -> Schedule:
    interval = document.get("interval_seconds")
    if isinstance(interval, bool) or not isinstance(interval, int | float):
        raise Invalid(["schedule", "interval_seconds"], "value is not a number")
    if not SHORTEST_SECONDS <= interval <= YEAR_SECONDS:
        raise Invalid(
            ["schedule", "interval_seconds"],
            f"must be {SHORTEST_SECONDS} to {YEAR_SECONDS} seconds",
        )
    count, until = _end(document.get("end"))
    return Schedule(_start(document, "start"), float(interval), count, until)


def _start(document: dict[str, Any], name: str) -> float:
    now = clock.now()
    if document.get(name) is None:
        return now
    start = moment(document[name], ["schedule", name])
    if start > now + YEAR_SECONDS:
        raise Invalid(["schedule", name], "must be within a year")
    return start


def moment(text: Any, where: list[str]) -> float:
    """:raises Invalid: it is not a date"""
    try:
        return clock.from_text(str(text))
    except (ValueError, OverflowError) as err:
        raise Invalid(where, "invalid datetime format") from err


def _end(end: Any) -> tuple[int | None, float | None]:
    where = ["schedule", "end"]
    if end is None:
        return None, None
    if not isinstance(end, dict):
        raise Invalid(where, "value is not a valid dict")
    if "datetime" in end:
        return None, moment(end["datetime"], [*where, "datetime"])
    count = end.get("count", end.get("iterations"))
    if type(count) is not int or not 0 < count <= 1_000_000:
        raise Invalid([*where, "count"], "must be a whole number above 0")
    return count, None
