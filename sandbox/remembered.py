"""What was read from the database, kept until anything in the database changes.

A listing asks the same few questions each time: whose token is this, what is that
collection, who may be there. Django needs ten times longer to word such a question
than SQLite to answer it, so a thread keeps the answers. It asks SQLite before each
use whether anything was written since, by this process or any other: a rule, a role,
a pause or a wiped token takes effect with the next request, as it has to.
"""

import threading
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")

#: answers that a thread keeps; then it begins anew
MOST_ANSWERS = 1_000


class _Answers(threading.local):
    """One thread's answers, which hold as long as its ``state`` of the database."""

    def __init__(self) -> None:
        self.state: tuple[Any, int, int] | None = None
        self.known: dict[Hashable, Any] = {}


_answers = _Answers()


def remembered(read: Callable[P, T]) -> Callable[P, T]:
    """Let ``read`` ask the database only when something in it has changed.

    What it returns is shared by requests: nobody may change it. It must depend on its
    (hashable) arguments and the database alone, not on the clock or a knob.
    """

    @wraps(read)
    def look(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.in_atomic_block:
            # What a transaction sees may never come true.
            return read(*args, **kwargs)
        state = _state()
        if state != _answers.state or len(_answers.known) >= MOST_ANSWERS:
            _answers.state, _answers.known = state, {}
        known = _answers.known
        key = (read, args, *kwargs.items())
        try:
            answer: T = known[key]
        except KeyError:
            answer = known[key] = read(*args, **kwargs)
        return answer

    return look


def _state() -> tuple[Any, int, int]:
    """The connection, a number that moves with each commit of any other connection,
    and one that moves with each row that this one writes.

    https://www.sqlite.org/pragma.html#pragma_data_version
    """
    connection.ensure_connection()
    raw = connection.connection
    (others,) = raw.execute("PRAGMA data_version").fetchone()
    return raw, others, raw.total_changes
