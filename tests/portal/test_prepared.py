"""Queries whose text is made once: what they give is what the query set gives."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from portal.prepared import Prepared
from tests.factories import make_job
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
