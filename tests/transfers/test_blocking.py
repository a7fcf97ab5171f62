"""409: the task in the way is found, shown, and waited for or cancelled."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from accounts.clients import transfer_client
from sandbox import seed
from tests.factories import make_job, make_token, make_transfer, make_user
from tests.transfers.played import TASK_ID
from transfers import elsewhere, monitoring, submission
from transfers.jobs import runs
from transfers.models import Transfer
from transfers.submission import Item, document_for


@pytest.fixture
def ada(transactional_db, ada):
    return ada


def letters():
    return document_for(
        source_collection=UUID(seed.LAPTOP),
        destination_collection=UUID(seed.LAPTOP),
        items=[Item("/Documents/", "/copy/", recursive=True)],
    )


def send(transfer):
    submission.send(transfer_client(transfer.principal), transfer)
    transfer.refresh_from_db()
    return transfer


@pytest.fixture
def blocked(sandbox, ada):
    """``(the one under way, the same again)``"""
    sandbox.set(hold_tasks=True)
    first = send(make_transfer(ada, document=letters()))
    second = send(make_transfer(ada, document=letters()))
    assert first.status == "ACTIVE", first.last_error
    return first, second


def test_the_task_in_the_way_is_named_and_the_person_asked(blocked):
    first, second = blocked
    assert second.status == "WAITING"
    assert second.is_blocked
    assert second.blocked_by == first.task_id
    assert "same paths" in second.says
    assert not second.outcome_open


def test_a_sign_in_does_not_choose_for_the_person(blocked, ada):
    assert submission.resume_all(ada) == 0


def test_it_waits_for_the_other_one_to_end(blocked, sandbox, messages, ada):
    first, second = blocked
    submission.resume(second)
    sandbox.forget_requests()
    assert send(second).status == "NEW"
    assert "has ended" in second.says
    assert not sandbox.requests("/v0.10/transfer")

    before = len(messages())
    submission.cancel(transfer_client(ada), first)
    monitoring.poll(ada)
    assert messages()[before:] == [("send_transfer", str(second.pk))]
    second = send(second)
    assert second.status == "ACTIVE"
    assert second.blocked_by is None
    assert second.blocked_at is None


def test_the_other_one_is_cancelled_and_this_one_sent(blocked, sandbox, ada):
    first, second = blocked
    submission.cancel_blocker(transfer_client(ada), second)
    monitoring.poll(ada)
    first.refresh_from_db()
    assert first.was_cancelled
    assert send(second).status == "ACTIVE"


def test_a_task_from_elsewhere_in_the_way_gets_a_row(sandbox, ada):
    sandbox.set(hold_tasks=True)
    client = transfer_client(ada)
    wanted = letters()
    task_id = client.submit_transfer(
        {**wanted, "submission_id": str(uuid4()), "label": "by the CLI"}
    )["task_id"]
    second = send(make_transfer(ada, document=wanted))
    assert str(second.blocked_by) == task_id
    other = Transfer.objects.get(task_id=task_id)
    assert other.was_begun_elsewhere
    assert other.label == "by the CLI"
    assert other.user == ada


def test_a_task_without_a_name_is_found_by_its_paths(globus, db):
    emmy = make_user()
    make_token(emmy)
    wanted = letters()
    make_transfer(emmy, status="ACTIVE")
    first = make_transfer(emmy, status="ACTIVE", document=wanted)
    globus.gives_submission_id()
    globus.refuses(409, "Conflict", "A transfer with identical paths has not completed")
    second = send(make_transfer(emmy, document=wanted))
    assert second.blocked_by == first.task_id


@pytest.mark.parametrize(("alike", "found"), [(1, True), (2, False)])
def test_a_task_unknown_here_is_found_if_only_one_fits(globus, db, alike, found):
    emmy = make_user()
    make_token(emmy)
    ids = [TASK_ID, uuid4()][:alike]
    rows = [
        {
            "task_id": str(task_id),
            "type": "TRANSFER",
            "status": "ACTIVE",
            "source_endpoint_id": seed.LAPTOP,
            "destination_endpoint_id": seed.LAPTOP,
        }
        for task_id in ids
    ]
    globus.gives_submission_id()
    globus.says("GET", "task_list", json={"DATA": [None, *rows]})
    globus.says("GET", f"task/{TASK_ID}", json=rows[0])
    globus.refuses(409, "Conflict", "A transfer with identical paths has not completed")
    second = send(make_transfer(emmy, document=letters()))
    assert second.status == "WAITING"
    assert (second.blocked_by == TASK_ID) is found
    assert Transfer.objects.filter(task_id=TASK_ID).exists() is found


def test_waiting_for_a_task_that_is_not_known_does_not_ask_again(globus, db):
    emmy = make_user()
    make_token(emmy)
    globus.gives_submission_id()
    globus.says("GET", "task_list", status=503, json={"code": "x", "message": "x"})
    globus.refuses(409, "Conflict", "A transfer with identical paths has not completed")
    transfer = send(make_transfer(emmy, document=letters()))
    assert (transfer.status, transfer.blocked_by) == ("WAITING", None)
    submission.resume(transfer)
    transfer = send(transfer)
    assert transfer.status == "NEW"
    assert transfer.next_try_at


def test_a_service_account_waits_by_itself(sandbox, service_account):
    sandbox.set(hold_tasks=True)
    job = make_job(service_account, kind="transfer", overlap_policy="allow")
    first, second = (runs.run_now(job, by=None) for _ in range(2))
    runs.execute(first.pk)
    runs.execute(second.pk)
    second.refresh_from_db()
    assert second.state == "waiting"
    assert "same paths" in second.says
    submission.cancel(transfer_client(service_account), Transfer.objects.get(run=first))
    monitoring.poll(service_account)
    runs.execute(second.pk)
    second.refresh_from_db()
    assert second.state == "submitted"


def test_a_conflict_of_another_kind_is_final(globus, db):
    emmy = make_user()
    make_token(emmy)
    globus.gives_submission_id()
    globus.refuses(409, "OperationConflict", "Something else")
    assert send(make_transfer(emmy)).status == "FAILED"


def test_rows_that_make_no_sense_are_not_adopted(db):
    emmy = make_user()
    odd = [{}, {"task_id": "x"}, {"task_id": str(uuid4()), "type": "COPY"}]
    odd += [{"task_id": str(uuid4()), "type": "TRANSFER", "source_endpoint_id": "x"}]
    assert elsewhere.adopt(emmy, odd) == 0
