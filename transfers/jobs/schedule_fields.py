"""Days off and blackout windows, as people write them and as a schedule keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from django.core.exceptions import ValidationError

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_DAYS_OFF = 400
MOST_WINDOWS = 20

_WINDOW = re.compile(r"(?:(\S.*?)\s+)?(\d{1,2}:\d\d)\s*(?:-|–|to)\s*(\d{1,2}:\d\d)")


def days_off(text: str) -> list[str]:
    """Dates as ``YYYY-MM-DD``, sorted, each once.

    :raises ValidationError: a sentence per line that is no date
    """
    found: set[str] = set()
    wrong: list[str] = []
    for number, line in _lines(text):
        try:
            found.add(date.fromisoformat(line).isoformat())
        except ValueError:
            wrong.append(f"Line {number}: “{line[:40]}” is not a date like 2026-12-24.")
    if len(found) > MOST_DAYS_OFF:
        wrong.append(f"There are more than {MOST_DAYS_OFF} days; use a window or end.")
    if wrong:
        raise ValidationError(wrong)
    return sorted(found)


def blackouts(text: str) -> list[dict[str, Any]]:
    """``Mon-Fri 08:00-18:00`` lines as ``{"days": [0, …], "from": …, "to": …}``.

    :raises ValidationError: a sentence per line that cannot be read
    """
    found: list[dict[str, Any]] = []
    wrong: list[str] = []
    for number, line in _lines(text):
        try:
            found.append(_window(line))
        except ValueError:
            wrong.append(
                f"Line {number}: “{line[:40]}” is not a window like "
                "“Mon-Fri 08:00-18:00”, “Sat, Sun 00:00-12:00” or “22:00-06:00”."
            )
    if len(found) > MOST_WINDOWS:
        wrong.append(f"There are more than {MOST_WINDOWS} windows.")
    if wrong:
        raise ValidationError(wrong)
    return found


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]


def _window(line: str) -> dict[str, Any]:
    match = _WINDOW.fullmatch(line)
    if match is None:
        raise ValueError(line)
    days, begins, ends = match.groups()
    return {
        "days": _days(days) if days else list(range(7)),
        "from": _clock(begins),
        "to": _clock(ends),
    }


def _days(text: str) -> list[int]:
    found: set[int] = set()
    for part in re.split(r"\s*[, ]\s*", text.strip(" ,")):
        first, _, last = part.partition("-")
        begin, end = _day(first), _day(last or first)
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return sorted(found)


def _day(text: str) -> int:
    """:raises ValueError: no such day"""
    return [name.lower() for name in DAY_NAMES].index(text.strip().lower()[:3])


def _clock(text: str) -> str:
    hours, _, minutes = text.partition(":")
    return f"{time(int(hours), int(minutes)):%H:%M}"


def blackouts_text(windows: Sequence[Mapping[str, Any]]) -> str:
    """The lines that ``blackouts`` reads back."""
    return "\n".join(
        f"{_days_text(window['days'])} {window['from']}-{window['to']}".strip()
        for window in windows
    )


def _days_text(days: Sequence[int]) -> str:
    if len(days) == 7:
        return ""
    first, last = days[0], days[-1]
    if len(days) > 2 and list(days) == list(range(first, last + 1)):
        return f"{DAY_NAMES[first]}-{DAY_NAMES[last]}"
    return ", ".join(DAY_NAMES[day] for day in days)
