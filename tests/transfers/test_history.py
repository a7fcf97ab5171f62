"""Samples: few, however long it takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_transfer
from transfers.history import Sample, keep_samples, samples_of, slot_of

DAY = 86_400


def test_the_step_grows_with_the_age():
    assert [slot_of(each) for each in (0, 4.9, 5, 639, 640, 649, 650)] == [
        0,
        0,
        1,
        127,
        128,
        128,
        129,
    ]
    assert slot_of(1279) == 191
    assert slot_of(1280) == 192
    assert slot_of(-3) == 0


def test_a_transfer_of_ninety_days_has_at_most_a_thousand():
    assert slot_of(90 * DAY) < 1100


@given(st.floats(0, 100 * DAY), st.floats(0, 100 * DAY))
def test_later_is_never_an_earlier_slot(one, other):
    early, late = sorted((one, other))
    assert slot_of(early) <= slot_of(late)


@pytest.mark.django_db
def test_one_slot_keeps_the_last_of_its_samples():
    now = timezone.now()
    transfer = make_transfer(status="ACTIVE", sent_at=now, files_transferred=1)
    for seconds, size in ((0, 5), (3, 9), (7, 20)):
        transfer.bytes_transferred = size
        keep_samples([transfer], now + timedelta(seconds=seconds))
    assert [(size, files) for _, size, files in samples_of(transfer.pk)] == [
        (9, 1),
        (20, 1),
    ]


@pytest.mark.django_db
def test_samples_go_with_their_transfer():
    transfer = make_transfer(status="ACTIVE")
    keep_samples([transfer], timezone.now())
    transfer.delete()
    assert not Sample.objects.exists()
