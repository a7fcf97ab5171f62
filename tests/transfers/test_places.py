"""A full queue at Globus waits here, in order and fairly."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts.clients import transfer_client
from sandbox import seed
from tests.factories import make_job, make_run, make_transfer, make_user
from transfers import monitoring, places, submission
from transfers.jobs import runs
from transfers.models import Run, Transfer
from transfers.submission import Item, document_for
from transfers.sweeping import sweep


def numbers(place="incoming"):
    return document_for(
        source_collection=UUID(seed.HARVEST),
        destination_collection=UUID(seed.ARCHIVE),
        items=[Item("/sensors/", f"/{place}/{uuid4().hex}/")],
    )


def send(transfer):
    submission.send(transfer_client(transfer.principal), transfer)
    transfer.refresh_from_db()
    return transfer


def posts(sandbox):
    return [each["status"] for each in sandbox.requests("/v0.10/transfer")]


@pytest.fixture
def full(sandbox, service_account):
    """Two tasks are at Globus, do nothing, and no third one is taken."""
    sandbox.set(pending_tasks=2, hold_tasks=True)
    there = [send(make_transfer(service_account, document=numbers())) for _ in range(2)]
    assert [each.status for each in there] == ["ACTIVE", "ACTIVE"]
    sandbox.forget_requests()
    return there


def end(sandbox, transfer):
    submission.cancel(transfer_client(transfer.principal), transfer)
    monitoring.poll(transfer.principal)
    transfer.refresh_from_db()
    assert transfer.is_finished


def test_what_globus_takes_no_more_waits_here_and_says_so(
    sandbox, service_account, full
):
    transfer = send(make_transfer(service_account, document=numbers()))
    assert transfer.status == "NEW"
    assert transfer.place_asked_at
    assert "no more unfinished tasks" in transfer.says
    assert not transfer.outcome_open
    assert transfer.next_try_at > timezone.now()
    assert places.before(transfer) == 0


def test_who_comes_later_waits_behind_without_asking_globus(
    sandbox, service_account, full
):
    first, second, third = (
        send(make_transfer(service_account, document=numbers())) for _ in range(3)
    )
    assert posts(sandbox) == [409]
    assert [places.before(each) for each in (first, second, third)] == [0, 1, 2]
    assert second.status == third.status == "NEW"
    assert "waits here for its turn" in third.says


def test_a_place_goes_to_the_first_and_it_lets_the_next_one_in(
    sandbox, service_account, full, messages
):
    waiting = [
        send(make_transfer(service_account, document=numbers())) for _ in range(3)
    ]
    messages()
    before = len(messages())
    end(sandbox, full[0])
    assert messages()[before:] == [("send_transfer", str(waiting[0].pk))]

    assert send(waiting[1]).status == "NEW"  # not its turn
    assert send(waiting[0]).status == "ACTIVE"
    assert messages()[-1] == ("send_transfer", str(waiting[1].pk))
    assert send(waiting[1]).status == "NEW"  # full again
    assert waiting[1].place_asked_at
    assert posts(sandbox) == [409, 202, 409]


def test_it_is_not_given_up_however_long_it_waits(sandbox, service_account, full):
    transfer = send(make_transfer(service_account, document=numbers()))
    long_ago = timezone.now() - timedelta(days=3)
    Transfer.objects.filter(pk=transfer.pk).update(
        created_at=long_ago, place_asked_at=long_ago
    )
    sandbox.fault("/v0.10/transfer", method="POST", status=503, retry_after=0)
    transfer.refresh_from_db()
    transfer = send(transfer)
    assert transfer.status == "NEW"
    assert transfer.place_asked_at is None


def test_places_are_shared_fairly_between_jobs(db, service_account):
    busy, quiet = (make_job(service_account, kind="transfer") for _ in range(2))
    now = timezone.now()
    made = []

    def waits(job, minutes, status="NEW"):
        transfer = make_transfer(
            service_account,
            status=status,
            created_at=now - timedelta(minutes=minutes),
            place_asked_at=now if status == "NEW" else None,
        )
        make_run(job, transfer=transfer)
        made.append(transfer)
        return transfer

    first, second, third = (waits(busy, age) for age in (60, 59, 58))
    late = waits(quiet, 1)
    assert [*places.in_order(service_account)] == [first, late, second, third]
    waits(busy, 90, "ACTIVE")
    assert [*places.in_order(service_account)] == [late, first, second, third]


def test_a_persons_queue_is_not_another_ones(db):
    mine = make_transfer(make_user(), place_asked_at=timezone.now())
    other = make_transfer(make_user())
    assert places.is_turn_of(other)
    assert places.next_in(mine.principal) == mine.pk


def test_a_run_waits_for_a_place_and_goes_on(sandbox, service_account, full, messages):
    run = runs.run_now(make_job(service_account, kind="transfer"), by=None)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "waiting"
    assert "no more unfinished tasks" in run.says
    end(sandbox, full[0])
    assert messages()[-1] == ("execute_run", str(run.pk))
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.SUBMITTED


def test_the_sweep_tries_again_should_the_turn_be_lost(
    sandbox, service_account, full, messages
):
    transfer = send(make_transfer(service_account, document=numbers()))
    sweep(now=timezone.now() + places.FIRST_TRIES_AFTER + timedelta(seconds=1))
    assert ("send_transfer", str(transfer.pk)) in messages()


def test_a_waiting_one_can_be_cancelled(sandbox, service_account, full):
    transfer = send(make_transfer(service_account, document=numbers()))
    submission.cancel(transfer_client(service_account), transfer)
    assert transfer.was_cancelled
    assert places.next_in(service_account) is None
