"""Whose turn it is, what a run waits for, and what follows when one ends."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from portal import celery as portal_celery
from portal.planned import planned_once
from tests.factories import (
    make_job,
    make_run,
    make_schedule,
    make_service_account,
    make_transfer,
    make_user,
)
from tests.portal.processes import eventually
from transfers import attention
from transfers.jobs import beating, claiming, explaining, line, runs, stopping
from transfers.jobs.aftermath import pause_before
from transfers.jobs.holds import hold, release
from transfers.jobs.ledger import fire_due
from transfers.jobs.models import Hold, Job, Limit, Run, Schedule
from transfers.jobs.states import advance
from transfers.models import Transfer
from transfers.sweeping import sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_service_account()


def ask(job, count=1):
    return [runs.run_now(job, by=None) for _ in range(count)]


def side_by_side(account, **fields):
    return make_job(account, overlap_policy="allow", **fields)


def later(**span):
    return timezone.now() + timedelta(**span)


def taken(now=None):
    """Takes until nothing may start; the runs in the order in which they were taken."""
    found = []
    while run := claiming.take(now=now):
        found.append(run)
    return found


def told(run):
    explaining.explain(timezone.now())
    run.refresh_from_db()
    return run.waits_for, run.says


# --- turns


def test_first_come_first_served_within_an_owner(account):
    asked = ask(side_by_side(account), 4)
    assert taken() == asked


def test_owners_take_turns(account):
    many = side_by_side(account, owner=make_user(name="Many"))
    few = side_by_side(account, owner=make_user(name="Few"))
    ask(many, 5)
    ask(few, 2)
    order = [run.job == few for run in taken()]
    assert order[:4].count(True) == 2


def test_who_comes_late_does_not_wait_for_all_of_the_others(account):
    many = side_by_side(account, owner=make_user(name="Many"))
    ask(many, 30)
    for _ in range(10):
        run = claiming.take()
        advance(run, Run.State.SUCCEEDED, says="")
    few = side_by_side(account, owner=make_user(name="Few"))
    ask(few, 1)
    order = [run.job == few for run in taken()]
    assert order.index(True) <= 2


def test_nobody_saves_up_turns(account):
    busy = side_by_side(account, owner=make_user(name="Busy"))
    away = side_by_side(account, owner=make_user(name="Away"))
    ask(away, 1)
    for _ in range(20):
        ask(busy, 1)
        advance(claiming.take(), Run.State.SUCCEEDED, says="")
    ask(busy, 3)
    ask(away, 3)
    order = [run.job == away for run in taken()]
    assert sum(order[:2]) <= 1 or sum(order[:4]) <= 3


# --- limits


def test_globus_runs_three_tasks_of_one_identity(account):
    job = side_by_side(account, kind="transfer")
    asked = ask(job, 5)
    assert len(taken()) == 3
    waits_for, says = told(asked[4])
    assert waits_for == "limit"
    assert f"{account} has 3 transfers under way" in says


def test_lists_do_not_count_as_tasks(account):
    ask(side_by_side(account, kind="transfer"), 3)
    listing = side_by_side(account)
    ask(listing, 2)
    assert len(taken()) == 5


def test_a_worker_comes_for_the_next_when_one_ends(account, messages):
    asked = ask(side_by_side(account, kind="transfer"), 4)
    first = taken()[0]
    before = len(messages())
    advance(first, Run.State.FAILED, says="It failed.")
    assert messages()[before:] == [("execute_run", str(asked[3].pk))]


def test_limits_of_an_account_a_collection_and_in_all(account):
    job = side_by_side(account)
    ask(job, 9)
    overall = Limit.objects.create(most_running=5)
    assert len(taken()) == 5
    assert "in all" in told(Run.objects.filter(state="waiting").first())[1]
    overall.delete()
    there = Limit.objects.create(collection=job.source_collection, most_running=6)
    assert len(taken()) == 1
    assert "collections" in told(Run.objects.filter(state="waiting").first())[1]
    there.delete()
    Limit.objects.create(service_account=account, most_running=7)
    assert len(taken()) == 1
    assert str(account) in told(Run.objects.filter(state="waiting").first())[1]


def test_two_workers_do_not_overstep_a_limit(account, messages):
    ask(side_by_side(account, kind="transfer"), 12)
    gate = threading.Barrier(6)
    found = []

    def worker():
        gate.wait()
        found.extend(taken())
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert Run.objects.under_way().count() == 3
    assert len({run.pk for run in found}) == len(found)


def test_a_job_has_one_run_at_a_time(account):
    asked = ask(make_job(account), 2)
    assert taken() == asked[:1]
    assert told(asked[1]) == ("overlap", "Waits for an earlier run of the job to end.")


# --- held back


def test_what_is_paused_waits_and_goes_on(account, messages):
    job = make_job(account)
    hold(account, mode=Hold.Mode.PAUSE, by=job.owner, reason="New key")
    (run,) = ask(job)
    assert run.waits_for == "hold"
    assert messages() == []
    assert taken() == []
    waits_for, says = told(run)
    assert (waits_for, "New key" in says) == ("hold", True)
    release(account, by=job.owner)
    assert messages() == [("execute_run", str(run.pk))]
    assert told(run) == ("worker", "Waits for a worker.")
    assert taken() == [run]


def test_a_draining_job_takes_no_new_runs(account):
    job = make_job(account)
    ask(job)
    hold(job, mode=Hold.Mode.DRAIN, by=None, reason="Moving")
    with pytest.raises(runs.JobHeld, match="Moving"):
        ask(job)
    assert len(taken()) == 1


def test_a_run_that_waited_into_a_blackout_waits_on(account):
    now = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    schedule = make_schedule(
        make_job(account),
        now=now,
        blackouts=[{"days": [*range(7)], "from": "14:00", "to": "15:00"}],
    )
    fire_due(now=now + timedelta(minutes=30))
    assert claiming.take(now=now + timedelta(minutes=95)) is None
    run = schedule.job.runs.get()
    assert run.ready_at == datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert claiming.take(now=run.ready_at) == run


def test_a_blackout_that_never_ends_does_not_block_the_line(account):
    always = [{"days": [*range(7)], "from": "00:00", "to": "00:00"}]
    schedule = make_schedule(make_job(account))
    Schedule.objects.filter(pk=schedule.pk).update(blackouts=always)
    run = make_run(schedule.job, schedule=schedule)
    assert claiming.take() == run


def test_the_sweep_sends_what_may_start_only(account, messages):
    job = side_by_side(account, kind="transfer")
    ask(job, 5)
    taken()
    before = len(messages())
    sweep(now=later(seconds=20))
    assert len(messages()) == before
    advance(Run.objects.under_way().first(), Run.State.FAILED, says="")
    sweep(now=later(seconds=20))
    # The one that was woken at once, and those of which any may come next.
    assert 1 <= len({*messages()[before:]}) <= 2


# --- after the end


def failing(job, *, cause="globus", **fields):
    run = make_run(job, state="preparing", **fields)
    advance(run, Run.State.FAILED, says="No.", cause=cause)
    return run


def test_a_failure_is_tried_again_as_a_run_of_its_own(account, messages):
    job = make_job(account, retry_attempts=2, retry_pause_minutes=10)
    first = failing(job)
    second = first.children.get()
    assert (second.trigger, second.lineage, second.retry_number) == ("retry", "same", 1)
    assert (second.state, second.waits_for) == ("waiting", "retry")
    assert "Try 1 of 2" in second.says
    assert timedelta(minutes=8) < second.ready_at - timezone.now()
    assert second.inputs == first.inputs
    assert claiming.take() is None
    assert messages() == []
    sweep(now=second.next_try_at)
    assert messages() == [("execute_run", str(second.pk))]

    assert claiming.take(now=second.next_try_at) == second
    second.refresh_from_db()
    advance(second, Run.State.FAILED, says="No.", cause="globus")
    third = second.children.get()
    assert timedelta(minutes=17) < third.ready_at - timezone.now()
    claiming.take(now=third.ready_at)
    third.refresh_from_db()
    advance(third, Run.State.FAILED, says="No.", cause="globus")
    assert not third.children.exists()


def test_only_named_causes_are_tried_again(account):
    job = make_job(account, retry_attempts=1, retry_causes=["collection"])
    assert not failing(job, cause="task").children.exists()
    assert failing(job, cause="collection").children.exists()


def test_a_success_or_a_cancellation_is_not_tried_again(account):
    job = make_job(account, retry_attempts=5)
    for end in (Run.State.SUCCEEDED, Run.State.CANCELLED):
        run = make_run(job, state="preparing")
        advance(run, end, says="")
        assert not run.children.exists()


def test_the_pause_doubles_up_to_a_day():
    job = Job(retry_pause_minutes=10)
    for number, longest in ((1, 10), (2, 20), (5, 160), (20, 1440)):
        pause = pause_before(job, number)
        assert 0.9 * longest <= pause / timedelta(minutes=1) <= longest


def test_the_watermark_is_the_start_of_the_last_success(account):
    job = make_job(account)
    now = timezone.now()
    newer = make_run(job, state="preparing", started_at=now)
    older = make_run(job, state="preparing", started_at=now - timedelta(hours=1))
    advance(newer, Run.State.SUCCEEDED, says="")
    advance(older, Run.State.SUCCEEDED, says="")
    failing(job, started_at=now + timedelta(hours=1))
    job.refresh_from_db()
    assert job.watermark == now


# --- dead workers, poison


def test_a_run_that_kills_three_workers_is_stopped_and_not_retried(account, messages):
    job = make_job(account, retry_attempts=5)
    (run,) = ask(job)
    now = timezone.now()
    deaths = 0
    for _ in range(10):
        now += timedelta(seconds=30)
        if claiming.take(now=now):
            deaths += 1  # it dies at once
        now += timedelta(seconds=91)
        sweep(now=now)
        run.refresh_from_db()
        if run.is_finished:
            break
    assert deaths == 3
    assert (run.state, run.error_code) == ("failed", "PoisonRun")
    assert "3 workers died" in run.says
    assert not run.children.exists()
    (matter,) = attention.matters(make_user(is_staff=True))
    assert run.says in matter.says


def test_a_dead_worker_is_noticed_in_two_minutes_and_taken_over_in_three(
    account, messages
):
    """The worst case: a beat just before the death, a sweep just before it is due."""
    (run,) = ask(make_job(account))
    died = timezone.now()
    assert claiming.take(now=died) == run
    noticed = next(
        second
        for second in range(0, 300, 20)  # a sweep every 15 s, and a tick of 5 s
        if _noticed(run, died + timedelta(seconds=second))
    )
    assert noticed <= 120
    assert claiming.take(now=died + timedelta(seconds=noticed)) == run
    assert claiming.take(now=died + timedelta(seconds=noticed)) is None
    run.refresh_from_db()
    assert (run.attempts, run.takeovers) == (2, 1)


def _noticed(run, now):
    sweep(now=now)
    run.refresh_from_db()
    return run.state == "waiting"


def test_a_live_worker_keeps_its_run_however_long_a_call_takes(account, messages):
    (run,) = ask(make_job(account))
    run = claiming.take()
    with beating.alive(run):
        for minute in range(1, 10):
            now = run.claimed_at + timedelta(minutes=minute)
            assert beating.beat(now) == 1
            sweep(now=now + timedelta(seconds=30))
    assert beating.beat() == 0
    run.refresh_from_db()
    assert run.state == "preparing"


def test_a_worker_that_lost_its_run_does_not_keep_it_alive(account, messages):
    ask(make_job(account))
    run = claiming.take()
    with beating.alive(run):
        sweep(now=later(seconds=91))
        claiming.take(now=later(seconds=92))
        assert beating.beat() == 0


# --- deadlines and stalls


def test_a_list_past_its_deadline_fails(account, messages):
    job = make_job(account, deadline_minutes=30)
    (run,) = ask(job)
    run = claiming.take()
    sweep(now=run.claimed_at + timedelta(seconds=80))
    run.refresh_from_db()
    assert run.state == "preparing"
    stopping.queue_due(run.claimed_at + timedelta(minutes=31))
    run.refresh_from_db()
    assert (run.state, run.cause) == ("failed", "deadline")
    assert "30 minutes" in run.says


def moving(account, **policy):
    job = make_job(account, kind="transfer", **policy)
    transfer = make_transfer(account, status="ACTIVE")
    return make_run(job, state="moving", transfer=transfer)


def end_of(run):
    """The monitor hears that the task was cancelled."""
    transfer = run.transfer
    transfer.refresh_from_db()
    assert transfer.cancel_asked_at
    transfer.status, transfer.error_code = "FAILED", "CANCELED"
    transfer.save()
    runs.follow(Run.objects.get(pk=run.pk))
    run.refresh_from_db()
    return run.state, run.cause, run.says


def test_a_transfer_past_its_deadline_is_cancelled_and_has_failed(
    account, messages, globus
):
    run = moving(account, deadline_minutes=30)
    Run.objects.filter(pk=run.pk).update(deadline_at=timezone.now())
    stopping.queue_due(later(minutes=1))
    assert messages() == [("stop_run", str(run.pk))]
    give_token(account)
    globus.says("POST", r"task/[-0-9a-f]+/cancel", json={"code": "Canceled"})
    stopping.stop(run.pk)
    stopping.stop(run.pk)
    stopping.queue_due(later(minutes=1))
    assert len(messages()) == 1
    state, cause, says = end_of(run)
    assert (state, cause) == ("failed", "deadline")
    assert "longer than it may (30 minutes)" in says


def test_a_run_that_ends_while_it_is_to_be_stopped_is_left_alone(account, globus):
    run = moving(account, deadline_minutes=30)
    Run.objects.filter(pk=run.pk).update(deadline_at=timezone.now())
    give_token(account)

    def meanwhile(execute, sql, params, many, context):
        """The monitor hears of its end when the run has been read."""
        if sql.startswith('UPDATE "transfers_run"') and not ended:
            ended.append(succeeded(run))
        return execute(sql, params, many, context)

    ended: list[bool] = []
    with connection.execute_wrapper(meanwhile):
        stopping.stop(run.pk)
    assert ended == [True]
    run.refresh_from_db()
    assert (run.state, run.cause, run.last_error) == ("succeeded", "", "")
    assert not globus.calls(".*")


def succeeded(run):
    Transfer.objects.filter(run=run).update(status="SUCCEEDED")
    runs.follow(Run.objects.get(pk=run.pk))
    return Run.objects.get(pk=run.pk).is_finished


def test_a_run_that_came_through_before_it_was_stopped_has_no_fault(account, globus):
    run = moving(account, deadline_minutes=30)
    Run.objects.filter(pk=run.pk).update(deadline_at=timezone.now())
    give_token(account)
    globus.says("POST", r"task/[-0-9a-f]+/cancel", json={"code": "TaskComplete"})
    stopping.stop(run.pk)
    run.refresh_from_db()
    assert run.cause == "deadline"
    assert succeeded(run)
    run.refresh_from_db()
    assert (run.state, run.cause, run.last_error) == ("succeeded", "", "")


def test_a_stalled_transfer_is_cancelled_by_policy(account, messages, globus):
    run = moving(account, stall_policy="cancel", stall_minutes=20)
    other = moving(account, stall_policy="tell", stall_minutes=20)
    for each in (run, other):
        advance(each, Run.State.STALLED, says="Globus has trouble with it.")
    stopping.queue_due(later(minutes=19))
    assert messages() == []
    now = later(minutes=21)
    stopping.queue_due(now)
    assert messages() == [("stop_run", str(run.pk))]
    give_token(account)
    globus.says("POST", r"task/[-0-9a-f]+/cancel", json={"code": "Canceled"})
    stopping.stop(run.pk)  # not yet, by the clock
    stopping.stop(run.pk, now=now)
    assert len(globus.calls(r"task/[-0-9a-f]+/cancel")) == 1
    state, cause, says = end_of(run)
    assert (state, cause) == ("failed", "task")
    assert "Nothing moved for 20 minutes" in says


def test_a_stall_that_passes_begins_anew(account):
    run = moving(account)
    advance(run, Run.State.STALLED, says="")
    assert run.stalled_at
    advance(run, Run.State.MOVING, says="")
    assert run.stalled_at is None


def give_token(account):
    from tests.factories import make_token

    make_token(account, refresh_token=None)


# --- what changed meanwhile


def test_a_switched_off_service_account_is_a_sentence(account):
    (run,) = ask(make_job(account))
    account.enabled, account.disabled_reason = False, "Its key leaked."
    account.save()
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "has been switched off: Its key leaked." in run.says


@pytest.mark.parametrize("kind", ["list", "transfer"])
def test_a_deleted_collection_is_a_sentence(sandbox, kind):
    account = make_service_account()
    gone = "99999999-9999-4999-8999-999999999999"
    (run,) = ask(make_job(account, kind=kind, source_collection=gone))
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert gone in run.says
    assert "collection" in run.says


def test_a_collection_that_is_deleted_meanwhile_is_a_sentence(sandbox):
    account = make_service_account()
    (run,) = ask(make_job(account))
    gone = {
        "code": "EndpointDeleted",
        "message": f"Endpoint '{run.source_collection}' has been deleted",
    }
    sandbox.fault("/endpoint/*/ls", status=404, body=gone)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.says == (
        f"The collection {run.source_collection} has been deleted. Choose another one "
        "in the job."
    )


def test_a_hint_of_nobody_starts_nothing(account):
    ask(make_job(account))
    runs.execute_next(make_user().pk)
    assert not Run.objects.under_way().exists()


def test_a_worker_that_waits_for_globus_holds_no_connection(account, messages, globus):
    give_token(account)
    (run,) = ask(make_job(account))
    held = []

    def answer(request):
        held.append(connection.connection)
        return 200, {}, '{"DATA": [], "path": "/sensors/", "request_id": "x"}'

    globus.answers("GET", "operation/endpoint/[-0-9a-f]+/ls", answer)
    runs.execute(run.pk)
    assert held == [None]


# --- one message, several runs


@pytest.fixture
def redis_client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def test_a_worker_goes_on_with_the_next_without_a_message(
    sandbox, account, messages, monkeypatch
):
    monkeypatch.setattr(runs, "GO_ON_SECONDS", 600.0)  # however long a run takes here
    asked = ask(side_by_side(account, source_path="/sensors/"), 3)
    sent = len(messages())
    runs.execute_next(asked[0].pk)
    assert {Run.objects.get(pk=run.pk).state for run in asked} == {"succeeded"}
    assert len(messages()) == sent


def test_a_worker_leaves_the_rest_to_a_message_after_a_moment(
    sandbox, account, messages, monkeypatch
):
    monkeypatch.setattr(runs, "GO_ON_SECONDS", -1.0)
    asked = ask(side_by_side(account, source_path="/sensors/"), 3)
    sent = len(messages())
    runs.execute_next(asked[0].pk)
    assert Run.objects.filter(state="succeeded").count() == 1
    assert messages()[sent:] == [("execute_run", str(asked[1].pk))]


def test_a_worker_for_which_nothing_else_waits_stays(
    sandbox, account, messages, redis_client, monkeypatch
):
    monkeypatch.setattr(runs, "GO_ON_SECONDS", -1.0)
    asked = ask(side_by_side(account, source_path="/sensors/"), 3)
    redis_client.flushdb()
    runs.execute_next(asked[0].pk)
    assert Run.objects.filter(state="succeeded").count() == 3
    assert messages() == []


@pytest.mark.parametrize("name", ["tick", "celery"])
def test_a_worker_leaves_for_a_message_of_any_queue(
    sandbox, account, messages, redis_client, monkeypatch, name
):
    monkeypatch.setattr(runs, "GO_ON_SECONDS", -1.0)
    asked = ask(side_by_side(account, source_path="/sensors/"), 2)
    redis_client.flushdb()
    redis_client.lpush(name, "anything")
    runs.execute_next(asked[0].pk)
    assert Run.objects.filter(state="succeeded").count() == 1


def test_a_worker_that_is_to_stop_leaves_the_rest(
    sandbox, account, messages, redis_client, monkeypatch
):
    monkeypatch.setattr(runs, "GO_ON_SECONDS", -1.0)
    asked = ask(side_by_side(account, source_path="/sensors/"), 2)
    redis_client.flushdb()
    monkeypatch.setattr(portal_celery, "_is_shutting_down", False)
    worker_shutting_down.send(sender="test", sig="SIGTERM", how="warm", exitcode=0)
    runs.execute_next(asked[0].pk)
    assert messages() == [("execute_run", str(asked[1].pk))]


def test_a_mistake_of_ours_leaves_the_rest_to_a_message(account, messages, monkeypatch):
    asked = ask(side_by_side(account, source_path="/sensors/"), 2)
    sent = len(messages())

    def breaks(run):
        raise ZeroDivisionError

    monkeypatch.setattr(runs, "_carry_out", breaks)
    with pytest.raises(ZeroDivisionError):
        runs.execute_next(asked[0].pk)
    assert messages()[sent:] == [("execute_run", str(asked[1].pk))]


@pytest.mark.django_db(transaction=True)
def test_claims_of_two_accounts_do_not_wait_for_each_other():
    """They read the same collection, which nothing limits."""
    first, second = (make_service_account(client_id=uuid4()) for _ in range(2))
    ask(side_by_side(first), 1)
    (other,) = ask(side_by_side(second), 1)
    with transaction.atomic():
        assert claiming.take() is not None
        taken_meanwhile = []

        def claim():
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            taken_meanwhile.append(claiming.take())
            connection.close()

        thread = threading.Thread(target=claim)
        thread.start()
        thread.join()
    assert taken_meanwhile == [other]


@pytest.mark.django_db(transaction=True)
def test_who_finds_all_accounts_being_counted_waits_for_one_of_them(account):
    (asked,) = ask(side_by_side(account), 1)
    found = []

    def claim():
        found.append(claiming.take())
        connection.close()

    thread = threading.Thread(target=claim)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(COUNTING, [str(account.pk)])
        thread.start()
        assert eventually(lambda: waits_for_a_lock() and thread.is_alive())
        assert found == []
    thread.join()
    assert found == [asked]


COUNTING = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        return cursor.fetchone() == (1,)


class Turn:
    """A lock that says when somebody waits for it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.waits = threading.Event()

    def acquire(self, blocking=True, timeout=-1):
        if blocking:
            self.waits.set()
        return self._lock.acquire(blocking, timeout)

    def release(self):
        self._lock.release()


