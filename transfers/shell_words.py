"""Words for the shell of a person who copies a command from a page."""

from __future__ import annotations

import shlex


def quoted(text: str) -> str:
    """For a shell of the person's own; odd characters by their numbers, not raw."""
    if text.isprintable():
        return shlex.quote(text)
    marked = "".join(_escaped(each) for each in text)
    return f"$'{marked}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if character.isprintable():
        return character
    data = character.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)
