"""What others say, in a form that PostgreSQL's ``jsonb`` takes."""

import math
from typing import Any

import orjson

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


#: deeper than anything Globus says; what lies below is left out
DEEPEST = 40


def storable_document(document: dict[str, Any]) -> dict[str, Any]:
    """As ``storable``, at a tenth of the time where there is nothing to put right."""
    try:
        text = orjson.dumps(document)
    except TypeError:  # a lone surrogate, a number that is too large, ...
        return dict(storable(document))
    is_odd = b"\\u0000" in text or text.count(b"{") + text.count(b"[") > DEEPEST
    if is_odd or any(map(_is_no_number, document.values())):
        return dict(storable(document))
    return document


def _is_no_number(value: Any) -> bool:
    return type(value) is float and not math.isfinite(value)


def storable(value: Any, *, depth: int = 0) -> Any:
    """JSON as it came, but for what a database cannot hold.

    NUL and lone surrogates in texts become U+FFFD; numbers that are none, or too
    large, become texts.
    One file name or message of that kind must not stop the monitor.
    """
    if isinstance(value, str):
        return storable_text(value)
    if depth > DEEPEST:
        return REPLACEMENT
    if isinstance(value, dict):
        return {
            storable_text(str(key)): storable(each, depth=depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [storable(each, depth=depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return storable_text(hex(value), longest=100)
    return value


def storable_text(text: str, *, longest: int | None = None) -> str:
    """:param longest: characters that there is room for"""
    if not text.isprintable():
        # Only then can there be a NUL or a surrogate in it.
        text = text.replace("\0", REPLACEMENT)
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text[:longest]


def is_text(text: str) -> bool:
    """Whether it can be stored, and stand in a page or an address, as it is."""
    return storable_text(text) == text
