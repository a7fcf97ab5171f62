"""What the rows promise, and what they answer about themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.factories import make_service_account, make_transfer, make_user
from transfers.models import STALLED_AFTER, Transfer, Watch, principal_of

pytestmark = pytest.mark.django_db


def refused(constraint):
    return pytest.raises(IntegrityError, match=constraint)


def test_a_transfer_has_one_principal():
    transfer = make_transfer()
    with refused("transfer_has_one_principal"), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(user=None)
    with refused("transfer_has_one_principal"), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(
            service_account=make_service_account()
        )


def test_no_task_without_a_submission_id():
    transfer = make_transfer(status="ACTIVE")
    with refused("transfer_id_before_task"), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(submission_id=None)


def test_nothing_is_active_without_a_task():
    transfer = make_transfer()
    with refused("transfer_at_globus_has_task"), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(status="ACTIVE")


def test_a_copy_has_a_destination():
    transfer = make_transfer()
    with refused("transfer_has_destination"), transaction.atomic():
        Transfer.objects.filter(pk=transfer.pk).update(destination_id=None)


def test_a_persons_transfers_are_not_those_of_others():
    ada, grace = make_user(), make_user()
    mine = make_transfer(ada)
    make_transfer(grace)
    make_transfer(make_service_account(owner=ada), asked_by=ada)
    assert [*Transfer.objects.owned_by(ada)] == [mine]


def test_the_querysets_sort_by_status():
    rows = {status: make_transfer(status=status) for status in Transfer.Status.values}
    unfinished = {each.status for each in Transfer.objects.unfinished()}
    assert unfinished == {*rows} - {"SUCCEEDED", "FAILED"}
    assert {each.status for each in Transfer.objects.at_globus()} == {
        "ACTIVE",
        "INACTIVE",
        "UNKNOWN",
    }
    assert {each.status for each in Transfer.objects.finished()} == {
        "SUCCEEDED",
        "FAILED",
    }
    assert [*Transfer.objects.unsent()] == [rows["NEW"]]
    assert [*Transfer.objects.waiting()] == [rows["WAITING"]]


@pytest.mark.parametrize(
    ("facts", "percent"),
    [
        ({}, None),
        ({"files": 4, "files_transferred": 1}, 25),
        ({"files": 4, "files_transferred": 2, "files_skipped": 1}, 75),
        ({"files": 4, "files_transferred": 4}, 99),
        ({"files": 3, "files_transferred": 7}, 99),
        ({"status": "SUCCEEDED"}, 100),
        ({"status": "FAILED", "files": 4, "files_transferred": 4}, 99),
        ({"kind": "DELETE", "subtasks_total": 2, "subtasks_succeeded": 1}, 50),
    ],
)
def test_progress_never_says_done_too_early(facts, percent):
    assert Transfer(**{"status": "ACTIVE"} | facts).progress == percent


def test_a_transfer_is_stalled_by_faults_and_standing_still():
    now = timezone.now()
    long_ago = now - STALLED_AFTER
    assert Transfer(status="ACTIVE", is_ok=False, moved_at=long_ago).is_stalled(now)
    assert not Transfer(status="ACTIVE", is_ok=True, moved_at=long_ago).is_stalled(now)
    assert not Transfer(status="ACTIVE", is_ok=None, moved_at=long_ago).is_stalled(now)
    assert not Transfer(
        status="ACTIVE", is_ok=False, moved_at=now - timedelta(minutes=9)
    ).is_stalled(now)
    assert Transfer(status="INACTIVE").is_stalled(now)
    assert not Transfer(status="SUCCEEDED", is_ok=False).is_stalled(now)


@pytest.mark.parametrize("status", Transfer.Status.values)
def test_every_status_has_a_sentence(status):
    assert Transfer(status=status, waiting_reason="Sign in again.").says.endswith(".")


def test_what_succeeded_with_skips_says_so():
    assert "2" in Transfer(status="SUCCEEDED", subtasks_skipped_errors=2).says


def test_a_cancelled_task_is_failed_and_says_cancelled():
    transfer = Transfer(status="FAILED", error_code="CANCELED")
    assert transfer.was_cancelled
    assert transfer.says == "Cancelled."
    assert not transfer.can_be_cancelled


def test_a_watch_names_whom_it_is_about():
    ada, robot = make_user(), make_service_account()
    for who in (ada, robot):
        watch = Watch(user=who) if who is ada else Watch(service_account=who)
        assert watch.principal == who
        assert principal_of(*watch.key) == who
    assert principal_of("group", ada.pk) is None
