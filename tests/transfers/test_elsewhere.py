"""Tasks that were begun in the web app or with the CLI are followed, too."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from accounts.clients import transfer_client
from sandbox import seed
from tests.factories import make_token, make_transfer, make_user
from tests.portal.processes import eventually
from tests.transfers.played import query_of
from transfers import monitoring, submission
from transfers.models import Transfer, Watch
from transfers.submission import Item, document_for


@pytest.fixture(autouse=True)
def nobody_has_looked():
    cache.clear()


@pytest.fixture
def ada(transactional_db, ada):
    return ada


@pytest.fixture
def emmy(db):
    person = make_user()
    make_token(person)
    return person


def papers(name="copy"):
    return document_for(
        source_collection=UUID(seed.LAPTOP),
        destination_collection=UUID(seed.LAPTOP),
        items=[Item("/Documents/", f"/{name}/", recursive=True)],
        label=name,
    )


def by_the_cli(person, name="copy"):
    wanted = papers(name) | {"submission_id": str(uuid4())}
    return UUID(transfer_client(person).submit_transfer(wanted)["task_id"])


def lists(globus, *rows):
    body = json.dumps({"DATA": rows})
    headers = {"Content-Type": "application/json"}
    globus.answers("GET", "task_list", lambda request: (200, headers, body))


def test_a_look_brings_the_tasks_that_were_begun_elsewhere(sandbox, ada):
    task_id = by_the_cli(ada)
    monitoring.look(ada)
    monitoring.poll(ada)

    row = Transfer.objects.get(task_id=task_id)
    assert row.user == ada
    assert row.origin == "elsewhere"
    assert row.label == "copy"
    assert row.submission_id is None
    assert row.source_name == "Ada's laptop"
    assert abs(row.created_at.timestamp() - sandbox.now()) < 60


def test_they_are_watched_to_their_end(sandbox, ada):
    sandbox.set(hold_tasks=True)
    task_id = by_the_cli(ada)
    monitoring.look(ada)
    monitoring.poll(ada)
    row = Transfer.objects.get(task_id=task_id)
    assert row.status == "ACTIVE"
    assert Watch.objects.get(user=ada).next_poll_at

    submission.cancel(transfer_client(ada), row)
    monitoring.poll(ada)
    row.refresh_from_db()
    assert row.was_cancelled


def test_the_next_look_asks_only_for_what_is_new(sandbox, ada):
    by_the_cli(ada)
    for _ in range(2):
        cache.clear()
        monitoring.look(ada)
        monitoring.poll(ada)
    first, second = (each["query"] for each in sandbox.requests("/task_list"))
    assert first != second
    assert Transfer.objects.count() == 1
    by_the_cli(ada, "another")
    monitoring.look(ada)
    monitoring.poll(ada)
    assert Transfer.objects.count() == 2


def test_a_submission_that_is_open_is_not_taken_for_another_ones(globus, emmy):
    """The task is in the list before the answer to its POST has come back."""
    task_id = uuid4()
    mine = make_transfer(emmy, submission_id=uuid4(), outcome_open=True)
    row = {
        "task_id": str(task_id),
        "type": "TRANSFER",
        "status": "ACTIVE",
        "request_time": "2026-05-01T11:00:00+00:00",
        "source_endpoint_id": seed.LAPTOP,
        "destination_endpoint_id": seed.LAPTOP,
    }
    lists(globus, row)
    monitoring.look(emmy)
    monitoring.poll(emmy)
    assert [*Transfer.objects.all()] == [mine]
    assert Watch.objects.get(user=emmy).listed_until is None  # it is looked for again

    Transfer.objects.update(outcome_open=False)
    cache.clear()
    monitoring.look(emmy)
    monitoring.poll(emmy)
    assert Transfer.objects.filter(task_id=task_id, origin="elsewhere").exists()


def test_a_row_that_was_made_by_mistake_gives_way_to_the_real_one(globus, emmy):
    globus.gives_submission_id()
    globus.accepts()
    from tests.transfers.played import TASK_ID

    make_transfer(emmy, status="ACTIVE", origin="elsewhere")
    Transfer.objects.update(task_id=TASK_ID, submission_id=None)
    mine = make_transfer(emmy)
    submission.send(transfer_client(emmy), mine)
    mine.refresh_from_db()
    assert (mine.status, mine.task_id) == ("ACTIVE", TASK_ID)
    assert [*Transfer.objects.all()] == [mine]


def test_the_tasks_of_others_are_theirs(sandbox, ada, visit):
    by_the_cli(ada)
    stranger = make_user()
    make_token(stranger)
    monitoring.look(ada)
    monitoring.poll(ada)
    assert not Transfer.objects.owned_by(stranger).exists()


def test_looking_hurries_the_poll_and_wakes_a_watch_that_sleeps(emmy):
    now = timezone.now()
    later = now + timedelta(seconds=50)
    watch = Watch.objects.create(user=emmy, next_poll_at=later, interval_seconds=60)
    monitoring.look(emmy, now=now)
    watch.refresh_from_db()
    assert watch.next_poll_at == now + timedelta(seconds=5)
    assert watch.looked_at == now

    Watch.objects.update(next_poll_at=None)
    monitoring.look(emmy, now=now)  # a moment later: not even asked
    watch.refresh_from_db()
    assert watch.next_poll_at is None
    cache.clear()
    monitoring.look(emmy, now=now)
    watch.refresh_from_db()
    assert watch.next_poll_at == now


def test_while_somebody_looks_the_pace_stays_quick(globus, emmy):
    make_transfer(emmy, status="ACTIVE", task_id=uuid4())
    lists(globus)
    globus.says("GET", "task/.*", json={"status": "ACTIVE"})
    now = timezone.now()
    for _ in range(5):
        cache.clear()
        monitoring.look(emmy, now=now)
        monitoring.poll(emmy, now=now)
        watch = Watch.objects.get(user=emmy)
        assert watch.next_poll_at == now + timedelta(seconds=5)
        now = watch.next_poll_at


def test_a_look_without_a_token_sends_no_mail_and_sleeps_again(globus, db, mailoutbox):
    person = make_user(email="emmy@uni.example")
    monitoring.look(person)
    monitoring.poll(person)
    watch = Watch.objects.get(user=person)
    assert watch.next_poll_at is None
    assert watch.last_error
    assert not mailoutbox
    assert not globus.calls(".*")


def test_two_monitors_at_once_make_one_row_each(globus, transactional_db):
    emmy = make_user()
    make_token(emmy)
    rows = [
        {
            "task_id": str(uuid4()),
            "type": "TRANSFER",
            "status": "ACTIVE",
            "request_time": "2026-05-01T11:00:00+00:00",
            "source_endpoint_id": seed.LAPTOP,
            "destination_endpoint_id": seed.LAPTOP,
        }
        for _ in range(20)
    ]
    lists(globus, *rows)
    monitoring.look(emmy)
    gate = threading.Barrier(4)

    def round_of_one_monitor():
        gate.wait()
        # as when the claim of one that is only slow has run out
        Watch.objects.update(claimed_at=None)
        monitoring.poll(emmy)
        connection.close()

    threads = [threading.Thread(target=round_of_one_monitor) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert Transfer.objects.count() == 20
    query = query_of(globus.calls("task_list")[0])
    assert query["limit"] == "1000"


def test_it_works_while_the_person_is_away(sandbox, ada):
    """The access token has expired; the refresh token brings another one."""
    sandbox.set(hold_tasks=True)
    transfer = make_transfer(ada, document=papers())
    submission.send(transfer_client(ada), transfer)
    sandbox.expire_access_tokens()
    sandbox.forget_requests()
    monitoring.poll(ada)
    transfer.refresh_from_db()
    assert transfer.checked_at
    assert [each["status"] for each in sandbox.requests("/oauth2/token")] == [200]


# --- while nobody looks


def test_they_are_found_while_nobody_looks(sandbox, ada):
    sandbox.set(hold_tasks=True)
    monitoring.poll(ada)
    task_id = by_the_cli(ada)
    monitoring.poll(ada)
    row = Transfer.objects.get(task_id=task_id)
    assert row.was_begun_elsewhere
    assert row.told_at is None  # its end will be told


def test_what_had_ended_before_is_no_news(sandbox, ada):
    task_id, client = by_the_cli(ada), transfer_client(ada)
    assert eventually(lambda: client.get_task(task_id)["status"] == "SUCCEEDED")
    monitoring.look(ada)
    monitoring.poll(ada)
    row = Transfer.objects.get()
    assert row.is_finished
    assert row.told_at


def test_the_first_look_still_shows_a_month(globus, emmy):
    lists(globus)
    monitoring.poll(emmy)
    monitoring.look(emmy)
    monitoring.poll(emmy)
    starts = [query_of(each)["filter"] for each in globus.calls("task_list")]
    lately, month = (timezone.now() - each for each in (HOUR, monitoring.HISTORY))
    assert f"{lately:%Y-%m-%d}" in starts[0]
    assert f"{month:%Y-%m-%d}" in starts[1]


@pytest.mark.parametrize(("count", "calls"), [(3, 1), (1001, 2)])
def test_looking_for_them_costs_no_further_call(globus, emmy, count, calls):
    first = make_transfer(emmy, status="ACTIVE")
    rows = [
        Transfer(
            user=emmy,
            document={},
            source_id=first.source_id,
            destination_id=first.destination_id,
            status="ACTIVE",
            submission_id=uuid4(),
            task_id=uuid4(),
            sent_at=first.sent_at,
        )
        for _ in range(count - 1)
    ]
    Transfer.objects.bulk_create(rows)
    known = [
        {"task_id": str(each.task_id), "status": "ACTIVE"} for each in [first, *rows]
    ]

    def page(request):
        query = query_of(request)
        begin = int(query.get("offset", 0))
        body = {"DATA": known[begin : begin + int(query["limit"])]}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)

    globus.answers("GET", "task_list", page)
    monitoring.poll(emmy)
    assert len(globus.calls(".*")) == calls


def test_a_person_who_must_sign_in_is_not_asked_for_again(globus, db):
    person = make_user()
    monitoring.poll(person)
    assert Watch.objects.get(user=person).next_poll_at is None


def test_a_globus_that_is_away_is_asked_again_later(globus, emmy):
    globus.says("GET", "task_list", status=503, json={})
    now = timezone.now()
    monitoring.poll(emmy, now=now)
    assert Watch.objects.get(user=emmy).next_poll_at == now + monitoring.IDLE


HOUR = timedelta(hours=1)
