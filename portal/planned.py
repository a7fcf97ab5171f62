"""Statements that PostgreSQL reads and plans once on each connection.

To read and to plan what is asked for each run takes PostgreSQL longer than to do it,
and on a machine that it shares with the workers that is time that they do not get.
Such a statement goes out as a prepared one, with its values beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakSet

import psycopg
from django.db import connection
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper


class Sql(NamedTuple):
    """Words of a statement that are always the same, and the values for them."""

    words: str
    given: Sequence[Any] = ()


#: Connections that were told to make one plan for all values.
_for_all_values: WeakSet[psycopg.Connection[Any]] = WeakSet()


@receiver(connection_created)
def _plan_for_all_values(connection: Any, **kwargs: Any) -> None:
    """Else PostgreSQL plans a statement anew for each of its first five executions, and
    then goes on with that if it believes it to be worth it. Sent for each use of a
    connection of the pool, before any transaction.
    """
    inside = connection.connection
    if inside not in _for_all_values:
        _for_all_values.add(inside)
        inside.execute("SET plan_cache_mode = force_generic_plan", prepare=False)


class _Cursor(psycopg.Cursor[Any]):
    """Sends the values beside the statement, unlike the cursors of Django."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        # Types go out with the values, and a number would be of the smallest that has
        # room for it; its digits are of the type that their place asks for.
        given = [str(each) if type(each) is int else each for each in params or ()]
        # For this statement only: psycopg would keep the texts of the others, too.
        self.connection.prepare_threshold = 0
        try:
            return self._again_if_replanned(query, given, **options)
        finally:
            self.connection.prepare_threshold = None

    def _again_if_replanned(self, query: Any, given: Any, **options: Any) -> Self:
        """A migration may change the type of a column under what is prepared."""
        try:
            return super().execute(query, given, **options)
        except psycopg.errors.FeatureNotSupported:
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                # The transaction is lost, but the next one has another connection.
                self.connection.close()
                raise
            self.connection.execute("DEALLOCATE ALL", prepare=False)
            return super().execute(query, given, **options)


@contextmanager
def planned_once() -> Iterator[CursorWrapper]:
    """A cursor for statements of few texts, in which only the values differ.

    PostgreSQL has to tell the type of each value from its place alone.
    """
    inside: Any = connection
    inside.close_if_health_check_failed()
    inside.ensure_connection()
    with inside.wrap_database_errors:
        cursor = inside._prepare_cursor(_Cursor(inside.connection))
    with cursor:
        yield cursor
