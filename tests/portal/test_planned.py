"""Statements that PostgreSQL plans once: what they give, and what is kept of them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, NotSupportedError, connection, transaction

from portal.planned import planned_once
from tests.factories import make_job
from transfers.models import Job

pytestmark = pytest.mark.django_db


def kept():
    """What this connection keeps, and how often each was asked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement, generic_plans + custom_plans FROM pg_prepared_statements"
        )
        return dict(cursor.fetchall())


def ask(statement, *given):
    with planned_once() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchone()


def test_values_come_back_as_they_went():
    given = (uuid4(), "a 'word' with 100 %", 7, datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert ask("SELECT %s, %s::text, %s::int, %s", *given) == given


def test_a_statement_is_planned_once_whatever_its_values(django_assert_num_queries):
    statement = f"SELECT %s::bigint AS {'x' + uuid4().hex}"
    with django_assert_num_queries(4):
        for number in (1, 70_000, 5_000_000_000, None):
            assert ask(statement, number) == (number,)
    (asked,) = [times for text, times in kept().items() if statement[-32:] in text]
    assert asked == 4


def test_one_plan_serves_all_values_from_the_first_on():
    statement = f"SELECT %s::bigint AS {'x' + uuid4().hex}"
    for number in (1, 2):
        ask(statement, number)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
            [f"%{statement[-32:]}"],
        )
        assert cursor.fetchall() == [(0,)]


def test_nothing_is_kept_of_other_statements():
    ask("SELECT 1")
    before = kept()
    with connection.cursor() as cursor:
        for _ in range(10):
            cursor.execute("SELECT %s", ["other"])
    assert kept() == before
    assert not connection.connection._prepared._counts


def test_goes_on_after_a_mistake_and_a_rollback():
    statement = "SELECT 1 / %s::int"
    assert ask(statement, 1) == (1,)
    with pytest.raises(DatabaseError), transaction.atomic():
        ask(statement, 0)
    assert ask(statement, 1) == (1,)


@pytest.mark.django_db(transaction=True)
def test_goes_on_with_another_connection():
    statement = "SELECT %s::uuid"
    for _ in range(2):
        assert isinstance(ask(statement, uuid4())[0], UUID)
        connection.close()


@pytest.fixture
def wider_column(transactional_db):
    """Changes the type of a column, as a migration does under running processes."""
    elsewhere = connection.copy()

    def widen(length):
        with elsewhere.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE transfers_job ALTER name TYPE varchar({length:d})"
            )

    length = Job._meta.get_field("name").max_length
    yield lambda: widen(length + 1)
    widen(length)
    elsewhere.close()


NAMES = "SELECT name FROM transfers_job WHERE name = %s"


@pytest.mark.django_db(transaction=True)
def test_outlives_a_migration(wider_column):
    make_job(name="outlives")
    assert ask(NAMES, "outlives") == ("outlives",)
    wider_column()
    assert ask(NAMES, "outlives") == ("outlives",)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_under_a_migration_fails_and_the_next_does_not(wider_column):
    make_job(name="outlives")
    assert ask(NAMES, "outlives") == ("outlives",)
    wider_column()
    with pytest.raises(NotSupportedError), transaction.atomic():
        ask(NAMES, "outlives")
    with transaction.atomic():
        assert ask(NAMES, "outlives") == ("outlives",)
