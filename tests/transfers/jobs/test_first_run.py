"""The first run of a transfer looks first, and says what stands in its way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.service_accounts import replace_secret
from sandbox import seed
from tests.factories import make_job
from tests.transfers.jobs.test_runs import execute, states
from transfers.jobs import first_run, runs, trials
from transfers.jobs.rerunning import rerun
from transfers.models import Trial

SHUT = {"destination_collection": seed.ARCHIVE, "destination_path": "/published/x/"}
PREFLIGHT = Trial.Kind.PREFLIGHT


def posts(sandbox):
    return [r for r in sandbox.requests("/v0.10/transfer") if r["method"] == "POST"]


@pytest.fixture
def shut(service_account):
    """A job whose destination can only be read."""
    return make_job(service_account, kind="transfer", **SHUT)


def test_a_first_run_that_cannot_write_says_so_and_sends_nothing(shut, sandbox):
    run = execute(shut)
    assert run.state == "failed"
    assert run.says.startswith(
        "The preflight of the first run stopped it. The service account may not write "
        "to /published/x/. Give this identity access there: "
    )
    assert shut.service_account.identity_username in run.says
    assert states(run) == ["waiting", "preparing", "failed"]
    assert posts(sandbox) == []
    assert run.transfer is None


def test_its_checklist_is_on_the_page_of_the_job(shut, visit):
    run = execute(shut)
    trial = Trial.objects.get()
    assert (trial.kind, trial.state) == ("preflight", "done")
    assert trial.inputs == shut.inputs()
    page = visit("grace").get(f"/jobs/{shut.pk}/preflight/").content.decode()
    assert "Writing to the destination" in page
    assert "The job was changed since" not in page
    page = visit("grace").get(f"/jobs/runs/{run.pk}/").content.decode()
    assert f"/jobs/{shut.pk}/preflight/" in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"source_path": "/nowhere/"}, "There is nothing at /nowhere/"),
        (
            {"source_collection": seed.VAULT, "source_path": "/keys/"},
            "or the service account may not see it",
        ),
    ],
)
def test_a_first_run_that_cannot_read(service_account, sandbox, fields, words):
    run = execute(make_job(service_account, kind="transfer", **fields))
    assert run.state == "failed"
    assert words in run.says
    assert posts(sandbox) == []


def test_what_may_be_missing_does_not_stop_it(service_account, sandbox):
    options = {"skip_source_errors": True}
    job = make_job(
        service_account, kind="transfer", source_path="/nowhere/", options=options
    )
    assert execute(job).state == "submitted"


def test_a_run_that_may_work_is_sent_and_the_next_does_not_look(
    service_account, sandbox
):
    job = make_job(service_account, kind="transfer", overlap_policy="allow")
    assert execute(job).state == "submitted"
    asked = len(sandbox.requests("/endpoint/*/ls"))
    assert asked
    assert execute(job).state == "submitted"
    assert len(sandbox.requests("/endpoint/*/ls")) == asked


def test_it_looks_again_for_another_collection(service_account, sandbox):
    job = make_job(service_account, kind="transfer")
    execute(job)
    job.destination_collection = seed.HARVEST
    job.destination_path = "/incoming/y/"
    job.save()
    assert first_run.is_first(runs.run_now(job, by=None))


def test_a_preflight_of_this_hour_stands_for_it(service_account, sandbox):
    job = make_job(service_account, kind="transfer")
    trials.execute(trials.ask(job, PREFLIGHT, by=None).pk)
    run = runs.run_now(job, by=None)
    assert not first_run.is_first(run)
    Trial.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    assert first_run.is_first(run)
    Trial.objects.update(finished_at=timezone.now())
    run.inputs = run.inputs | {"source_path": "/other/"}
    assert first_run.is_first(run)


def test_who_repeats_it_by_hand_knows_better(shut, sandbox):
    run = rerun(execute(shut), by=None)
    runs.execute(run.pk)
    assert len(posts(sandbox)) == 1


def test_a_list_needs_none(service_account, sandbox):
    run = execute(make_job(service_account))
    assert run.state == "succeeded"
    assert not Trial.objects.exists()


def test_a_wrong_secret_fails_in_its_own_words(service_account):
    replace_secret(service_account, "not the secret", by=None)
    run = execute(make_job(service_account, kind="transfer"))
    assert run.state == "failed"
    assert "refused the client id and secret" in run.says


def test_globus_out_of_reach_lets_it_wait(service_account, sandbox, no_pauses):
    job = make_job(service_account, kind="transfer")
    sandbox.fault("/endpoint/*/ls", status=503)
    run = execute(job)
    assert run.state == "waiting"
    sandbox.clear_faults()
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "submitted"


def test_a_path_with_fields_is_looked_at_above_them(service_account, sandbox):
    job = make_job(
        service_account,
        kind="transfer",
        destination_path="/incoming/{scheduled_for:%Y}/",
    )
    assert execute(job).state == "submitted"
