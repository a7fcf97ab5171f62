"""Why it does not get on, and what mends it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.clients import transfer_client
from sandbox import seed
from tests.factories import make_service_account, make_transfer, make_user
from tests.portal.processes import eventually
from transfers import details, monitoring, stalls, submission, tasks, wishes
from transfers.models import STALLED_AFTER, Transfer
from transfers.stalls import Cause, Remedy
from transfers.submission import Item, document_for
from transfers.sweeping import sweep

NOW = timezone.now()
LONG_AGO = NOW - STALLED_AFTER - timedelta(seconds=1)


def troubled(code, **facts):
    return make_transfer(
        **{"principal": make_user(), "status": "ACTIVE"}
        | facts
        | {"is_ok": False, "nice_status": code, "fault_since": LONG_AGO}
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "cause", "remedy"),
    [
        ("FILE_NOT_FOUND", Cause.MISSING, Remedy.LEAVE_OUT),
        ("IS_A_DIRECTORY", Cause.FOLDER, Remedy.EDIT),
        ("NOT_A_FILE", Cause.FOLDER, Remedy.EDIT),
        ("NOT_A_DIRECTORY", Cause.NO_FOLDER, Remedy.EDIT),
        ("IS_A_FILE", Cause.NO_FOLDER, Remedy.EDIT),
        ("PERMISSION_DENIED", Cause.PERMISSION, Remedy.LEAVE_OUT),
        ("QUOTA_EXCEEDED", Cause.QUOTA, Remedy.EDIT),
        ("NO_SPACE_LEFT", Cause.QUOTA, Remedy.EDIT),
        ("GC_NOT_CONNECTED", Cause.ENDPOINT, Remedy.NONE),
        ("AUTH", Cause.CREDENTIALS, Remedy.SIGN_IN),
        ("VERIFY_CHECKSUM", Cause.CHANGING, Remedy.EDIT),
        ("SOMETHING_NEW", Cause.OTHER, Remedy.NONE),
        ("", Cause.OTHER, Remedy.NONE),
    ],
)
def test_each_cause_has_a_sentence_advice_and_a_button(code, cause, remedy):
    stall = stalls.stall_of(troubled(code), NOW)
    assert (stall.cause, stall.remedy) == (cause, remedy)
    assert stall.says.endswith(".")
    assert stall.advice.endswith(".")
    assert bool(stall.button) == bool(remedy)
    assert stall.since == LONG_AGO


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["FILE_NOT_FOUND", "IS_A_DIRECTORY", "IS_A_FILE"])
def test_the_path_that_it_is_about_is_named(code):
    details_of = "Path: /projects/a: b/frame.fits\nError: No such file or directory"
    stall = stalls.stall_of(troubled(code, error_detail=details_of), NOW)
    assert stall.detail == "/projects/a: b/frame.fits"


@pytest.mark.django_db
def test_what_moves_or_has_another_fault_now_is_not_stalled():
    transfer = troubled("FILE_NOT_FOUND")
    transfer.fault_since = NOW - timedelta(minutes=1)
    assert stalls.stall_of(transfer, NOW) is None
    transfer.is_ok = True
    transfer.fault_since = None
    assert stalls.stall_of(transfer, NOW) is None


@pytest.mark.django_db
def test_a_pause_is_told_at_once_with_the_words_of_the_owner():
    transfer = make_transfer(
        status="ACTIVE", is_paused=True, pause_message="Disks are being replaced."
    )
    stall = stalls.stall_of(transfer, NOW)
    assert stall.cause == Cause.PAUSED
    assert stall.detail == "Disks are being replaced."


@pytest.mark.django_db
def test_a_service_account_is_not_asked_to_sign_in():
    transfer = make_transfer(make_service_account(), status="INACTIVE")
    assert stalls.stall_of(transfer, NOW).remedy == Remedy.NONE


@pytest.mark.django_db
def test_what_was_begun_elsewhere_cannot_be_changed_and_sent_again():
    transfer = troubled("QUOTA_EXCEEDED", origin="elsewhere")
    assert stalls.stall_of(transfer, NOW).remedy == Remedy.NONE


@pytest.mark.django_db
def test_the_database_finds_the_same_ones():
    rows = [
        troubled("FILE_NOT_FOUND"),
        make_transfer(status="INACTIVE"),
        make_transfer(status="UNKNOWN", missed_polls=3),
        make_transfer(status="UNKNOWN"),
        make_transfer(status="ACTIVE", is_paused=True),
        make_transfer(status="ACTIVE", is_ok=False, moved_at=LONG_AGO),
        make_transfer(status="ACTIVE", is_ok=False, moved_at=LONG_AGO, fault_since=NOW),
        make_transfer(status="ACTIVE", is_ok=False, moved_at=NOW),
        make_transfer(status="ACTIVE", is_ok=True, moved_at=LONG_AGO),
        make_transfer(status="SUCCEEDED", is_ok=None, moved_at=LONG_AGO),
        make_transfer(status="FAILED"),
    ]
    assert {*Transfer.objects.stalled(NOW)} == {
        each for each in rows if each.is_stalled(NOW)
    }


# --- with the sandbox


@pytest.fixture
def ada(transactional_db, ada):
    return ada


def send(person, path="/Documents/", **fields):
    transfer = make_transfer(
        person,
        document=document_for(
            source_collection=UUID(seed.LAPTOP),
            destination_collection=UUID(seed.LAPTOP),
            items=[Item(path, f"/copy/{uuid4().hex}")],
        ),
        **fields,
    )
    submission.send(transfer_client(person), transfer)
    return transfer


def poll_until(transfer, holds, *, now=None):
    def has_come():
        monitoring.poll(transfer.principal, now=now)
        transfer.refresh_from_db()
        return holds(transfer)

    assert eventually(has_come), transfer.task_document
    return transfer


def test_a_missing_file_stalls_and_is_explained(sandbox, ada, messages):
    transfer = send(ada, "/Documents/nowhere.txt")
    poll_until(transfer, lambda row: row.is_ok is False)
    assert ("fetch_details", str(transfer.pk)) in messages()
    assert not transfer.is_stalled(timezone.now())

    later = timezone.now() + STALLED_AFTER + timedelta(seconds=1)
    stall = stalls.stall_of(transfer, later)
    assert stall.cause == Cause.MISSING
    assert stall.detail == "/Documents/nowhere.txt"

    tasks.fetch_details(str(transfer.pk))
    transfer.refresh_from_db()
    events = transfer.details.events
    assert events[0]["is_error"]
    assert events[0]["code"] == "FILE_NOT_FOUND"
    assert "STARTED" in [each["code"] for each in events]


@pytest.mark.parametrize("wished", [True, False])
def test_it_is_cancelled_if_its_sender_wished_so(sandbox, ada, messages, wished):
    transfer = send(ada, "/Documents/nowhere.txt", cancel_if_stalled=wished)
    poll_until(transfer, lambda row: row.is_ok is False)
    monitoring.poll(ada)
    assert ("cancel_transfer", str(transfer.pk)) not in messages()

    later = timezone.now() + STALLED_AFTER + timedelta(seconds=1)
    monitoring.poll(ada, now=later)
    assert (("cancel_transfer", str(transfer.pk)) in messages()) is wished
    tasks.cancel_transfer(str(transfer.pk))
    if wished:
        poll_until(transfer, lambda row: row.was_cancelled)
        assert transfer.cancel_wanted_at is None
    else:
        assert not sandbox.requests("/cancel")


def test_a_wish_to_cancel_outlives_the_queue_and_globus(sandbox, ada, messages):
    sandbox.set(hold_tasks=True)
    transfer = send(ada)
    sandbox.fault("/cancel", status=503, retry_after=0, times=4)
    now = timezone.now()
    assert wishes.want_cancelled([transfer], now=now) == 1
    transfer.refresh_from_db()
    assert wishes.want_cancelled([transfer], now=now) == 0
    assert "stopping" in transfer.says
    tasks.cancel_transfer(str(transfer.pk))
    transfer.refresh_from_db()
    assert transfer.cancel_wanted_at

    before = len(messages())
    sweep(now=now + timedelta(seconds=61))
    assert messages()[before:] == [("cancel_transfer", str(transfer.pk))]
    tasks.cancel_transfer(str(transfer.pk))
    poll_until(transfer, lambda row: row.was_cancelled)
    tasks.cancel_transfer(str(transfer.pk))
    assert [each["status"] for each in sandbox.requests("/cancel")][-1] == 200


def test_the_words_of_a_pause_are_fetched(sandbox, ada, messages):
    sandbox.set(hold_tasks=True)
    transfer = make_transfer(
        ada,
        document=document_for(
            source_collection=UUID(seed.SHARED),
            destination_collection=UUID(seed.LAPTOP),
            items=[Item("/results/", f"/copy/{uuid4().hex}/")],
        ),
    )
    submission.send(transfer_client(ada), transfer)
    transfer.refresh_from_db()
    assert transfer.status == "ACTIVE", transfer.last_error
    rule = sandbox.pause(seed.RESEARCH, "New disks until Friday.")
    poll_until(transfer, lambda row: row.is_paused)
    assert "paused" in transfer.says
    assert ("fetch_details", str(transfer.pk)) in messages()
    tasks.fetch_details(str(transfer.pk))
    transfer.refresh_from_db()
    assert "New disks until Friday." in transfer.pause_message
    assert "Friday" in stalls.stall_of(transfer, timezone.now()).detail

    sandbox.resume(rule)
    poll_until(transfer, lambda row: not row.is_paused)
    assert stalls.stall_of(transfer, timezone.now()) is None


# --- details


def test_details_are_fetched_once_for_many_who_look(sandbox, ada, messages):
    transfer = send(ada)
    messages_before = len(messages())
    for _ in range(5):
        details.ask_for(Transfer.objects.get(pk=transfer.pk))
    asked = messages()[messages_before:]
    assert asked == [("fetch_details", str(transfer.pk))]
    tasks.fetch_details(str(transfer.pk))
    details.ask_for(Transfer.objects.get(pk=transfer.pk))
    assert messages()[messages_before:] == asked
    later = timezone.now() + details.FRESH + timedelta(seconds=1)
    details.ask_for(Transfer.objects.get(pk=transfer.pk), now=later)
    assert len(messages()) == messages_before + 2


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503, "json": {"code": "ServiceUnavailable", "message": "x"}},
        {"json": {"DATA": None}},
        {"body": '{"DATA": [', "content_type": "application/json"},
        {"json": [1]},
    ],
)
def test_details_that_cannot_be_had_are_said_to_be_missing(globus, db, answer):
    from tests.factories import make_token

    person = make_user()
    make_token(person)
    transfer = make_transfer(person, status="ACTIVE")
    globus.says("GET", "task/.*/event_list", **answer)
    details.fetch(transfer_client(person), transfer)
    transfer.refresh_from_db()
    assert transfer.details.last_error
    assert transfer.details.events == []


def test_odd_events_are_kept_as_far_as_they_make_sense(globus, db):
    from tests.factories import make_token

    person = make_user()
    make_token(person)
    transfer = make_transfer(person, status="ACTIVE")
    odd = [None, 5, {}, {"code": 7, "details": {"a": "\0"}, "is_error": "yes"}]
    globus.says("GET", "task/.*/event_list", json={"DATA": odd, "total": "many"})
    details.fetch(transfer_client(person), transfer)
    transfer.refresh_from_db()
    assert not transfer.details.last_error
    assert transfer.details.events_count == 2
