"""What knobs take. Each check returns the value, or says in words what is wanted.

A value that got past here would break later, and elsewhere: a fault with the status
"abc" would be a bare 500 of the route that it hits, a clock that shows no number one
of everything.
"""

import math
from typing import Any

from sandbox.wire import Fault

#: the virtual clock stays between 1970 and the year 3000
MOST_MOMENT = 32_503_680_000.0
MOST_SPEED = 1_000_000.0
#: latencies, and pauses between two pieces of an answer
MOST_WAIT = 86_400.0
MOST_WHOLE = 10**15

Document = dict[str, Any]


class Refused(ValueError):
    """A knob that does not turn that way."""


def known(asked: Document, names: set[str] | frozenset[str], what: str) -> None:
    """:raises Refused: ``asked`` names something else, perhaps a slip of the pen"""
    if unknown := set(asked) - names:
        raise Refused(f"{what} has no {sorted(unknown)}")


def number(name: str, value: Any, least: float, most: float) -> float:
    """A number, or the text of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused(f"{name} is a number")
    found = float(value)
    if not math.isfinite(found) or not least <= found <= most:
        raise Refused(f"{name} is a number from {least:.0f} to {most:.0f}")
    return found


def whole(name: str, value: Any, least: int = 0, most: int = MOST_WHOLE) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Refused(f"{name} is a whole number from {least} to {most}")
    return value


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"{name} is a text")
    return value


def texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused(f"{name} is a list of texts")
    return value


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{name} is true or false")
    return value


def fault(asked: Document) -> Fault:
    """The fault that a document describes."""
    names = frozenset(Fault.__dataclass_fields__)
    known(asked, names, "A fault")
    if not asked.get("route"):
        raise Refused("A fault needs a route")
    found = Fault(**asked)
    text("route", found.route)
    text("method", found.method)
    if found.reset not in ("", "before", "after"):
        raise Refused("reset is before or after")
    if found.status is not None:
        whole("status", found.status, 200, 599)
    for name in ("retry_after", "cut_after", "times"):
        if getattr(found, name) is not None:
            whole(name, getattr(found, name))
    whole("skip", found.skip)
    found.drip_seconds = number("drip_seconds", found.drip_seconds, 0, MOST_WAIT)
    return found


def collection(asked: Document) -> None:
    """What ``set_collection`` takes."""
    for name, value in asked.items():
        match name:
            case "connected" | "paused" | "public" | "high_assurance":
                flag(name, value)
            case "session_domain":
                text(name, value)
            case "authentication_timeout_mins":
                if value is not None:
                    whole(name, value, most=10**6)
            case "denied_paths":
                texts(name, value)
            case _:
                raise Refused(f"A collection has no knob {name!r}")


def policy(asked: Document) -> None:
    """What ``set_policy`` takes."""
    for name, value in asked.items():
        match name:
            case "display_name":
                text(name, value)
            case "domains":
                texts(name, value)
            case "timeout_seconds":
                if value is not None:
                    whole(name, value, 1, 10**9)
            case "required_mfa":
                flag(name, value)
            case _:
                raise Refused(f"A policy has no {name!r}")