@pytest.mark.django_db(transaction=True)
def test_threads_of_a_process_claim_one_after_the_other(account, monkeypatch):
    asked = ask(side_by_side(account), 2)
    turn = Turn()
    monkeypatch.setattr(claiming, "_turn", turn)
    monkeypatch.setattr(claiming, "TURN_SECONDS", 60.0)
    found = []

    def claim():
        connection.ensure_connection()
        found.append(claiming.take())
        connection.close()

    thread = threading.Thread(target=claim)
    before = connections_in_use()
    with claiming._one_at_a_time():
        thread.start()
        assert turn.waits.wait(60)
        assert found == []
        assert connections_in_use() == before, "who waits gives its own back"
    thread.join()
    assert found == asked[:1]


def connections_in_use():
    pool = connection.pool
    figures = pool.get_stats() if pool else {}
    return figures.get("pool_size", 0) - figures.get("pool_available", 0)


def test_a_claim_that_takes_long_holds_nobody_up(account, monkeypatch):
    (asked,) = ask(side_by_side(account), 1)
    monkeypatch.setattr(claiming, "TURN_SECONDS", 0.01)
    with claiming._one_at_a_time():
        assert claiming.take() == asked
        assert claiming._turn.locked()
    assert not claiming._turn.locked()


@pytest.mark.django_db(transaction=True)
def test_a_run_that_somebody_else_has_in_hand_is_not_waited_for(account):
    """It is locked, say by somebody who stops it; the line goes on once it is free."""
    (asked,) = ask(side_by_side(account), 1)
    found = []

    def claim():
        found.append(claiming.take())
        connection.close()

    with transaction.atomic():
        Run.objects.select_for_update().get(pk=asked.pk)
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join()
    assert found == [None]
    assert claiming.take() == asked


