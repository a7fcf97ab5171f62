"""Due times become rows: each one, once, with a reason where it does not run."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from tests.factories import make_job, make_run, make_schedule, make_service_account
from transfers.jobs import ledger, planning
from transfers.jobs.holds import hold, release
from transfers.jobs.ledger import fire_due
from transfers.jobs.models import Hold, Run, Schedule
from transfers.jobs.previews import next_of_all
from transfers.jobs.schedules import preview, rhythm_of

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DUE = datetime(2026, 3, 2, 13, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def rows(job):
    return [
        (run.scheduled_for, run.state) for run in job.runs.order_by("scheduled_for")
    ]


def test_nothing_is_due_before_its_time(django_assert_num_queries):
    make_schedule(now=NOW)
    with django_assert_num_queries(1):
        assert fire_due(now=DUE - timedelta(seconds=1)) == 0
    assert not Run.objects.exists()


def test_a_due_time_becomes_a_run_and_a_message(messages):
    schedule = make_schedule(now=NOW)
    assert fire_due(now=DUE) == 1
    run = Run.objects.get()
    assert (run.job, run.schedule, run.scheduled_for) == (schedule.job, schedule, DUE)
    assert (run.state, run.trigger, run.says) == (
        "waiting",
        "schedule",
        "Waits for a worker.",
    )
    assert [each.state for each in run.steps.all()] == ["waiting"]
    assert messages() == [("execute_run", str(run.pk))]
    schedule.refresh_from_db()
    assert schedule.next_run_at == DUE + HOUR
    assert fire_due(now=DUE + timedelta(minutes=59)) == 0


def test_the_clock_of_the_database_decides(db):
    # Not on the hour, which may be just now.
    schedule = make_schedule(cron="0 0 1 1 *")
    assert fire_due() == 0
    Schedule.objects.filter(pk=schedule.pk).update(
        next_run_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    assert fire_due() == 1


def test_what_fires_is_what_was_previewed(db):
    schedule = make_schedule(
        make_job(overlap_policy="allow"),
        cron="*/20 1-3 * * *",
        zone="America/New_York",
        now=datetime(2026, 3, 8, 5, tzinfo=UTC),
        excluded_dates=["2026-03-09"],
    )
    shown = preview(rhythm_of(schedule), datetime(2026, 3, 8, 5, tzinfo=UTC))
    now = datetime(2026, 3, 8, 5, tzinfo=UTC)
    while schedule.job.runs.count() < 10:
        now += timedelta(minutes=7)
        fire_due(now=now)
    assert [at for at, _ in rows(schedule.job)][:10] == [each.at for each in shown]


LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
EVERY_DAY = [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("since", ["2026-03-27T22:00Z", "2026-04-03T03:07Z"])
@pytest.mark.parametrize(
    "fields",
    [
        {  # it began long ago, and counts days of a month
            "kind": "rule",
            "rule": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "start_at": datetime(2025, 1, 31, 1, 45, tzinfo=LORD_HOWE),
        },
        {
            "kind": "rule",
            "rule": "FREQ=DAILY;COUNT=120",
            "start_at": datetime(2026, 2, 1, 1, 45, tzinfo=LORD_HOWE),
        },
        {
            "kind": "rule",
            "rule": "FREQ=WEEKLY;BYDAY=SU,MO;UNTIL=20260420T000000Z;BYSETPOS=1;WKST=SU",
            "start_at": datetime(2025, 12, 3, 2, 10, tzinfo=LORD_HOWE),
        },
        {  # a half past one that comes twice, and a day off before it
            "kind": "rule",
            "rule": "FREQ=HOURLY;BYHOUR=1,2",
            "start_at": datetime(2026, 3, 1, 1, 45, tzinfo=LORD_HOWE),
            "excluded_dates": ["2026-04-04"],
        },
        {  # the day of the change is off, and the night is a blackout
            "cron": "45 1 * * *",
            "excluded_dates": ["2026-04-05"],
            "blackouts": [{"days": EVERY_DAY, "from": "23:00", "to": "02:00"}],
        },
        {  # the clock goes forward at midnight, within the blackout
            "cron": "30 0 * * *",
            "zone": "Asia/Beirut",
            "blackouts": [{"days": [5], "from": "22:00", "to": "06:00"}],
        },
    ],
)
def test_what_fires_over_a_change_of_the_clocks_is_what_was_previewed(
    db, fields, since
):
    now = datetime.fromisoformat(since)
    job = make_job(overlap_policy="allow")
    schedule = make_schedule(job, now=now, **{"zone": LORD_HOWE.key} | fields)
    shown = next_of_all([rhythm_of(schedule)], now)
    for due in shown:
        fire_due(now=due.at)
    runs = job.runs.order_by("scheduled_for")
    assert [run.scheduled_for for run in runs] == [due.at for due in shown]
    assert [run.ready_at for run in runs] == [due.starts_at for due in shown]


def test_what_fires_of_two_schedules_is_what_was_previewed(db):
    """Over a change of the clocks, in two zones, and with moments that they share."""
    begin = datetime(2026, 3, 8, 0, tzinfo=UTC)
    job = make_job(overlap_policy="allow")
    rows_of_it = [
        make_schedule(job, now=begin, cron="30 */6 * * *", zone="America/New_York"),
        make_schedule(job, now=begin, cron="30 4 * * *", zone="UTC"),
    ]
    shown = next_of_all(map(rhythm_of, rows_of_it), begin)
    assert any("it is one run" in due.note for due in shown)
    for due in shown:
        fire_due(now=due.at)
    assert [moment for moment, _ in rows(job)] == [due.at for due in shown]


def test_two_schedules_that_name_one_moment_make_one_run(db):
    job = make_job()
    make_schedule(job, now=NOW)
    other = make_schedule(job, cron="0 */13 * * *", now=NOW)
    fire_due(now=DUE)
    assert rows(job) == [(DUE, "waiting")]
    other.refresh_from_db()
    assert other.next_run_at > DUE


def test_a_row_that_is_there_is_not_made_again(messages):
    schedule = make_schedule(now=NOW)
    make_run(schedule.job, scheduled_for=DUE, state="succeeded")
    assert fire_due(now=DUE) == 0
    assert rows(schedule.job) == [(DUE, "succeeded")]
    assert messages() == []


def test_once_comes_to_its_end(db):
    schedule = make_schedule(kind="once", start_at=DUE, now=NOW)
    fire_due(now=DUE)
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    assert "come to its end" in schedule.says


def test_a_schedule_that_cannot_be_read_any_more_says_so(db):
    schedule = make_schedule(now=NOW)
    good = make_schedule(make_job(schedule.job.service_account), now=NOW)
    Schedule.objects.filter(pk=schedule.pk).update(zone="Gone/Zone")
    fire_due(now=DUE)
    schedule.refresh_from_db()
    assert schedule.next_run_at is None
    assert "Gone/Zone" in schedule.says
    assert good.job.runs.count() == 1


def test_a_schedule_that_breaks_us_does_not_hold_up_the_others(db, monkeypatch):
    bad = make_schedule(now=NOW)
    good = make_schedule(make_job(bad.job.service_account), now=NOW, zone="Asia/Tokyo")
    real = ledger.due_after

    def breaks(rhythm, after):
        if str(rhythm.zone) == "UTC":
            raise ZeroDivisionError
        return real(rhythm, after)

    monkeypatch.setattr(ledger, "due_after", breaks)
    assert fire_due(now=DUE) == 1
    assert good.job.runs.count() == 1
    bad.refresh_from_db()
    assert bad.next_run_at is None
    assert "cannot be computed" in bad.says


# --- missed


def outage(hours=10, **policy):
    """Ten due times pass while nobody is there; the last one was an hour ago."""
    job = make_job(overlap_policy="allow", **policy)
    make_schedule(job, now=NOW)
    fire_due(now=DUE + timedelta(hours=hours) - timedelta(minutes=1))
    return job


def test_missed_ones_are_skipped_each_with_a_row():
    job = outage(missed_policy="skip")
    assert [state for _, state in rows(job)] == ["skipped"] * 10
    assert {run.says for run in job.runs.all()} == {
        "It was missed, and missed ones are skipped."
    }
    assert all(run.finished_at for run in job.runs.all())


def test_one_run_makes_up_for_all_that_were_missed():
    job = outage(missed_policy="once")
    assert [state for _, state in rows(job)] == ["skipped"] * 9 + ["waiting"]


def test_what_is_on_time_makes_up_for_what_was_missed():
    job = outage(missed_policy="once", missed_grace_minutes=90)
    assert [state for _, state in rows(job)] == ["skipped"] * 9 + ["waiting"]


def test_the_newest_of_the_missed_are_run():
    job = outage(missed_policy="all", missed_most=3)
    assert [state for _, state in rows(job)] == ["skipped"] * 7 + ["waiting"] * 3


def test_all_of_a_few_are_run():
    job = outage(hours=2, missed_policy="all", missed_most=3)
    assert [state for _, state in rows(job)] == ["waiting"] * 2


def test_within_its_grace_nothing_was_missed():
    job = outage(missed_policy="skip", missed_grace_minutes=24 * 60)
    assert [state for _, state in rows(job)] == ["waiting"] * 10


def test_a_long_outage_leaves_a_row_for_each_due_time(db):
    job = make_job(missed_policy="once", overlap_policy="allow")
    make_schedule(job, cron="* * * * *", now=NOW)
    minutes = 1203
    assert fire_due(now=NOW + timedelta(minutes=minutes, seconds=1)) == minutes
    found = rows(job)
    assert [at for at, _ in found] == [
        NOW + timedelta(minutes=number) for number in range(1, minutes + 1)
    ]
    # The last five minutes are on time.
    assert [state for _, state in found] == ["skipped"] * (minutes - 5) + [
        "waiting"
    ] * 5


# --- overlap


@pytest.mark.parametrize("state", ["waiting", "preparing"])
def test_a_due_time_is_skipped_while_an_earlier_run_goes_on(state):
    job = make_job(overlap_policy="skip")
    make_run(job, state=state)
    make_schedule(job, now=NOW)
    fire_due(now=DUE)
    run = job.runs.get(scheduled_for=DUE)
    assert run.state == "skipped"
    assert "had not ended" in run.says


def test_one_due_time_waits_and_the_next_is_skipped():
    job = make_job(overlap_policy="queue")
    make_run(job, state="preparing")
    make_schedule(job, now=NOW)
    fire_due(now=DUE)
    first = job.runs.get(scheduled_for=DUE)
    assert (first.state, first.waits_for) == ("waiting", "overlap")
    fire_due(now=DUE + HOUR)
    second = job.runs.get(scheduled_for=DUE + HOUR)
    assert second.state == "skipped"
    assert "was waiting already" in second.says


def test_runs_may_be_side_by_side():
    job = make_job(overlap_policy="allow")
    make_run(job, state="preparing")
    make_schedule(job, now=NOW)
    fire_due(now=DUE)
    assert job.runs.get(scheduled_for=DUE).state == "waiting"


# --- held back


def test_a_switched_off_job_skips_each_due_time(messages):
    schedule = make_schedule(make_job(enabled=False), now=NOW)
    fire_due(now=DUE)
    run = schedule.job.runs.get()
    assert (run.state, run.says) == ("skipped", "The job is switched off.")
    assert messages() == []


def test_a_blackout_holds_a_run_back(messages):
    schedule = make_schedule(
        now=NOW,
        zone="Europe/Berlin",
        blackouts=[{"days": [*range(7)], "from": "08:00", "to": "18:00"}],
    )
    fire_due(now=DUE)  # 14:00 in Berlin
    run = schedule.job.runs.get()
    assert (run.state, run.waits_for) == ("waiting", "blackout")
    assert run.ready_at == run.next_try_at == datetime(2026, 3, 2, 17, tzinfo=UTC)
    assert "until 2026-03-02 18:00 (Europe/Berlin)" in run.says
    assert messages() == []


def held(what):
    account = make_service_account()
    job = make_job(account)
    return job, {"job": job, "account": account, "everything": None}[what]


@pytest.mark.parametrize("what", ["job", "account", "everything"])
def test_a_paused_job_makes_runs_that_wait(messages, what):
    job, target = held(what)
    hold(target, mode=Hold.Mode.PAUSE, by=job.owner, reason="New disks")
    make_schedule(job, now=NOW)
    fire_due(now=DUE)
    run = job.runs.get()
    assert (run.state, run.waits_for) == ("waiting", "hold")
    assert "Emmy Noether" in run.says
    assert "New disks" in run.says
    assert messages() == []


@pytest.mark.parametrize("what", ["job", "account", "everything"])
def test_a_draining_job_skips_what_is_due(what):
    job, target = held(what)
    hold(target, mode=Hold.Mode.DRAIN, by=job.owner, reason="Moving house")
    make_schedule(job, now=NOW)
    fire_due(now=DUE)
    run = job.runs.get()
    assert run.state == "skipped"
    assert "Moving house" in run.says


def test_a_hold_is_one_and_ends(db):
    job = make_job()
    first, is_new = hold(job, mode=Hold.Mode.PAUSE, by=None, reason="a")
    assert is_new
    assert hold(job, mode=Hold.Mode.PAUSE, by=None, reason="b") == (first, False)
    assert release(job, by=job.owner) == 1
    first.refresh_from_db()
    assert first.ended_by == job.owner
    assert release(job, by=job.owner) == 0


def test_a_paused_schedule_is_not_due_and_goes_on_from_now(db):
    schedule = make_schedule(now=NOW)
    planning.pause(schedule, by=schedule.job.owner, reason="Holidays")
    assert fire_due(now=DUE + 10 * HOUR) == 0
    assert "Holidays" in schedule.says
    planning.resume(schedule, now=DUE + 10 * HOUR)
    assert schedule.next_run_at == DUE + 11 * HOUR
    assert not schedule.job.runs.exists()


# --- several schedulers


def test_several_schedulers_share_what_is_due(messages):
    account = make_service_account()
    for _ in range(30):
        make_schedule(make_job(account), now=NOW)
    gate = threading.Barrier(4)
    made = []

    def scheduler():
        gate.wait()
        made.append(fire_due(now=DUE))
        connection.close()

    threads = [threading.Thread(target=scheduler) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sum(made) == 30
    assert Run.objects.count() == 30
    assert len(messages()) == 30


def test_a_scheduler_that_dies_leaves_no_half(messages, monkeypatch):
    schedule = make_schedule(now=NOW)

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("transfers.jobs.ledger._move_on", die)
    with pytest.raises(KeyboardInterrupt):
        fire_due(now=DUE)
    assert not Run.objects.exists()
    monkeypatch.undo()
    assert fire_due(now=DUE) == 1
    schedule.refresh_from_db()
    assert schedule.next_run_at == DUE + HOUR


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR])
def test_a_clock_that_is_wrong_neither_loses_nor_doubles(wrong_by):
    job = make_job(overlap_policy="allow", missed_policy="all", missed_most=100)
    make_schedule(job, cron="*/10 * * * *", now=NOW)
    for minute in range(0, 180, 5):
        now = NOW + timedelta(minutes=minute)
        is_wrong = 60 <= minute < 90
        fire_due(now=now + wrong_by if is_wrong else now)
    found = [at for at, _ in rows(job)]
    assert found == sorted(set(found))
    assert found[:17] == [NOW + timedelta(minutes=10 * n) for n in range(1, 18)]
