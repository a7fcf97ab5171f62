"""The request that is being answered, for what has to say in which one it happened.

Only for facts about the request itself, such as its id. Who may do what is decided
with the request that a view was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest

_current: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


def request() -> HttpRequest | None:
    """None in workers and commands."""
    return _current.get()