def rows_read(monkeypatch):
    """Of runs, by one look at the line: what PostgreSQL says of its plan."""
    seen = []

    class Explaining:
        def __init__(self, cursor):
            self._cursor = cursor

        def execute(self, statement, given):
            before = transaction.savepoint()
            self._cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given)
            seen.append(self._cursor.fetchone()[0][0]["Plan"])
            transaction.savepoint_rollback(before)
            self._cursor.execute(statement, given)

        def __getattr__(self, name):
            return getattr(self._cursor, name)

    @contextmanager
    def explained():
        with planned_once() as cursor:
            yield Explaining(cursor)

    with monkeypatch.context() as patch:
        patch.setattr(claiming, "planned_once", explained)
        assert claiming.take() is not None
    (plan,) = seen
    return read_of_runs(plan)


def read_of_runs(node):
    inner = sum(map(read_of_runs, node.get("Plans", [])))
    if node.get("Relation Name") != "transfers_run":
        return inner
    each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return inner + each * node["Actual Loops"]


def test_a_long_line_takes_no_longer_to_look_at(account, monkeypatch):
    """Whatever PostgreSQL believes: its statistics are of before the line grew."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE transfers_run")
    busy = side_by_side(account)
    for run in ask(busy, line.MOST_IN_HAND):
        assert claiming.take() == run
    other = side_by_side(make_service_account(client_id=uuid4()))
    ask(other, 2)
    short = rows_read(monkeypatch)
    ask(busy, 100)
    ask(other, 100)
    assert rows_read(monkeypatch) <= short + 10
