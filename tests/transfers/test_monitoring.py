"""Few calls, and nothing made of an answer that it does not say."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)
from tests.portal.processes import eventually
from tests.transfers.played import query_of
from transfers import absorbing, keeping, monitoring, taking_in, task_list
from transfers.jobs.models import Run
from transfers.models import STALLED_AFTER, Transfer, Watch
from transfers.submission import Item, document_for
from transfers.task_list import News

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KNOWN = ("ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED")


@pytest.fixture
def emmy(db):
    person = make_user()
    make_token(person)
    return person


def task(transfer, **facts):
    """A task document as Globus writes it."""
    status = facts.get("status", "ACTIVE")
    running = status in ("ACTIVE", "INACTIVE")
    return {
        "DATA_TYPE": "task",
        "task_id": str(transfer.task_id),
        "type": "TRANSFER",
        "status": status,
        "request_time": "2026-05-01T11:00:00+00:00",
        "completion_time": None if running else "2026-05-01T11:30:00+00:00",
        "deadline": "2026-05-02T11:00:00+00:00",
        "source_endpoint_display_name": "Tutorial 1",
        "destination_endpoint_display_name": "Tutorial 2",
        "is_ok": True if running else None,
        "nice_status": "OK" if running else None,
        "fatal_error": None,
        "faults": 0,
        "files": 3,
        "files_transferred": 1,
        "bytes_transferred": 40,
        "subtasks_total": 4,
        "subtasks_succeeded": 1,
        "effective_bytes_per_second": 10,
        "subtasks_skipped_errors": 0,
    } | facts


def lists(globus, documents):
    """Globus has these tasks, newest first, and pages them."""

    def page(request):
        query = query_of(request)
        start = int(query.get("offset", 0))
        rows = documents[start : start + int(query["limit"])]
        body = {"DATA_TYPE": "task_list", "total": len(documents), "DATA": rows}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    globus.answers("GET", "task_list", page)


def poll(principal, now=NOW):
    monitoring.poll(principal, now=now)


def watch_of(principal):
    return Watch.objects.get(user=principal)


def fresh(transfer):
    transfer.refresh_from_db()
    return transfer


def many(owner, count):
    made = [make_transfer(owner, status="ACTIVE")]
    template = made[0]
    for _ in range(count - 1):
        made.append(
            Transfer(
                user=owner,
                document={},
                source_id=template.source_id,
                destination_id=template.destination_id,
                status="ACTIVE",
                submission_id=uuid4(),
                task_id=uuid4(),
                sent_at=NOW,
            )
        )
    Transfer.objects.bulk_create(made[1:])
    return made


# --- how many calls


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (1000, 1), (2500, 3)])
@pytest.mark.parametrize("status", ["ACTIVE", "SUCCEEDED"])
def test_a_round_costs_a_call_per_thousand(globus, emmy, count, calls, status):
    transfers = many(emmy, count)
    lists(globus, [task(each, status=status) for each in transfers])

    with CaptureQueriesContext(connection) as queries:
        poll(emmy)

    assert len(globus.calls("task_list")) == calls
    assert not globus.calls("task/.*")
    assert Transfer.objects.filter(status=status, bytes_transferred=40).count() == count
    assert len(queries) < 20


def test_without_unfinished_transfers_a_service_account_is_not_asked_for(globus, db):
    account = make_service_account()
    make_transfer(account, status="SUCCEEDED")
    make_transfer(account)
    monitoring.poll(account)
    assert not globus.calls(".*")
    assert Watch.objects.get(service_account=account).next_poll_at is None


def test_a_person_without_unfinished_transfers_is_asked_for_now_and_then(globus, emmy):
    make_transfer(emmy, status="SUCCEEDED")
    lists(globus, [])
    now = timezone.now()
    monitoring.poll(emmy, now=now)
    [call] = globus.calls("task_list")
    since = now - monitoring.LATELY
    assert query_of(call)["filter"] == f"request_time:{since:%Y-%m-%d %H:%M:%S},"
    assert watch_of(emmy).next_poll_at == now + monitoring.IDLE


def test_the_window_begins_with_the_oldest_unfinished_task(globus, emmy):
    old = make_transfer(emmy, status="ACTIVE", requested_at=NOW - timedelta(hours=5))
    new = make_transfer(emmy, status="ACTIVE", sent_at=NOW - timedelta(hours=1))
    make_transfer(emmy, status="SUCCEEDED", requested_at=NOW - timedelta(days=9))
    lists(globus, [task(new), task(old)])
    poll(emmy)
    query = query_of(globus.calls("task_list")[0])
    assert query["filter"] == "request_time:2026-05-01 07:00:00,"
    assert query["orderby"] == "request_time DESC"


def test_a_straggler_behind_much_traffic_costs_one_call_more(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    traffic = [task(Transfer(task_id=uuid4()), status="SUCCEEDED") for _ in range(1000)]

    def page(request):
        terms = query_of(request)["filter"]
        rows = traffic if terms.startswith("request_time") else [task(transfer)]
        body = {"DATA": rows, "total": len(rows)}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    globus.answers("GET", "task_list", page)
    poll(emmy)
    assert [query_of(each)["filter"] for each in globus.calls("task_list")][1:] == [
        "status:ACTIVE,INACTIVE"
    ]
    assert fresh(transfer).bytes_transferred == 40


def test_what_is_in_no_list_is_asked_for_alone_and_within_a_limit(globus, emmy):
    transfers = many(emmy, 30)
    lists(globus, [])
    globus.answers(
        "GET",
        "task/.*",
        lambda request: (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"task_id": request.url.rpartition("/")[2], "status": "FAILED"}),
        ),
    )
    poll(emmy)
    assert len(globus.calls("task/.*")) == task_list.SINGLE_CALLS
    poll(emmy, now=NOW + timedelta(minutes=1))
    assert len(globus.calls("task/.*")) == len(transfers)
    assert Transfer.objects.filter(status="FAILED").count() == len(transfers)


def test_ten_thousand_rows_are_written_in_few_queries(emmy):
    transfers = many(emmy, 2500)
    for each in transfers:
        absorbing.absorb(each, task(each), NOW)
    with CaptureQueriesContext(connection) as queries:
        absorbing.write(transfers)
    assert len(queries) == 3


# --- what is made of the answers


def test_a_running_task_fills_the_columns(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE", moved_at=None)
    document = task(transfer)
    lists(globus, [document])
    poll(emmy)
    fresh(transfer)
    assert transfer.task_document == document
    assert (transfer.files, transfer.files_transferred) == (3, 1)
    assert transfer.bytes_transferred == 40
    assert transfer.bytes_per_second == 10
    assert transfer.progress == 33
    assert transfer.is_ok is True
    assert transfer.nice_status == "OK"
    assert transfer.source_name == "Tutorial 1"
    assert transfer.requested_at == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert transfer.deadline == datetime(2026, 5, 2, 11, tzinfo=UTC)
    assert transfer.checked_at == transfer.moved_at == NOW


def test_a_finished_task_ends_the_transfer(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [task(transfer, status="SUCCEEDED", files_transferred=3)])
    poll(emmy)
    fresh(transfer)
    assert transfer.status == "SUCCEEDED"
    assert transfer.finished_at == datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
    assert transfer.progress == 100
    rest = watch_of(emmy).next_poll_at - watch_of(emmy).last_polled_at
    assert rest == monitoring.IDLE


def test_a_cancelled_task_is_told_apart(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    fatal = {"code": "CANCELED", "description": "canceled"}
    lists(globus, [task(transfer, status="FAILED", fatal_error=fatal)])
    poll(emmy)
    assert fresh(transfer).was_cancelled


def test_an_expired_task_says_so(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    fatal = {"code": "EXPIRED", "description": "deadline expired"}
    lists(globus, [task(transfer, status="FAILED", fatal_error=fatal)])
    poll(emmy)
    assert "deadline" in fresh(transfer).says
    assert transfer.error_detail == "deadline expired"


def test_a_fault_is_told_while_globus_tries_on(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    fault = {
        "is_ok": False,
        "faults": 7,
        "nice_status": "FILE_NOT_FOUND",
        "nice_status_short_description": "file not found",
    }
    lists(globus, [task(transfer, **fault)])
    poll(emmy)
    assert "file not found" in fresh(transfer).says
    assert transfer.status == "ACTIVE"

    globus.forgets("GET", "task_list")
    lists(globus, [task(transfer)])
    poll(emmy, now=NOW + timedelta(minutes=1))
    assert not fresh(transfer).last_error


@pytest.mark.parametrize(
    "status", ["DONE", "succeeded", "", None, 1, True, ["SUCCEEDED"], {"a": 1}, "\0"]
)
def test_a_status_that_makes_no_sense_is_unknown_and_kept(globus, emmy, status):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [task(transfer, status=status)])
    poll(emmy)
    fresh(transfer)
    assert transfer.status == "UNKNOWN"
    assert "do not know" in transfer.says
    assert not transfer.is_finished
    assert transfer.task_document["status"] == (
        "\N{REPLACEMENT CHARACTER}" if status == "\0" else status
    )

    globus.forgets("GET", "task_list")
    lists(globus, [task(transfer)])
    poll(emmy, now=NOW + timedelta(minutes=1))
    assert fresh(transfer).status == "ACTIVE"


def test_missing_and_absurd_fields_change_nothing_else(globus, emmy):
    transfer = make_transfer(
        emmy, status="ACTIVE", files=5, bytes_transferred=9, source_name="Here"
    )
    absurd = {
        "task_id": str(transfer.task_id),
        "status": "ACTIVE",
        "files": -1,
        "bytes_transferred": "many",
        "faults": 2**70,
        "files_skipped": True,
        "subtasks_total": 1.5,
        "nice_status": None,
        "is_ok": "yes",
        "deadline": "tomorrow",
        "request_time": 5,
        "source_endpoint_display_name": None,
        "fatal_error": "bad",
    }
    lists(globus, [absurd])
    poll(emmy)
    fresh(transfer)
    assert transfer.status == "ACTIVE"
    assert (transfer.files, transfer.bytes_transferred, transfer.faults) == (5, 9, 0)
    assert transfer.is_ok is None
    assert transfer.nice_status == ""
    assert transfer.source_name == "Here"


@pytest.mark.django_db
@given(
    st.dictionaries(
        st.sampled_from(
            [*task(Transfer(task_id=uuid4())), "nice_status_details", "x\0y"]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.sampled_from(KNOWN)
        | st.lists(st.integers(), max_size=2)
        | st.dictionaries(st.text(max_size=3), st.text(), max_size=2),
    )
)
def test_no_document_breaks_the_monitor_or_makes_a_wrong_end(document):
    transfer = make_transfer(status="ACTIVE")
    absorbing.absorb(transfer, document, NOW)
    absorbing.write([transfer])
    transfer.refresh_from_db()
    said = document.get("status")
    ended = said if isinstance(said, str) and said in ("SUCCEEDED", "FAILED") else None
    assert transfer.is_finished == (ended is not None)
    if ended:
        assert transfer.status == ended
    assert transfer.says


@pytest.mark.parametrize(
    "answer",
    [
        {"body": "<html>", "content_type": "text/html"},
        {"json": {"DATA": None}},
        {"json": {}},
        {"json": [1]},
        {"body": '{"DATA": [', "content_type": "application/json"},
    ],
)
def test_a_list_that_makes_no_sense_leads_to_single_calls(globus, emmy, answer):
    transfer = make_transfer(emmy, status="ACTIVE")
    globus.says("GET", "task_list", **answer)
    globus.says("GET", f"task/{transfer.task_id}", json=task(transfer))
    poll(emmy)
    assert fresh(transfer).bytes_transferred == 40


@pytest.mark.parametrize(
    "answer",
    [
        {"body": "<html>", "content_type": "text/html"},
        {"body": '{"status": "SUCC', "content_type": "application/json"},
        {"body": "", "content_type": "application/json"},
        {"json": [1]},
        {"json": None},
        {"json": "SUCCEEDED"},
    ],
)
def test_a_single_answer_that_makes_no_sense_changes_nothing(globus, emmy, answer):
    lost, other = (make_transfer(emmy, status="ACTIVE") for _ in range(2))
    before = Transfer.objects.values().get(pk=lost.pk)
    lists(globus, [])
    globus.says("GET", f"task/{lost.task_id}", **answer)
    globus.says("GET", f"task/{other.task_id}", json=task(other))
    poll(emmy)
    assert Transfer.objects.values().get(pk=lost.pk) == before
    assert fresh(other).bytes_transferred == 40
    assert watch_of(emmy).last_error == ""


@pytest.mark.parametrize("status", ["DONE", None, ["SUCCEEDED"]])
def test_a_single_answer_with_an_unknown_status_is_kept_and_unknown(
    globus, emmy, status
):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [])
    said = task(transfer, status=status, nice_status=None)
    globus.says("GET", f"task/{transfer.task_id}", json=said)
    poll(emmy)
    assert fresh(transfer).status == "UNKNOWN"
    assert transfer.task_document["status"] == status
    assert not transfer.is_finished


@pytest.mark.parametrize(
    "change",
    [
        {"bytes_transferred": 80, "files_transferred": 5, "subtasks_succeeded": 6},
        {"bytes_transferred": 80, "faults": 1},
        {"status": "SUCCEEDED"},
        {"nice_status": "FILE_NOT_FOUND", "is_ok": False},
        {"label": "another"},
        {"source_endpoint_display_name": "Elsewhere"},
        {"deadline": "2027-01-01T00:00:00+00:00"},
    ],
)
def test_what_is_written_in_few_columns_is_what_all_columns_say(globus, emmy, change):
    """A task that only got on is written by a shorter statement."""
    times = {"sent_at": NOW, "moved_at": NOW}
    pair = [make_transfer(emmy, status="ACTIVE", **times) for _ in range(2)]
    for each in pair:
        absorbing.absorb(each, task(each), NOW)
    absorbing.write(pair)
    later = NOW + timedelta(seconds=5)
    news = {each.task_id: task(each, **change) for each in pair}
    taking_in.take_in([fresh(pair[0])], News(ours=news), later)
    absorbing.absorb(fresh(pair[1]), news[pair[1].task_id], later)
    absorbing.write([pair[1]])
    own = {"id", "task_id", "submission_id", "task_document", "created_at"}
    own |= {"next_try_at"}
    one, other = (
        {
            name: value
            for name, value in Transfer.objects.values().get(pk=each.pk).items()
            if name not in own
        }
        for each in pair
    )
    assert one == other


def test_rows_that_are_no_tasks_are_passed_over(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [None, 5, {}, {"task_id": 5}, {"task_id": "x"}, task(transfer)])
    poll(emmy)
    assert fresh(transfer).bytes_transferred == 40


def test_a_task_that_is_not_found_is_told_after_several_polls(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [])
    missing = {"code": "ClientError.NotFound", "message": "No such task"}
    globus.says("GET", f"task/{transfer.task_id}", status=404, json=missing)
    statuses = []
    for minute in range(4):
        poll(emmy, now=NOW + timedelta(minutes=minute))
        statuses.append(fresh(transfer).status)
    assert statuses == ["ACTIVE", "ACTIVE", "UNKNOWN", "UNKNOWN"]
    assert "does not know this task" in transfer.says

    globus.forgets("GET", "task_list")
    lists(globus, [task(transfer)])
    poll(emmy, now=NOW + timedelta(minutes=9))
    assert fresh(transfer).status == "ACTIVE"
    assert transfer.missed_polls == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503, "json": {"code": "ServiceUnavailable", "message": "x"}},
        {"status": 429, "json": {"code": "RateLimited", "message": "x"}},
        {"body": requests.ConnectionError("gone")},
    ],
)
def test_a_failed_read_changes_nothing_but_the_watch(globus, emmy, answer):
    transfer = make_transfer(emmy, status="ACTIVE")
    before = Transfer.objects.values().get(pk=transfer.pk)
    globus.says("GET", "task_list", **answer)
    poll(emmy)
    assert Transfer.objects.values().get(pk=transfer.pk) == before
    assert watch_of(emmy).last_error
    assert watch_of(emmy).next_poll_at > NOW
    assert watch_of(emmy).claimed_at is None


def test_a_dead_sign_in_is_told_by_the_watch(globus, db):
    person = make_user()
    make_transfer(person, status="ACTIVE")
    poll(person)
    assert "Sign in again" in watch_of(person).last_error
    assert not globus.calls(".*")


# --- one monitor at a time


def test_a_second_monitor_goes_away_again(globus, emmy):
    make_transfer(emmy, status="ACTIVE")
    Watch.objects.create(user=emmy, next_poll_at=NOW, claimed_at=NOW)
    poll(emmy)
    assert not globus.calls(".*")


def test_the_claim_of_a_dead_monitor_runs_out(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    long_ago = NOW - timedelta(minutes=5)
    Watch.objects.create(user=emmy, next_poll_at=NOW, claimed_at=long_ago)
    lists(globus, [task(transfer)])
    poll(emmy)
    assert fresh(transfer).checked_at == NOW


def test_an_end_is_never_taken_back(emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    slow = Transfer.objects.get(pk=transfer.pk)
    absorbing.absorb(slow, task(transfer), NOW)
    absorbing.absorb(transfer, task(transfer, status="SUCCEEDED"), NOW)
    absorbing.write([transfer])
    absorbing.write([slow])
    assert fresh(transfer).status == "SUCCEEDED"


@pytest.mark.parametrize("known", [True, False])
def test_a_deadline_changed_while_globus_is_asked_stays(globus, emmy, known):
    transfer = make_transfer(emmy, status="ACTIVE", deadline=NOW)
    changed = datetime(2098, 12, 30, tzinfo=UTC)
    before = [task(transfer)] if known else []

    def meanwhile(request):
        Transfer.objects.filter(pk=transfer.pk).update(deadline=changed)
        body = {"DATA_TYPE": "task_list", "total": len(before), "DATA": before}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    globus.answers("GET", "task_list", meanwhile)
    missing = {"code": "ClientError.NotFound", "message": "No such task"}
    globus.says("GET", f"task/{transfer.task_id}", status=404, json=missing)
    poll(emmy)
    assert fresh(transfer).checked_at == NOW
    assert transfer.deadline == changed


def test_who_sees_the_end_sees_no_listing_from_before(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")

    def listing():
        return keeping.key_of(emmy.pk, "session", transfer.destination_id, "/")

    before, at_the_end = listing(), []

    def look(execute, sql, params, many, context):
        if sql.startswith("UPDATE transfers_transfer"):
            at_the_end.append(listing())
        return execute(sql, params, many, context)

    lists(globus, [task(transfer, status="SUCCEEDED")])
    with connection.execute_wrapper(look):
        poll(emmy)
    assert fresh(transfer).is_finished
    [then] = at_the_end
    assert then != before


def test_a_deadline_changed_elsewhere_is_taken_over(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE", deadline=NOW)
    lists(globus, [task(transfer, deadline="2026-05-09T10:00:00+00:00")])
    poll(emmy)
    assert fresh(transfer).deadline == datetime(2026, 5, 9, 10, tzinfo=UTC)


def test_the_pace_follows_what_moves(globus, emmy):
    transfer = make_transfer(emmy, status="ACTIVE")
    lists(globus, [task(transfer)])
    pauses = []
    now = NOW
    for _ in range(7):
        poll(emmy, now=now)
        pauses.append((watch_of(emmy).next_poll_at - now).total_seconds())
        now = watch_of(emmy).next_poll_at
    assert pauses == [5, 10, 20, 40, 60, 60, 60]

    monitoring.watch(emmy, now=now)
    assert watch_of(emmy).next_poll_at == now
    globus.forgets("GET", "task_list")
    lists(globus, [task(transfer, bytes_transferred=80)])
    poll(emmy, now=now)
    assert (watch_of(emmy).next_poll_at - now).total_seconds() == 5


def test_a_watch_that_was_woken_meanwhile_does_not_fall_asleep(globus, emmy):
    first = make_transfer(emmy, status="ACTIVE")
    later = NOW + timedelta(seconds=1)

    def page(request):
        make_transfer(emmy, status="ACTIVE")  # sent while this monitor asks
        monitoring.watch(emmy, now=later)
        body = {"DATA": [task(first, status="SUCCEEDED")]}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    globus.answers("GET", "task_list", page)
    poll(emmy)
    assert watch_of(emmy).next_poll_at is not None


@pytest.mark.parametrize("answer", [200, 403, 503])
def test_what_is_sent_while_globus_is_asked_is_polled_at_once(globus, emmy, answer):
    Watch.objects.create(user=emmy, next_poll_at=NOW, interval_seconds=60)
    later = NOW + timedelta(seconds=1)
    sent = []

    def page(request):
        if not sent:
            sent.append(make_transfer(emmy, status="ACTIVE"))
            monitoring.watch(emmy, now=later)
        return answer, {"Content-Type": "application/json"}, json.dumps({"DATA": []})

    globus.answers("GET", "task_list", page)
    poll(emmy)
    assert watch_of(emmy).next_poll_at == later
    assert watch_of(emmy).interval_seconds == monitoring.QUICKEST


def test_no_message_is_lost_on_a_monitor_that_is_still_at_it(globus, emmy, messages):
    make_transfer(emmy, status="ACTIVE")
    later = NOW + timedelta(seconds=1)

    def page(request):
        monitoring.watch(emmy, now=later)
        assert monitoring.queue_due_polls(now=later) == 0
        return 200, {"Content-Type": "application/json"}, json.dumps({"DATA": []})

    globus.answers("GET", "task_list", page)
    missing = {"code": "ClientError.NotFound", "message": "No such task"}
    globus.says("GET", "task/[^/]*", status=404, json=missing)
    poll(emmy)
    assert monitoring.queue_due_polls(now=later) == 1


def test_due_polls_are_shared_by_two_ticks(messages):
    people = [make_user() for _ in range(20)]
    for each in people:
        Watch.objects.create(user=each, next_poll_at=NOW)
    Watch.objects.create(user=make_user(), next_poll_at=NOW + timedelta(seconds=1))
    Watch.objects.create(user=make_user(), next_poll_at=None)
    gate = threading.Barrier(4)

    def tick():
        gate.wait()
        monitoring.queue_due_polls(now=NOW)
        connection.close()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(messages()) == sorted(
        ("poll_transfers", "user", str(each.pk)) for each in people
    )


# --- runs


@pytest.fixture
def running(db):
    """A run whose transfer Globus has."""
    account = make_service_account()
    make_token(account)
    transfer = make_transfer(account, status="ACTIVE")
    run = make_run(
        make_job(account, kind="transfer"), state="submitted", transfer=transfer
    )
    return account, transfer, run


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"bytes_transferred": 0, "subtasks_succeeded": 0}, "submitted"),
        ({}, "moving"),
        ({"status": "INACTIVE"}, "stalled"),
        ({"status": "???"}, "submitted"),
        ({"status": "SUCCEEDED"}, "succeeded"),
        ({"status": "SUCCEEDED", "subtasks_skipped_errors": 2}, "succeeded_with_skips"),
        ({"status": "FAILED", "fatal_error": {"code": "EXPIRED"}}, "failed"),
        ({"status": "FAILED", "fatal_error": {"code": "CANCELED"}}, "cancelled"),
    ],
)
def test_a_run_follows_its_transfer(globus, running, facts, state):
    account, transfer, run = running
    lists(globus, [task(transfer, **facts)])
    poll(account)
    run.refresh_from_db()
    assert run.state == state
    codes = {"failed": "EXPIRED", "cancelled": "CANCELED"}
    assert run.error_code == codes.get(state, "")


def test_a_run_stalls_by_faults_without_movement_and_goes_on_again(globus, running):
    account, transfer, run = running
    fault = {"is_ok": False, "faults": 3, "nice_status": "PERMISSION_DENIED"}
    lists(globus, [task(transfer, **fault)])
    poll(account)
    run.refresh_from_db()
    assert run.state == "moving"

    later = NOW + STALLED_AFTER + timedelta(seconds=1)
    poll(account, now=later)
    run.refresh_from_db()
    assert run.state == "stalled"
    assert "PERMISSION_DENIED" in run.says

    globus.forgets("GET", "task_list")
    lists(globus, [task(transfer, bytes_transferred=90)])
    poll(account, now=later + timedelta(minutes=1))
    run.refresh_from_db()
    assert run.state == "moving"
    assert [each.state for each in run.steps.all()] == ["moving", "stalled", "moving"]


def test_many_runs_that_did_not_change_cost_no_queries(globus, db):
    account = make_service_account()
    make_token(account)
    transfers = [make_transfer(account, status="ACTIVE") for _ in range(10)]
    job = make_job(account, kind="transfer")
    for each in transfers:
        make_run(job, state="moving", transfer=each)
    lists(globus, [task(each) for each in transfers])
    with CaptureQueriesContext(connection) as queries:
        poll(account)
    assert len(queries) < 20
    assert set(Run.objects.values_list("state", flat=True)) == {"moving"}


def test_a_real_task_is_followed_to_its_end(sandbox, service_account):
    from transfers import submission
    from transfers.monitoring import transfer_client

    document = document_for(
        source_collection=UUID(seed.HARVEST),
        destination_collection=UUID(seed.ARCHIVE),
        items=[Item("/sensors/", f"/incoming/{uuid4().hex}/")],
    )
    transfer = make_transfer(service_account, document=document)
    client = transfer_client(service_account)
    submission.send(client, transfer)

    def has_ended():
        monitoring.poll(service_account)
        return fresh(transfer).is_finished

    assert eventually(has_ended)
    assert transfer.status == "SUCCEEDED"
    assert transfer.files_transferred == 5
    assert transfer.destination_name == "Long-term archive"
    assert transfer.progress == 100
