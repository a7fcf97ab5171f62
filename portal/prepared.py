"""Queries whose text is made once in a process.

Django makes the text of a query anew each time that it is asked, which costs more
than PostgreSQL needs for a row. What every run asks, and always in the same words,
keeps its text here, and only the values change (``portal.planned``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import AutoField, Model, QuerySet
from django.db.models.query import get_related_populators

from portal.planned import planned_once

Row = TypeVar("Row")

#: its stubs are of a newer Django
_populators: Any = get_related_populators


#: values that nothing else in a query has; a number has 31 bits
_MARKS: dict[type, Callable[[], UUID | str | int]] = {
    UUID: uuid4,
    str: lambda: uuid4().hex,
    int: lambda: uuid4().int % 2**31,
}


@dataclass(frozen=True)
class Over(Generic[Row]):
    """:ivar made: rows of the query set, of what the database has found"""

    sql: str
    given: list[Any]
    made: Callable[[list[Any]], list[Row]]


class Prepared(Generic[Row]):
    """A query set that differs in some ids, words and numbers only.

    ::

        by_id = Prepared[Run](lambda pk: Run.objects.filter(pk=pk), UUID)
        found = by_id.rows(run_id)

    It may use ``select_related``, ``annotate``, ``only`` or ``values_list``; nothing is
    prefetched.
    """

    def __init__(
        self,
        make: Callable[..., QuerySet[Any, Any]],
        *kinds: type[UUID] | type[str] | type[int],
    ) -> None:
        """
        :param make: gives the query set; called once, when it is used first
        :param kinds: of its arguments
        """
        self._make, self._kinds = make, kinds
        self._text: _Text | None = None

    def rows(self, *values: UUID | str | int) -> list[Row]:
        """:param values: one for each of the ``kinds``"""
        if self._text is None:
            self._text = self._written()
        return cast("list[Row]", self._text.rows(values))

    def first(self, *values: UUID | str | int) -> Row | None:
        return next(iter(self.rows(*values)), None)

    def over(self, name: str, *values: UUID | str | int) -> Over[Row]:
        """The query, with rows of that name in the place of its own table: for a
        statement that changes rows and reads them, with their relations, at once.
        """
        text = self._text = self._text or self._written()
        table = text.compiler.klass_info["model"]._meta.db_table
        sql = text.sql.replace(f'FROM "{table}"', f'FROM {name} AS "{table}"', 1)
        return Over(sql, text.given_with(values), text.made)

    def _written(self) -> _Text:
        marks = [_MARKS[kind]() for kind in self._kinds]
        found: Any = self._make(*marks)
        compiler = found.query.get_compiler(connection=connection)
        sql, given = compiler.as_sql()
        places = [marks.index(each) if each in marks else None for each in given]
        if {*range(len(marks))} - {*places}:
            raise ValueError("A value is not in the query as it was given.")
        return _Text(
            sql,
            [*given],
            places,
            compiler,
            compiler.get_converters([each for each, _, _ in compiler.select]),
            found._fields is not None,
        )


def insert(row: Model) -> None:
    """Stores a new row as ``row.save(force_insert=True)`` does, for a model of which
    nobody wants to be told. What the database numbers gets its number.
    """
    sql, fields, numbered = _insertion(type(row))
    given = [
        field.get_db_prep_save(field.pre_save(row, True), connection)
        for field in fields
    ]
    with planned_once() as cursor:
        cursor.execute(sql, given)
        if numbered:
            (row.pk,) = cursor.fetchone()
    row._state.adding, row._state.db = False, connection.alias


@cache
def _insertion(model: type[Model]) -> tuple[str, list[Any], bool]:
    about = model._meta
    numbered = isinstance(about.pk, AutoField)
    fields = [each for each in about.concrete_fields if each is not about.pk]
    if not numbered:
        fields = [*about.concrete_fields]
    columns = ", ".join(f'"{each.column}"' for each in fields)
    sql = (
        f'INSERT INTO "{about.db_table}" ({columns}) '  # noqa: S608 - names of ours
        f"VALUES ({', '.join(['%s'] * len(fields))})"
    )
    if numbered:
        sql += f' RETURNING "{about.pk.column}"'
    return sql, fields, numbered


@dataclass(frozen=True)
class _Text:
    sql: str
    given: list[Any]
    #: for each of the given: which value stands there, if any
    places: list[int | None]
    compiler: Any
    #: of columns that the driver does not bring as Django gives them
    converters: Any
    #: and not of objects
    is_of_values: bool

    def rows(self, values: tuple[UUID | str | int, ...]) -> list[Any]:
        with planned_once() as cursor:
            cursor.execute(self.sql, self.given_with(values))
            return self.made(cursor.fetchall())

    def given_with(self, values: tuple[UUID | str | int, ...]) -> list[Any]:
        return [
            given if place is None else values[place]
            for given, place in zip(self.given, self.places, strict=True)
        ]

    def made(self, found: list[Any]) -> list[Any]:
        if not found:
            return []
        rows = found
        if self.converters:
            rows = self.compiler.apply_converters(found, self.converters)
        if self.is_of_values:
            return [tuple(row) for row in rows]
        return [self._instance(row) for row in rows]

    def _instance(self, row: Any) -> Any:
        """As ``ModelIterable`` makes it."""
        about, select = self.compiler.klass_info, self.compiler.select
        first, end = about["select_fields"][0], about["select_fields"][-1] + 1
        names = [each.target.attname for each, _, _ in select[first:end]]
        made = about["model"].from_db(connection.alias, names, row[first:end])
        for related in _populators(about, select, connection.alias):
            related.populate(row, made)
        for name, place in self.compiler.annotation_col_map.items():
            setattr(made, name, row[place])
        return made
