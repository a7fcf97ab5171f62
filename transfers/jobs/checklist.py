"""A checklist: what was looked at, what it came to, and a way on if it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"


@dataclass(frozen=True)
class Check:
    """:ivar key: stays the same from one preflight to the next
    :ivar fix: what to do about it; empty if there is nothing to do
    :ivar grant: an identity that is to be given access, to be copied
    :ivar place: the collection where that is done
    :ivar blocks: a run cannot work, and a task would only hang on it, or be refused in
        words that help nobody
    """

    key: str
    title: str
    state: str
    says: str
    fix: str = ""
    grant: str = ""
    place: str = ""
    blocks: bool = False

    def as_json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in _SHOWN}


_SHOWN = ("key", "title", "state", "says", "fix", "grant", "place")


@dataclass
class Checklist:
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing is known that will make the job fail."""
        return all(check.state != BAD for check in self.checks)

    @property
    def blocking(self) -> list[Check]:
        return [check for check in self.checks if check.blocks]

    @property
    def sentence(self) -> str:
        bad = [check for check in self.checks if check.state == BAD]
        if not bad:
            return "Nothing stands in the way of this job."
        things = "1 thing stands" if len(bad) == 1 else f"{len(bad)} things stand"
        return f"{things} in the way: {', '.join(check.title for check in bad)}."

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [check.as_json() for check in self.checks],
        }

    def add(self, key: str, title: str, state: str, says: str, **more: Any) -> None:
        """The same said twice, of two paths of a batch, stands there once."""
        check = Check(key, title, state, says, **more)
        if check not in self.checks:
            self.checks.append(check)
