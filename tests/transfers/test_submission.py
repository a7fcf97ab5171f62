"""Sent once, whatever comes in between."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import requests
from django.db import connection
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import RequirementNotice
from portal.globus.requirements import Requirement
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)
from tests.transfers.played import SUBMISSION_ID, TASK_ID, consent_required
from transfers import absorbing, submission
from transfers.after_sign_in import send_on
from transfers.models import Transfer, Watch
from transfers.paths import BadPath
from transfers.submission import BadRequest, Item, deletion_for, document_for
from transfers.templatetags.states import transfer_look

SOURCE, DESTINATION = UUID(seed.TUTORIAL_1), UUID(seed.TUTORIAL_2)


@pytest.fixture
def emmy(db):
    person = make_user()
    make_token(person)
    return person


@pytest.fixture
def robot(db):
    account = make_service_account()
    make_token(account)
    return account


def send(transfer):
    submission.send(transfer_client(transfer.principal), transfer)
    transfer.refresh_from_db()
    return transfer


def again(transfer):
    """The next try, as the sweep brings it about."""
    Transfer.objects.filter(pk=transfer.pk).update(claimed_at=None)
    return send(transfer)


def document(**options):
    return document_for(
        **{
            "source_collection": SOURCE,
            "destination_collection": DESTINATION,
            "items": [Item("/share/godata/", "/~/godata/")],
        }
        | options
    )


# --- documents


def test_a_document_holds_what_was_asked_for_and_no_more():
    assert document(label="  Two\nlines ") == {
        "DATA_TYPE": "transfer",
        "source_endpoint": seed.TUTORIAL_1,
        "destination_endpoint": seed.TUTORIAL_2,
        "verify_checksum": True,
        "label": "Two lines",
        "DATA": [
            {
                "DATA_TYPE": "transfer_item",
                "source_path": "/share/godata/",
                "destination_path": "/~/godata/",
            }
        ],
    }


def test_r14_checksums_are_verified_unless_switched_off():
    assert document()["verify_checksum"] is True
    assert document(options={"verify_checksum": False})["verify_checksum"] is False


def test_a_stated_recursion_is_sent():
    rows = document(items=[Item("/a", "/b", recursive=True), Item("/c", "/d")])["DATA"]
    assert [row.get("recursive") for row in rows] == [True, None]


def test_a_label_is_cut_to_what_globus_takes():
    assert len(document(label="é" * 300)["label"]) == 128
    assert document(label="a" * 127 + " b")["label"] == "a" * 127
    assert "label" not in document(label=" \n ")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"items": []}, "items"),
        ({"options": {"format_disk": True}}, "options"),
        ({"options": {"sync_level": 4}}, "options"),
        ({"options": {"sync_level": True}}, "options"),
        ({"options": {"encrypt_data": "yes"}}, "options"),
        ({"options": {"filter_rules": [{"method": "exclude"}]}}, "options"),
        ({"options": {"recursive_symlinks": "follow"}}, "options"),
        ({"options": {"deadline": ""}}, "options"),
        (
            {"destination_collection": SOURCE, "items": [Item("/a/", "/a")]},
            "destination",
        ),
        (
            {"destination_collection": SOURCE, "items": [Item("/a/", "/a/b/")]},
            "destination",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_before_globus_hears_of_it(options, field):
    with pytest.raises(BadRequest) as caught:
        document(**options)
    assert caught.value.field == field


def test_bad_paths_are_refused():
    with pytest.raises(BadPath):
        document(items=[Item("/a/../b", "/c")])


def test_a_deletion_names_what_goes():
    wanted = deletion_for(collection=SOURCE, paths=["/~/old/"], recursive=True)
    assert wanted["endpoint"] == seed.TUTORIAL_1
    assert wanted["DATA"] == [{"DATA_TYPE": "delete_item", "path": "/~/old/"}]
    for paths in ([], ["/"], ["~"]):
        with pytest.raises(BadRequest):
            deletion_for(collection=SOURCE, paths=paths)


# --- asking


def test_what_is_asked_for_is_a_row_that_tells_about_itself(emmy):
    transfer = submission.ask(
        emmy, document(label="Numbers"), asked_by=emmy, source_name="Tutorial 1"
    )
    transfer.refresh_from_db()
    assert transfer.principal == emmy
    assert transfer.status == "NEW"
    assert transfer.label == "Numbers"
    assert (transfer.source_id, transfer.destination_id) == (SOURCE, DESTINATION)
    assert transfer.source_path == "/share/godata/"
    assert transfer.destination_path == "/~/godata/"
    assert transfer.source_name == "Tutorial 1"
    assert transfer.next_try_at > timezone.now()


def test_a_deletion_is_asked_for_likewise(emmy):
    wanted = deletion_for(collection=SOURCE, paths=["/~/old/"])
    transfer = submission.ask(emmy, wanted, asked_by=emmy)
    transfer.refresh_from_db()
    assert transfer.kind == "DELETE"
    assert transfer.destination_id is None


def test_a_run_asks_once(robot):
    run = make_run(make_job(robot, kind="transfer"), state="preparing")
    first = submission.ask(robot, document(), asked_by=None, run=run)
    run.refresh_from_db()
    assert submission.ask(robot, document(), asked_by=None, run=run) == first
    assert run.transfer == first
    assert first.next_try_at is None


# --- sending


def test_a_transfer_is_sent(globus, emmy):
    globus.gives_submission_id()
    globus.accepts()
    transfer = send(make_transfer(emmy))
    assert transfer.status == "ACTIVE"
    assert transfer.task_id == TASK_ID
    assert transfer.submission_id == SUBMISSION_ID
    assert transfer.sent_at
    assert not transfer.claimed_at
    sent = globus.bodies("transfer")[0]
    assert sent == {**transfer.document, "submission_id": str(SUBMISSION_ID)}
    assert Watch.objects.get(user=emmy).next_poll_at <= timezone.now()


def test_a_deletion_goes_to_its_own_address(globus, emmy):
    globus.gives_submission_id()
    globus.says("POST", "delete", status=202, json={"task_id": str(TASK_ID)})
    wanted = deletion_for(collection=SOURCE, paths=["/~/old/"])
    assert send(make_transfer(emmy, document=wanted)).status == "ACTIVE"


@pytest.mark.parametrize(
    "lost",
    [
        {"status": 503, "json": {"code": "ServiceUnavailable", "message": "Later"}},
        {"status": 500, "body": "oops"},
        {"body": requests.ConnectionError("reset")},
        {"body": requests.ReadTimeout("no answer")},
        {"status": 202, "body": "not json"},
        {"status": 202, "json": {"code": "Accepted"}},
        {"status": 202, "json": {"code": "Accepted", "task_id": "x"}},
        {"status": 202, "json": {"code": "Accepted", "task_id": None}},
    ],
)
def test_a_repeat_is_the_same_submission(globus, emmy, lost):
    globus.gives_submission_id()
    globus.says("POST", "transfer", **lost)
    before = timezone.now()
    transfer = send(make_transfer(emmy))
    assert transfer.status == "NEW"
    assert transfer.next_try_at >= before + timedelta(seconds=1)
    assert transfer.last_error
    first = globus.bodies("transfer")[0]

    globus.forgets("POST", "transfer")
    globus.accepts(code="Duplicate")
    transfer = again(transfer)

    assert transfer.status == "ACTIVE"
    assert not transfer.last_error
    assert globus.bodies("transfer")[-1] == first
    assert len(globus.calls("submission_id")) == 1


def test_a_submission_id_that_did_not_come_leaves_the_row_for_later(globus, emmy):
    globus.says("GET", "submission_id", json={"value": "soon"})
    transfer = send(make_transfer(emmy))
    assert (transfer.status, transfer.submission_id) == ("NEW", None)
    assert not transfer.outcome_open


def test_a_submission_id_given_twice_is_not_used_twice(globus, emmy):
    globus.gives_submission_id()
    globus.accepts()
    send(make_transfer(emmy))
    second = send(make_transfer(emmy))
    assert (second.status, second.submission_id) == ("NEW", None)
    assert len(globus.calls("transfer")) == 1


def test_the_stored_submission_id_is_committed_before_the_post(globus, emmy):
    seen = []

    def look(request):
        seen.append(Transfer.objects.get(pk=transfer.pk).submission_id)
        return 503, {}, "{}"

    globus.gives_submission_id()
    globus.answers("POST", "transfer", look)
    transfer = make_transfer(emmy)
    send(transfer)
    assert set(seen) == {SUBMISSION_ID}


def test_globus_may_ask_for_patience(globus, emmy):
    globus.gives_submission_id()
    globus.says(
        "POST",
        "transfer",
        status=429,
        json={"code": "RateLimited", "message": "slow down"},
        headers={"Retry-After": "900"},
    )
    transfer = send(make_transfer(emmy))
    assert transfer.status == "NEW"
    assert transfer.next_try_at > timezone.now() + timedelta(seconds=890)


def test_after_a_day_the_portal_gives_up_and_says_what_is_not_known(globus, emmy):
    globus.gives_submission_id()
    globus.says("POST", "transfer", status=503, body="{}")
    transfer = make_transfer(emmy)
    Transfer.objects.update(trying_since=timezone.now() - timedelta(hours=25))
    transfer = send(transfer)
    assert transfer.status == "FAILED"
    assert "for a day" in transfer.last_error
    assert "web app" in transfer.last_error


def test_a_refusal_is_final_and_keeps_globus_words(globus, emmy):
    globus.gives_submission_id()
    globus.refuses(400, "ClientError.BadRequest", "No transfer items\0")
    transfer = send(make_transfer(emmy))
    assert transfer.status == "FAILED"
    assert transfer.error_code == "ClientError.BadRequest"
    assert transfer.error_detail.startswith("No transfer items")
    assert transfer.finished_at
    assert transfer.document["DATA"]
    assert not transfer.outcome_open


def test_a_conflict_keeps_the_reason(globus, emmy):
    globus.gives_submission_id()
    globus.refuses(409, "Conflict", "The collection is being changed")
    transfer = send(make_transfer(emmy))
    assert transfer.status == "FAILED"
    assert transfer.error_code == "Conflict"
    assert "being changed" in transfer.error_detail


def test_a_day_of_waiting_for_a_person_is_not_a_day_of_trying(globus, emmy):
    globus.gives_submission_id()
    globus.says("POST", "transfer", status=503, body="{}")
    long_ago = timezone.now() - timedelta(days=2)
    transfer = make_transfer(emmy, status="WAITING", trying_since=long_ago)
    Transfer.objects.update(created_at=long_ago)
    submission.resume(transfer)
    assert send(transfer).status == "NEW"


def test_a_person_is_asked_for_the_missing_consent_and_then_it_goes_on(globus, emmy):
    globus.gives_submission_id()
    globus.refuses(403, "ConsentRequired", **consent_required(seed.TUTORIAL_1))
    transfer = send(make_transfer(emmy))
    assert transfer.status == "WAITING"
    assert transfer.required_collections == [seed.TUTORIAL_1]
    assert "consent" in transfer.waiting_reason
    assert transfer.says == transfer.waiting_reason

    globus.forgets("POST", "transfer")
    globus.accepts()
    assert submission.resume(transfer)
    assert transfer.status == "NEW"
    transfer = send(transfer)

    assert transfer.status == "ACTIVE"
    assert transfer.required_collections == []
    assert len({each["submission_id"] for each in globus.bodies("transfer")}) == 1


def test_a_person_is_asked_to_sign_in_as_the_collection_wants(globus, emmy):
    globus.gives_submission_id()
    parameters = {"session_required_single_domain": ["uni.example"]}
    globus.refuses(403, "AuthPolicyFailed", authorization_parameters=parameters)
    transfer = send(make_transfer(emmy))
    assert transfer.status == "WAITING"
    assert transfer.requirement == Requirement(domains=("uni.example",), fresh=True)


def test_without_a_token_a_person_is_asked_to_sign_in(globus, db):
    transfer = send(make_transfer(make_user()))
    assert transfer.status == "WAITING"
    assert "sign-in" in transfer.waiting_reason


def test_nothing_is_sent_for_a_person_who_was_switched_off(globus, emmy):
    emmy.is_active = False
    emmy.save()
    transfer = send(make_transfer(emmy))
    assert transfer.status == "FAILED"
    assert "switched off" in transfer.last_error


def test_only_what_waits_can_be_resumed(emmy):
    for status in ("NEW", "ACTIVE", "SUCCEEDED", "FAILED"):
        assert not submission.resume(make_transfer(emmy, status=status))


def test_everything_that_waits_for_a_person_goes_on_after_a_sign_in(emmy):
    mine = [make_transfer(emmy, status="WAITING") for _ in range(2)]
    others = make_transfer(status="WAITING")
    assert submission.resume_all(emmy) == 2
    assert {Transfer.objects.get(pk=each.pk).status for each in mine} == {"NEW"}
    others.refresh_from_db()
    assert others.status == "WAITING"


def test_what_is_refused_while_its_person_signs_in_is_tried_again(
    globus, emmy, messages
):
    transfer = make_transfer(emmy)

    def meanwhile(request):
        if not signed_in:
            signed_in.append(submission.resume_all(emmy))
        body = {"code": "ConsentRequired", "message": "No", "resource": "/transfer"}
        body |= consent_required(seed.TUTORIAL_1)
        return 403, {"Content-Type": "application/json"}, json.dumps(body)

    signed_in: list[int] = []
    globus.gives_submission_id()
    globus.answers("POST", "transfer", meanwhile)
    assert send(transfer).status == "NEW"
    assert transfer.claimed_at is None
    assert not RequirementNotice.objects.exists()
    assert messages() == [("send_transfer", str(transfer.pk))]
    assert send(transfer).status == "WAITING", "with the new tokens, too"


def test_what_comes_to_wait_before_a_sign_in_is_stored_goes_on(
    emmy, django_capture_on_commit_callbacks
):
    transfer = make_transfer(emmy)
    with django_capture_on_commit_callbacks(execute=True):
        send_on(emmy)
        Transfer.objects.filter(pk=transfer.pk).update(status="WAITING")
    transfer.refresh_from_db()
    assert transfer.status == "NEW"


def test_what_was_sent_is_not_sent_again(globus, emmy):
    for status in ("WAITING", "ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED"):
        send(make_transfer(emmy, status=status))
    assert not globus.calls(".*")


def test_a_second_worker_leaves_a_claimed_transfer_alone(globus, emmy):
    send(make_transfer(emmy, claimed_at=timezone.now()))
    assert not globus.calls(".*")


def test_a_service_account_cannot_do_a_persons_sign_in(globus, robot):
    globus.gives_submission_id()
    globus.refuses(
        403, "AuthPolicyFailed", authorization_parameters={"session_required_mfa": True}
    )
    transfer = send(make_transfer(robot))
    assert transfer.status == "FAILED"
    assert robot.name in transfer.last_error


# --- cancelling


def cancel(transfer):
    submission.cancel(transfer_client(transfer.principal), transfer)
    transfer.refresh_from_db()
    return transfer


@pytest.mark.parametrize("status", ["NEW", "WAITING"])
def test_what_was_not_sent_is_cancelled_here(globus, emmy, status):
    transfer = cancel(make_transfer(emmy, status=status))
    assert transfer.was_cancelled
    assert send(transfer).was_cancelled
    assert not globus.calls(".*")


def test_a_task_is_cancelled_at_globus(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    globus.says("POST", f"task/{transfer.task_id}/cancel", json={"code": "Canceled"})
    transfer = cancel(transfer)
    assert transfer.status == "ACTIVE"
    assert transfer.cancel_asked_at
    assert "stopping" in transfer.says
    assert Watch.objects.get(user=emmy).next_poll_at <= timezone.now()


def test_a_finished_transfer_is_not_cancelled(globus, emmy):
    assert cancel(make_transfer(emmy, status="SUCCEEDED")).status == "SUCCEEDED"
    assert not globus.calls(".*")


def test_what_may_be_at_globus_is_found_and_then_cancelled(globus, emmy):
    globus.gives_submission_id()
    globus.says("POST", "transfer", body=requests.ReadTimeout("no answer"))
    transfer = send(make_transfer(emmy))
    transfer = cancel(transfer)
    assert transfer.status == "NEW"
    assert transfer.cancel_asked_at

    globus.forgets("POST", "transfer")
    globus.accepts(code="Duplicate")
    globus.says("POST", f"task/{TASK_ID}/cancel", json={"code": "Canceled"})
    transfer = again(transfer)

    assert transfer.task_id == TASK_ID
    assert len(globus.calls(f"task/{TASK_ID}/cancel")) == 1


def test_a_late_cancellation_that_failed_can_be_asked_for_again(globus, emmy):
    globus.gives_submission_id()
    globus.accepts()
    globus.says("POST", f"task/{TASK_ID}/cancel", status=503, body="{}")
    transfer = make_transfer(emmy, outcome_open=True, cancel_asked_at=timezone.now())
    transfer = send(transfer)
    assert transfer.can_be_cancelled
    assert "Cancel it again" in transfer.says

    absorb_and_write(transfer, status="ACTIVE")
    assert "Cancel it again" in transfer.says, "also after the next poll"
    globus.forgets("POST", f"task/{TASK_ID}/cancel")
    globus.says("POST", f"task/{TASK_ID}/cancel", json={"code": "Canceled"})
    assert "stopping" in cancel(transfer).says
    assert absorb_and_write(transfer, status="SUCCEEDED").says == "Done."


def test_a_wish_that_globus_refused_is_said_until_the_end(globus, emmy):
    now = timezone.now()
    transfer = make_transfer(emmy, status="ACTIVE", cancel_wanted_at=now)
    globus.says("POST", f"task/{transfer.task_id}/cancel", status=403, body="{}")
    submission.cancel_wanted(transfer_client(emmy), transfer)
    assert transfer.can_be_cancelled
    for sign in (True, False):
        absorb_and_write(transfer, status="ACTIVE", is_ok=sign)
        assert "could not be stopped" in transfer.says
        assert transfer_look(transfer).word == "Could not be stopped"
    assert absorb_and_write(transfer, status="SUCCEEDED").says == "Done."


def absorb_and_write(transfer, **document):
    """What a poll makes of the row."""
    absorbing.absorb(transfer, document, timezone.now())
    absorbing.write([transfer])
    transfer.refresh_from_db()
    return transfer


def test_a_transfer_that_globus_takes_this_moment_is_cancelled_there(globus, emmy):
    globus.says("POST", f"task/{TASK_ID}/cancel", json={"code": "Canceled"})
    transfer = make_transfer(emmy, claimed_at=timezone.now())
    wishes = []

    def meanwhile(execute, sql, params, many, context):
        """The sender is through just before the wish is written down."""
        if "cancel_asked_at" in sql and sql.startswith("UPDATE"):
            wishes.append(sql)
            if len(wishes) == 2:
                accepted(transfer)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        transfer = cancel(transfer)
    assert transfer.cancel_asked_at
    assert len(globus.calls(f"task/{TASK_ID}/cancel")) == 1


def accepted(transfer):
    Transfer.objects.filter(pk=transfer.pk).update(
        status="ACTIVE", submission_id=uuid4(), task_id=TASK_ID, claimed_at=None
    )


@pytest.mark.parametrize(
    "refusal",
    [
        "A transfer with identical paths has not completed",
        "Client has too many pending tasks",
    ],
)
def test_what_globus_did_not_take_while_it_was_cancelled_does_not_wait(
    globus, emmy, refusal
):
    transfer = make_transfer(emmy)

    def meanwhile(request):
        wanted = Transfer.objects.get(pk=transfer.pk)
        assert not cancel(wanted).is_finished  # it may get there
        body = {"code": "Conflict", "message": refusal, "resource": "/transfer"}
        return 409, {"Content-Type": "application/json"}, json.dumps(body)

    globus.gives_submission_id()
    globus.answers("POST", "transfer", meanwhile)
    globus.says("GET", "task_list", json={"DATA": []})
    assert send(transfer).was_cancelled
    assert len(globus.calls("transfer")) == 1


def test_what_was_held_back_while_it_was_cancelled_does_not_wait(globus, emmy):
    blocker = make_transfer(emmy, status="ACTIVE")
    transfer = make_transfer(
        emmy, blocked_by=blocker.task_id, blocked_at=timezone.now()
    )

    def meanwhile(execute, sql, params, many, context):
        """A person cancels it when a worker has it in hand."""
        result = execute(sql, params, many, context)
        if "claimed_at" in sql and sql.startswith("UPDATE") and not wanted:
            wanted.append(True)
            cancel(Transfer.objects.get(pk=transfer.pk))
        return result

    wanted: list[bool] = []
    with connection.execute_wrapper(meanwhile):
        send(transfer)
    assert wanted
    assert transfer.was_cancelled


# --- with the sandbox


def task_list(principal):
    return transfer_client(principal).task_list().data["DATA"]


def harvest(**options):
    return document_for(
        source_collection=UUID(seed.HARVEST),
        destination_collection=UUID(seed.ARCHIVE),
        items=[Item("/sensors/", f"/incoming/{uuid4().hex}/")],
        **options,
    )


def test_a_reply_that_was_lost_makes_no_second_task(
    sandbox, service_account, no_pauses
):
    transfer = make_transfer(service_account, document=harvest())
    sandbox.fault("/v0.10/transfer", method="POST", reset="after", times=2)
    transfer = send(transfer)
    assert transfer.status == "NEW"

    transfer = again(transfer)

    assert transfer.status == "ACTIVE"
    assert [each["task_id"] for each in task_list(service_account)] == [
        str(transfer.task_id)
    ]


def test_a_service_account_gives_its_own_consent_once(sandbox, service_account):
    wanted = document_for(
        source_collection=UUID(seed.TUTORIAL_1),
        destination_collection=UUID(seed.ARCHIVE),
        items=[Item("/share/godata/", f"/incoming/{uuid4().hex}/")],
    )
    sandbox.withdraw_consents(client_id=seed.HARVEST_CLIENT_ID)
    transfer = send(make_transfer(service_account, document=wanted))
    assert transfer.status == "ACTIVE", transfer.last_error
    statuses = [each["status"] for each in sandbox.requests("/v0.10/transfer")]
    assert statuses == [403, 202]


def test_a_consent_that_changes_nothing_is_not_asked_for_for_ever(
    sandbox, service_account
):
    refusal = {
        "code": "ConsentRequired",
        "message": "Missing required data_access consent",
        **consent_required(seed.TUTORIAL_1),
    }
    sandbox.fault("/v0.10/transfer", status=403, body=refusal)
    transfer = send(make_transfer(service_account, document=harvest()))
    assert transfer.status == "FAILED"
    assert "cannot give by itself" in transfer.last_error
    assert len(sandbox.requests("/v0.10/transfer")) == 2


@pytest.mark.django_db(transaction=True)
def test_many_workers_that_send_one_transfer_make_one_task(
    sandbox, service_account, no_pauses
):
    transfer = make_transfer(service_account, document=harvest())
    transfer_client(service_account).get_submission_id()  # a token for all
    sandbox.latency("/v0.10/transfer", 0.1)
    gate = threading.Barrier(8)

    def work(release_claim):
        row = Transfer.objects.get(pk=transfer.pk)
        gate.wait()
        if release_claim:  # as after a sweep that took a live worker for dead
            Transfer.objects.filter(pk=row.pk).update(claimed_at=None)
        submission.send(transfer_client(service_account), row)
        connection.close()

    workers = [threading.Thread(target=work, args=[n % 2]) for n in range(8)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    transfer.refresh_from_db()
    assert transfer.status == "ACTIVE"
    assert [each["task_id"] for each in task_list(service_account)] == [
        str(transfer.task_id)
    ]
