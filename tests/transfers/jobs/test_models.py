"""What a job may say, with a sentence at each field that is wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError

from sandbox import seed
from tests.factories import make_job
from transfers.jobs.models import Job

pytestmark = pytest.mark.django_db


def problems(**fields):
    job = make_job(kind="transfer")
    for name, value in fields.items():
        setattr(job, name, value)
    with pytest.raises(ValidationError) as caught:
        job.full_clean()
    return caught.value.message_dict


def test_a_good_job_is_tidied():
    job = make_job(kind="transfer", source_path="~/a//b", destination_path="/c/./d/")
    job.full_clean()
    assert (job.source_path, job.destination_path) == ("/~/a/b", "/c/d/")


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"source_path": "data"}, "source_path", "Start the path"),
        ({"source_path": "/a/../b"}, "source_path", "not allowed"),
        ({"destination_path": ""}, "destination_path", "in which folder"),
        ({"destination_collection": None}, "destination_collection", "where the files"),
        (
            {
                "destination_collection": seed.HARVEST,
                "destination_path": "/sensors",
            },
            "destination_path",
            "the same folder",
        ),
        (
            {
                "destination_collection": seed.HARVEST,
                "destination_path": "/sensors/old/",
            },
            "destination_path",
            "inside the source",
        ),
        ({"options": {"explode": True}}, "options", "explode"),
        ({"options": {"sync_level": 9}}, "options", "sync_level"),
        ({"options": ["sync_level"]}, "options", "JSON object"),
        (
            {"kind": "list", "destination_path": "/x/"},
            "destination_collection",
            "no dest",
        ),
        ({"kind": "copy"}, "kind", "not a valid choice"),
    ],
)
def test_a_bad_job_says_why_at_the_field(fields, field, says):
    assert says in " ".join(problems(**fields)[field])


def test_several_problems_are_told_at_once():
    found = problems(source_path="x", destination_path="y", options={"z": 1})
    assert {"source_path", "destination_path", "options"} <= set(found)


def test_the_database_wants_a_destination_too():
    with pytest.raises(IntegrityError, match="job_transfer_has_destination"):
        Job.objects.filter(pk=make_job().pk).update(kind="transfer")


def test_a_service_account_with_jobs_stays():
    job = make_job()
    with pytest.raises(ProtectedError):
        job.service_account.delete()
