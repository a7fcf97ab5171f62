"""Queries whose text is made once: what they give is what the query set gives."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Upper

from accounts.models import AuditEvent
from portal.planned import planned_once
from portal.prepared import Prepared, insert
from tests.factories import make_job, make_run
from transfers.jobs.models import Run
from transfers.models import Job

pytestmark = pytest.mark.django_db


def _with_owner(pk):
    return Job.objects.select_related("owner", "service_account").filter(pk=pk)


def test_gives_the_rows_of_the_query_set_with_their_relations(
    django_assert_num_queries,
):
    one = make_job(name="one")
    other = make_job(one.service_account, name="other")
    by_id = Prepared[Job](_with_owner, UUID)
    for job in (one, other, one):
        with django_assert_num_queries(1):
            found = by_id.first(job.pk)
            assert found is not None
            names = found.owner.username, found.service_account.name
        expected = Job.objects.get(pk=job.pk)
        assert names == (expected.owner.username, expected.service_account.name)
        for field in Job._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(expected, field.attname)
    assert by_id.first(uuid4()) is None


def test_sees_what_was_changed_since():
    job = make_job()
    by_id = Prepared[Job](_with_owner, UUID)
    assert by_id.rows(job.pk)[0].service_account.enabled
    type(job.service_account).objects.update(enabled=False, disabled_reason="Lost.")
    assert not by_id.rows(job.pk)[0].service_account.enabled


def test_gives_tuples_of_values_with_json_read():
    job = make_job(name="listed")
    by_name = Prepared[tuple[object, ...]](
        lambda name: Job.objects.filter(name=name).values_list("pk", "options"), str
    )
    assert by_name.rows("listed") == [(job.pk, job.options)]
    assert by_name.rows("not there") == []


def test_refuses_a_value_that_does_not_reach_the_database_as_it_is():
    lowered = Prepared[Job](lambda name: Job.objects.filter(name=name.upper()), str)
    with pytest.raises(ValueError, match="not in the query"):
        lowered.rows("any")


def test_brings_what_is_annotated_and_none_for_a_relation_that_is_not_there():
    run = make_run(says="Waits.")
    by_id = Prepared[Run](
        lambda pk: (
            Run.objects.select_related("job", "schedule")
            .annotate(shouted=Upper("says"))
            .filter(pk=pk)
        ),
        UUID,
    )
    (found,) = by_id.rows(run.pk)
    assert vars(found)["shouted"] == "WAITS."
    assert (found.job, found.schedule) == (run.job, None)


def test_reads_what_the_same_statement_has_changed(django_assert_num_queries):
    run = make_run(says="Before.")
    other = make_run(run.job, says="Before.")
    by_id = Prepared[Run](
        lambda pk: Run.objects.select_related("job__owner").filter(pk=pk), UUID
    )
    for each in (run, other):
        after = by_id.over("changed", each.pk)
        owner = each.job.owner
        with django_assert_num_queries(1):
            with planned_once() as cursor:
                cursor.execute(
                    "WITH changed AS (UPDATE transfers_run SET says = %s WHERE id = %s "
                    f"RETURNING *) {after.sql}",
                    ["After.", each.pk, *after.given],
                )
                (found,) = after.made(cursor.fetchall())
            assert (found.pk, found.says) == (each.pk, "After.")
            assert found.job.owner == owner
    assert by_id.over("changed", run.pk).made([]) == []


def test_finds_rows_by_a_number():
    run = make_run(attempts=2)
    by_tries = Prepared[tuple[UUID]](
        lambda tries: Run.objects.filter(attempts=tries).values_list("pk"), int
    )
    assert by_tries.rows(2) == [(run.pk,)]
    assert by_tries.rows(3) == []


def test_a_row_is_stored_as_django_stores_it(django_assert_num_queries):
    row = make_run(inputs={"path": "/ä/", "items": [1, None]}, reason="'; --")
    of_django = Run.objects.get(pk=row.pk)
    row.pk = uuid4()
    with django_assert_num_queries(1):
        insert(row)
    stored = Run.objects.get(pk=row.pk)
    for field in Run._meta.concrete_fields:
        if field.name not in {"id", "created_at"}:
            name = field.attname
            assert getattr(stored, name) == getattr(of_django, name), name
    assert stored.created_at > of_django.created_at
    row.says = "Changed."
    row.save(update_fields=["says"])


def test_a_row_that_the_database_numbers_gets_its_number():
    first, second = (AuditEvent(kind="a:b:c", address="::1") for _ in range(2))
    insert(first)
    insert(second)
    assert second.pk > first.pk
    assert AuditEvent.objects.get(pk=second.pk).address == "::1"


def test_a_row_is_not_stored_twice():
    row = make_run()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(row)
