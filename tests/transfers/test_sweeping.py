"""What was lost is found again: by rows, at times that the tests choose."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)
from tests.stack import database_url
from transfers import submission, tasks
from transfers.claims import CLAIM_LASTS, QUEUE_GRACE
from transfers.jobs import runs
from transfers.jobs.models import Chore, Run
from transfers.models import Transfer, Watch
from transfers.sweeping import MOST_DEATHS, QUEUED_LASTS, sweep


def later(**time):
    return timezone.now() + timedelta(**time)


STALE = {"seconds": CLAIM_LASTS.total_seconds() + 1}


def ask(person):
    document = make_transfer(person, status="FAILED").document
    return submission.ask(person, document, asked_by=person)


def test_what_was_asked_for_is_queued_after_the_commit(messages):
    transfer = ask(make_user())
    assert messages() == [("send_transfer", str(transfer.pk))]


def test_a_fresh_row_is_left_to_its_message(messages):
    ask(make_user())
    sweep()
    assert len(messages()) == 1


def test_redis_down_keeps_the_row_and_the_sweep_sends_it(messages, tmp_path):
    person = make_user()
    surroundings = os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": f"unix://{tmp_path}/nobody-listens.sock",
    }
    command = [sys.executable, "-m", "tests.transfers.asking", str(person.pk)]
    done = subprocess.run(
        command,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Redis took no message" in done.stderr
    transfer = Transfer.objects.get(user=person)
    assert transfer.status == "NEW"
    assert messages() == []

    sweep(now=later(seconds=QUEUE_GRACE.total_seconds() + 1))

    assert messages() == [("send_transfer", str(transfer.pk))]


def test_a_swept_row_is_not_queued_at_every_tick(messages):
    transfer = make_transfer()
    now = later(minutes=1)
    for _ in range(3):
        sweep(now=now)
    assert messages() == [("send_transfer", str(transfer.pk))]
    sweep(now=now + QUEUED_LASTS)
    assert len(messages()) == 2


def test_a_next_try_is_swept_when_it_is_due(messages):
    make_transfer(next_try_at=later(minutes=10))
    sweep(now=later(minutes=9))
    assert messages() == []
    sweep(now=later(minutes=11))
    assert len(messages()) == 1


@pytest.mark.parametrize("status", ["WAITING", "ACTIVE", "SUCCEEDED", "FAILED"])
def test_what_needs_no_sending_is_not_swept(messages, status):
    make_transfer(status=status)
    sweep(now=later(days=1))
    assert messages() == []


def test_a_transfer_whose_worker_died_is_sent_by_another(messages):
    now = timezone.now()
    transfer = make_transfer(claimed_at=now, next_try_at=now + CLAIM_LASTS)
    sweep(now=later(seconds=100))
    assert messages() == []
    sweep(now=later(**STALE))
    assert messages() == [("send_transfer", str(transfer.pk))]
    transfer.refresh_from_db()
    assert transfer.claimed_at is None


def test_the_transfers_of_runs_are_left_to_their_runs(messages):
    account = make_service_account()
    transfer = make_transfer(account, next_try_at=timezone.now())
    make_run(make_job(account, kind="transfer"), state="preparing", transfer=transfer)
    sweep(now=later(seconds=80))
    assert messages() == []


# --- runs


def test_a_run_whose_message_was_lost_is_queued(messages):
    run = make_run()
    sweep()
    assert messages() == []
    sweep(now=later(seconds=16))
    sweep(now=later(seconds=16))
    assert messages() == [("execute_run", str(run.pk))]


def test_a_run_with_a_heartbeat_is_left_alone(messages):
    run = make_run(state="preparing")
    sweep(now=later(seconds=80))
    run.refresh_from_db()
    assert run.state == "preparing"
    assert messages() == []


def test_r03_a_run_whose_worker_died_is_taken_over_once(messages):
    account = make_service_account()
    transfer = make_transfer(account, claimed_at=timezone.now())
    run = make_run(
        make_job(account, kind="transfer"), state="preparing", transfer=transfer
    )
    gate = threading.Barrier(4)

    def taker():
        gate.wait()
        sweep(now=later(**STALE))
        connection.close()

    takers = [threading.Thread(target=taker) for _ in range(4)]
    for each in takers:
        each.start()
    for each in takers:
        each.join()

    # The losers may hold the row for a moment, so that it is left for the next tick.
    sweep(now=later(**STALE))

    run.refresh_from_db()
    transfer.refresh_from_db()
    assert run.state == "waiting"
    assert run.takeovers == 1
    assert "worker died" in run.says
    assert transfer.claimed_at is None
    assert messages() == [("execute_run", str(run.pk))]
    assert [each.state for each in run.steps.all()] == ["waiting"]


def test_a_run_that_kills_its_workers_is_given_up(messages):
    run = make_run(state="preparing", takeovers=MOST_DEATHS - 1)
    sweep(now=later(**STALE))
    run.refresh_from_db()
    assert run.state == "failed"
    assert "workers died" in run.says
    assert messages() == []


def test_a_run_whose_monitor_died_is_told_the_end(messages):
    account = make_service_account()
    transfer = make_transfer(account, status="SUCCEEDED")
    run = make_run(
        make_job(account, kind="transfer"), state="moving", transfer=transfer
    )
    sweep()
    run.refresh_from_db()
    assert run.state == "succeeded"


# --- worker functions


def test_run_now_is_queued_after_the_commit(messages):
    run = runs.run_now(make_job(), by=None)
    assert messages() == [("execute_run", str(run.pk))]


def test_a_tick_queues_due_polls(messages):
    person = make_user()
    Watch.objects.create(user=person, next_poll_at=timezone.now())
    tasks.tick()
    tasks.tick()
    assert messages() == [("poll_transfers", "user", str(person.pk))]


def test_an_idle_tick_asks_little(messages, django_assert_max_num_queries):
    make_run(state="moving", transfer=make_transfer(status="ACTIVE"))
    # The sweep, the polls, the mails, the upkeep of tokens and revocations, reminders,
    # and whether there is anything to tell: of ends, stalls and long runs of jobs, of
    # ends and troubles of people's transfers, timers and credentials, in digests, in
    # the outbox.
    with django_assert_max_num_queries(30 + 4 + 5 + 3):
        tasks.tick()
    # Is anything due? Are polls (in a transaction)? Entries to seal? Is it time for the
    # sweep?
    with django_assert_max_num_queries(6):
        tasks.tick()


def test_a_sweep_is_not_put_off_by_a_clock_that_was_wrong(messages):
    tasks.tick()
    run = make_run()
    Chore.objects.update(next_at=later(hours=1))
    make_old = Run.objects.filter(pk=run.pk)
    make_old.update(next_try_at=later(seconds=-1))
    tasks.tick()
    assert messages() == [("execute_run", str(run.pk))]


UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("made_up", [UNKNOWN, "", "1", "x' OR 1=1", None, 7, ["a"]])
def test_q05_made_up_ids_do_nothing(globus, db, made_up):
    make_transfer(status="ACTIVE")
    tasks.send_transfer(made_up)
    tasks.execute_run(made_up)
    tasks.poll_transfers("user", made_up)
    tasks.poll_transfers(made_up, UNKNOWN)
    assert not globus.calls(".*")


def test_q05_ids_of_other_rows_do_nothing(globus, db):
    person = make_user()
    make_token(person)
    run, transfer = make_run(), make_transfer(person)
    tasks.send_transfer(str(run.pk))
    tasks.execute_run(str(transfer.pk))
    tasks.poll_transfers("service-account", str(person.pk))
    assert not globus.calls(".*")


def test_q05_replayed_messages_do_nothing(globus, db):
    person = make_user()
    make_token(person)
    for status in ("WAITING", "ACTIVE", "SUCCEEDED", "FAILED"):
        tasks.send_transfer(str(make_transfer(person, status=status).pk))
    for state in set(Run.State) - {"waiting"}:
        tasks.execute_run(str(make_run(state=state, job=_job()).pk))
    assert not globus.calls(".*")


def _job():
    return Run.objects.first().job if Run.objects.exists() else make_job()


def test_q01_messages_carry_ids_only(messages):
    account = make_service_account()
    run = runs.run_now(make_job(account, label="canary"), by=None)
    ask(make_user(name="canary"))
    assert "canary" not in str(messages())
    assert str(run.pk) in str(messages())
