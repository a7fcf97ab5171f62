"""The state machine of a run: every step there is, and none besides (R11)."""

from __future__ import annotations

import itertools
import threading

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_job, make_run
from transfers.jobs.models import STEPS, Run
from transfers.jobs.states import SOURCES, IllegalStep, advance

STATES = [*Run.State]
LEGAL = [(a, b) for a in STATES for b in STATES if b in STEPS[a]]
ILLEGAL = [pair for pair in itertools.product(STATES, STATES) if pair not in LEGAL]


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_a_legal_step_is_taken_and_written_down(before, after):
    run = make_run(state=before)
    assert advance(run, after, says="Because.")
    run.refresh_from_db()
    assert run.state == after
    assert run.says == "Because."
    assert (run.finished_at is not None) == (after in Run.FINISHED)
    assert [(each.state, each.says) for each in run.steps.all()] == [
        (after, "Because.")
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_an_illegal_step_changes_nothing(before, after):
    run = make_run(state=before, says="As it was.")
    assert not advance(run, after, says="Because.")
    run.refresh_from_db()
    assert (run.state, run.says) == (before, "As it was.")
    assert not run.steps.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_an_illegal_step_cannot_be_asked_for(before, after):
    with pytest.raises(IllegalStep):
        advance(make_run(state=before), after, from_states=[before], says="")


def test_every_state_can_be_reached_and_ends_are_ends():
    assert {state for state, sources in SOURCES.items() if not sources} == set()
    for end in Run.FINISHED:
        assert STEPS[end] == set()
    for state in set(STATES) - set(Run.FINISHED):
        assert STEPS[state]


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_r11_no_walk_takes_an_illegal_step(wishes):
    run = make_run(make_job_once())
    seen = [run.state]
    for wish in wishes:
        advance(run, wish, says=f"To {wish}.")
        run.refresh_from_db()
        seen.append(run.state)
    for before, after in itertools.pairwise(seen):
        assert before == after or after in STEPS[Run.State(before)]
    taken = [each.state for each in run.steps.all()]
    changes = [after for before, after in itertools.pairwise(seen) if before != after]
    assert taken == changes


def make_job_once():
    return Run.objects.first().job if Run.objects.exists() else make_job()


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_one_takes_the_step():
    run = make_run()
    gate = threading.Barrier(8)
    won = []

    def claim():
        mine = Run.objects.get(pk=run.pk)
        gate.wait()
        won.append(advance(mine, Run.State.PREPARING, says="Mine."))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(won) == [False] * 7 + [True]
    assert run.steps.count() == 1


@pytest.mark.django_db
def test_a_run_has_one_row_per_due_time():
    run = make_run(scheduled_for="2026-01-01T00:00:00Z")
    with (
        pytest.raises(IntegrityError, match="one_run_per_due_time"),
        transaction.atomic(),
    ):
        make_run(run.job, scheduled_for="2026-01-01T00:00:00Z")
    make_run(run.job)
    make_run(run.job)
