"""A job is saved while its schedule fires or its run ends: neither waits for the other
for good, and each sees what the other has done.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tests.factories import make_job, make_run, make_schedule, make_user
from tests.portal.processes import eventually
from transfers.jobs import ledger, saving, states
from transfers.jobs.exchange import Parts
from transfers.jobs.models import Job, Run, Schedule

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
DUE = NOW + timedelta(minutes=30)


@pytest.fixture
def job(service_account):
    return make_job(service_account)


@pytest.fixture
def schedule(job):
    """Due on the hour."""
    return make_schedule(job, now=NOW)


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(module, name, work)``: while ``module.name`` runs, a thread begins
    ``work``, and waits for a lock before what has called that goes on.
    """
    pool = ThreadPoolExecutor(1)

    def patch(module, name, work):
        done: Future[object] = Future()
        real = getattr(module, name)

        def through():
            try:
                return work()
            finally:
                connection.close()

        def with_other(*given):
            found = real(*given) if module is ledger else None
            other = pool.submit(through)
            other.add_done_callback(lambda one: _hand_on(one, done))
            assert eventually(waits_for_a_lock)
            return found if module is ledger else real(*given)

        monkeypatch.setattr(module, name, with_other)
        return done

    yield patch
    pool.shutdown()


def _hand_on(one, other):
    if one.exception() is None:
        other.set_result(one.result())
    else:
        other.set_exception(one.exception())


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


def with_schedules(job, *, cron=""):
    """Saves the job in the form's way; without its schedules, or with another line."""
    found = Job.objects.get(pk=job.pk)
    found.label = "saved"
    rows = list(found.schedules.all()) if cron else []
    for row in rows:
        row.cron = cron
    saving.store(Parts(found, [], rows), by=None)


@pytest.mark.parametrize("cron", ["30 * * * *", ""])
def test_a_job_is_saved_while_its_schedule_fires(job, schedule, meanwhile, cron):
    done = meanwhile(ledger, "store", lambda: with_schedules(job, cron=cron))
    assert ledger.fire_due(now=DUE) == 1
    done.result(60)
    assert Job.objects.get().label == "saved"
    assert Run.objects.get().state == Run.State.WAITING
    assert [row.cron for row in Schedule.objects.all()] == ([cron] if cron else [])


def test_a_job_is_deleted_while_its_schedule_fires(job, schedule, meanwhile):
    done = meanwhile(ledger, "store", lambda: saving.delete(job, by=None))
    assert ledger.fire_due(now=DUE) == 1
    with pytest.raises(saving.HasRuns):
        done.result(60)
    assert Run.objects.get().schedule == schedule


def test_a_schedule_is_taken_away_while_its_run_ends(job, schedule, meanwhile):
    run = make_run(job, state="preparing", schedule=schedule)
    done = meanwhile(states, "settle", lambda: with_schedules(job))
    assert states.advance(run, Run.State.SUCCEEDED, says="Done.")
    done.result(60)
    run.refresh_from_db()
    assert (run.state, run.schedule) == (Run.State.SUCCEEDED, None)
    found = Job.objects.get()
    assert (found.label, found.watermark) == ("saved", run.started_at)


def test_what_is_put_away_was_changed_meanwhile(job):
    seen = Job.objects.get(pk=job.pk)
    with_schedules(job)
    saving.archive(seen, by=make_user())
    said = Job.objects.get().version.changes
    assert not any("label" in each for each in said), said
