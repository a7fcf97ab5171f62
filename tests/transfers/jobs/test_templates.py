"""Fields in paths: what they become, and a sentence for what they cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_job
from transfers.jobs.templates import BadTemplate, check, filled, filled_inputs

UTC_ZONE = ZoneInfo("UTC")
VALUES = {
    "scheduled_for": datetime(2026, 1, 3, 23, 30, tzinfo=UTC),
    "watermark": datetime(2025, 12, 31, 1, 2, 3, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/plain/", "/plain/"),
        ("/{scheduled_for}/", "/2026-01-03/"),
        ("/{scheduled_for:%Y/}", None),
        ("/{scheduled_for:%Y}/{scheduled_for:%m%d-%H%M}/", "/2026/0103-2330/"),
        ("/{watermark:%Y-W%V}/", "/2025-W01/"),
        ("/{{scheduled_for}}/", "/{scheduled_for}/"),
        ("/{now}/", None),
        ("/{scheduled_for.tzinfo}/", None),
        ("/{scheduled_for!r}/", None),
        ("/{0}/", None),
        ("/{}/", None),
        ("/{/", None),
        ("/}/", None),
        ("/{scheduled_for:%c}/", None),
        ("/{scheduled_for:%}/", None),
        ("/{scheduled_for:%%}/", None),
    ],
)
def test_a_path_is_filled_in_or_says_why_not(path, expected):
    if expected is None:
        with pytest.raises(BadTemplate):
            check(path)
    else:
        check(path)
        assert filled(path, VALUES, UTC_ZONE) == expected


def test_dates_are_those_of_the_zone():
    path = "/{scheduled_for:%Y-%m-%d}/"
    assert filled(path, VALUES, ZoneInfo("Asia/Kolkata")) == "/2026-01-04/"


def test_a_field_without_a_value_is_a_sentence():
    with pytest.raises(BadTemplate, match="there is none yet"):
        filled("/{watermark}/", {"watermark": None}, UTC_ZONE)


def test_inputs_are_filled_in_once():
    inputs = {
        "source_path": "/{{{scheduled_for}}}/",
        "destination_path": "",
        "items": [{"source_path": "/a{scheduled_for:%d}", "destination_path": "/b"}],
        "scheduled_for": "2026-01-03T23:30:00+00:00",
    }
    once = filled_inputs(inputs, UTC_ZONE)
    assert once["source_path"] == "/{2026-01-03}/"
    assert once["items"][0]["source_path"] == "/a03"
    assert filled_inputs(once, UTC_ZONE) == once


@given(st.text(st.sampled_from("{}%:/aYsw_"), max_size=30))
def test_what_passes_the_check_can_be_filled_in(path):
    try:
        check(path)
    except BadTemplate:
        return
    filled(path, VALUES, UTC_ZONE)


@pytest.mark.django_db
def test_a_job_says_it_at_the_field():
    job = make_job(source_path="/{tomorrow}/")
    with pytest.raises(ValidationError) as caught:
        job.full_clean()
    assert "no field {tomorrow}" in caught.value.message_dict["source_path"][0]
