"""Fields in the paths of a job: ``/daily/{scheduled_for:%Y-%m-%d}/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.globus.errors import PortalError

#: what a field may be, and what it says
FIELDS = {
    "scheduled_for": "when the run was due (by hand: when it was asked for)",
    "watermark": "when the last run that succeeded was started",
}
#: directives of ``strftime`` that name a date or a time in digits, on every system
_DIRECTIVES = "YmdHMSjyGVu"
#: a doubled brace stands for itself
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_DEFAULT_FORMAT = "%Y-%m-%d"


class BadTemplate(PortalError):
    """:ivar advice: what is wrong with the path"""

    title = "A field of this path cannot be filled in"
    status = 400


def check(path: str) -> None:
    """:raises BadTemplate: a field that is unknown, or a format that is no date"""
    for match in _TOKEN.finditer(path):
        if match.group() not in ("{{", "}}"):
            _named(match)


def is_template(path: str) -> bool:
    return _TOKEN.search(path) is not None


def filled(path: str, values: Mapping[str, datetime | None], zone: ZoneInfo) -> str:
    """The path for one run.

    :param values: of ``FIELDS``; a watermark is nothing before the first success
    :param zone: in which dates are written
    :raises BadTemplate: also when a field has no value yet
    """

    def replaced(match: re.Match[str]) -> str:
        if match.group() in ("{{", "}}"):
            return match.group()[0]
        name, form = _named(match)
        value = values.get(name)
        if value is None:
            raise BadTemplate(
                f"The path {path} needs {{{name}}}, {FIELDS[name]}; there is none yet."
            )
        return value.astimezone(zone).strftime(form)

    return _TOKEN.sub(replaced, path)


def _named(match: re.Match[str]) -> tuple[str, str]:
    inside = match.group(1)
    if inside is None:
        raise BadTemplate(
            f"A brace {match.group()} stands alone in this path; write it twice if it "
            "is part of a name."
        )
    name, _, form = inside.partition(":")
    if name not in FIELDS:
        known = " and ".join(f"{{{each}}}" for each in FIELDS)
        raise BadTemplate(f"There is no field {{{name}}}; there are {known}.")
    form = form or _DEFAULT_FORMAT
    unknown = re.search(rf"%(?![{_DIRECTIVES}])(.?)", form)
    if unknown or "/" in form:
        what = unknown.group() if unknown else "/"
        raise BadTemplate(
            f"The format of {{{name}}} cannot hold “{what}”. Use for example "
            "%Y-%m-%d or %H%M."
        )
    return name, form


def filled_inputs(inputs: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The inputs of a run (``Job.inputs``) with every path filled in, once.

    :raises BadTemplate:
    """
    paths = [inputs["source_path"], inputs["destination_path"]]
    for item in inputs.get("items", []):
        paths += [item["source_path"], item["destination_path"]]
    if inputs.get("is_filled") or not any(map(is_template, paths)):
        return dict(inputs)
    values = {name: _moment(inputs.get(name)) for name in FIELDS}

    def fill(path: str) -> str:
        return filled(path, values, zone)

    items = [
        {
            **item,
            "source_path": fill(item["source_path"]),
            "destination_path": fill(item["destination_path"]),
        }
        for item in inputs.get("items", [])
    ]
    return {
        **inputs,
        "source_path": fill(inputs["source_path"]),
        "destination_path": fill(inputs["destination_path"]),
        "items": items,
        "is_filled": True,
    }


def unfilled(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs whose paths can be edited, with fields again: what was filled in stays,
    and a brace in it is one of a name.
    """
    if not inputs.get("is_filled"):
        return dict(inputs)
    sides = ("source_path", "destination_path")
    items = [
        {**item, **{side: _doubled(item[side]) for side in sides}}
        for item in inputs.get("items", [])
    ]
    paths = {side: _doubled(inputs[side]) for side in sides}
    return {**inputs, **paths, "items": items, "is_filled": False}


def _doubled(path: str) -> str:
    return path.replace("{", "{{").replace("}", "}}")


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
