"""Every address that the portal has, by name: tests of all pages begin here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

#: of Django's administration: what every model has
ADMIN = "admin:"


def names(resolver: Any = None, space: str = "") -> Iterator[str]:
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from names(each, inner)
        elif isinstance(each, URLPattern) and each.name:
            yield f"{space}{each.name}"


def of_the_portal() -> set[str]:
    """Without those of the administration."""
    return {name for name in names() if not name.startswith(ADMIN)}


def address(name: str, sample: dict[str, Any] | None = None) -> str:
    """:param sample: arguments of the address, and ``query``"""
    given = dict(sample or {})
    query = given.pop("query", "")
    return reverse(name, kwargs=given) + (f"?{query}" if query else "")
