"""What may stand in braces in a job's paths, said to people with an example."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from transfers.jobs import templates

_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)(?::([^{}]*))?\}")
_DEFAULT_FORMAT = "%Y-%m-%d"


class PathField(NamedTuple):
    written: str
    means: str


FIELDS = (
    PathField("{scheduled_for:%Y-%m-%d}", templates.FIELDS["scheduled_for"]),
    PathField("{scheduled_for:%Y}/{scheduled_for:%m}", "a folder per year and month"),
    PathField("{watermark:%Y-%m-%d}", templates.FIELDS["watermark"]),
)


def example_of(path: str, now: datetime, zone: str = "UTC") -> str:
    """The path as a run that is due now would have it, after one a day ago.

    :raises templates.BadTemplate: a field that is unknown
    """
    values = {"scheduled_for": now, "watermark": now - timedelta(days=1)}
    return templates.filled(path, values, ZoneInfo(zone))


def pieces(path: str) -> list[tuple[str, str, str]]:
    """The path in parts: ``(text, "", "")`` or ``("", field, format)``."""
    found: list[tuple[str, str, str]] = []
    text, begin = "", 0
    for match in _FIELD.finditer(path):
        text += path[begin : match.start()]
        begin = match.end()
        if match[1] is None:
            text += match[0][0]
            continue
        if text:
            found.append((text, "", ""))
        text = ""
        found.append(("", match[1], match[2] or _DEFAULT_FORMAT))
    text += path[begin:]
    return [*found, (text, "", "")] if text else found
