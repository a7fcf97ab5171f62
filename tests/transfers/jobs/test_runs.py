"""Runs against the sandbox: what they do, and what they say when they cannot."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.service_accounts import replace_secret
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_schedule,
    make_token,
    make_transfer,
    make_user,
)
from tests.portal.processes import eventually
from transfers import monitoring
from transfers.jobs import runs, saving
from transfers.jobs.models import Run
from transfers.jobs.rerunning import NotEditable, NotFinished, NothingFailed, rerun
from transfers.jobs.settling import rows_in
from transfers.jobs.walking import LostClaim, heartbeat
from transfers.models import Transfer
from transfers.paths import BadPath
from transfers.submission import BadRequest


def execute(job, **fields):
    run = runs.run_now(job, by=job.owner, **fields)
    runs.execute(run.pk)
    run.refresh_from_db()
    return run


def states(run):
    return [each.state for each in run.steps.all()]


def tasks(account):
    return transfer_client(account).task_list().data["DATA"]


def follow_to_the_end(run):
    def has_ended():
        monitoring.poll(run.service_account)
        run.refresh_from_db()
        return run.is_finished

    assert eventually(has_ended)
    return run


# --- lists


def test_a_list_lists(service_account):
    run = execute(make_job(service_account), reason="To see")
    assert run.state == "succeeded", run.says
    assert run.says.startswith("Listed 5 entries (")
    assert run.result["count"] == run.result["files"] == 5
    assert run.result["bytes"] > 0
    assert run.result["complete"] is True
    assert next(rows_in(run.inventory)).path == "/sensors/2026-01-01.csv"
    assert states(run) == ["waiting", "preparing", "succeeded"]
    assert run.reason == "To see"
    assert run.attempts == 1


def test_a_recursive_list_goes_down(service_account):
    run = execute(make_job(service_account, source_path="/", recursive=True))
    assert run.result["folders"] == 2
    assert "/sensors/2026-01-01.csv" in [row.path for row in rows_in(run.inventory)]


def test_hostile_names_are_kept_as_they_are(service_account):
    job = make_job(
        service_account,
        source_collection=seed.RESEARCH,
        source_path="/projects/odd names/",
    )
    run = execute(job)
    if run.state == "failed":  # the service account needs a consent it gives itself
        pytest.fail(run.says)
    names = {row.name for row in rows_in(run.inventory)}
    assert "<img src=x onerror=alert(1)>.txt" in names
    assert "line\nbreak.txt" in names


def test_a_path_that_is_not_there_fails_in_globus_words(service_account):
    run = execute(make_job(service_account, source_path="/nowhere/"))
    assert run.state == "failed"
    assert "does not exist" in run.says
    assert run.error_code
    assert run.error_detail


def test_a_wrong_secret_fails_says_so_and_keeps_the_inputs(service_account):
    replace_secret(service_account, "not the secret", by=None)
    job = make_job(service_account)
    run = execute(job)
    assert run.state == "failed"
    assert "refused the client id and secret" in run.says
    assert run.last_error == run.says
    assert run.inputs == run.inputs | job.inputs()
    assert "not the secret" not in str(run.__dict__)


def test_a_wrong_secret_fails_a_transfer_likewise(service_account):
    replace_secret(service_account, "not the secret", by=None)
    job = make_job(service_account, kind="transfer")
    make_run(job, transfer=make_transfer(service_account, status="SUCCEEDED"))
    run = execute(job)
    assert run.state == "failed"
    assert "refused the client id and secret" in run.says
    assert run.transfer.status == "FAILED"
    assert run.transfer.submission_id is None


def test_a_service_account_that_is_switched_off_says_why(service_account):
    service_account.enabled = False
    service_account.disabled_reason = "secret leaked"
    service_account.save()
    run = execute(make_job(service_account))
    assert run.state == "failed"
    assert "secret leaked" in run.says


def test_the_job_of_somebody_who_was_switched_off_does_not_run(service_account):
    job = make_job(service_account)
    job.owner.is_active = False
    job.owner.save()
    assert execute(job).state == "failed"


def test_a_job_that_is_switched_off_does_not_start(service_account):
    job = make_job(service_account, enabled=False)
    with pytest.raises(runs.JobSwitchedOff):
        runs.run_now(job, by=None)
    assert not Run.objects.exists()


def test_a_job_in_the_archive_does_not_start_and_says_where_it_is(service_account):
    job = make_job(service_account)
    saving.archive(job, by=None)
    with pytest.raises(runs.JobSwitchedOff, match="bring it back"):
        runs.run_now(job, by=None)
    assert not Run.objects.exists()


def test_globus_out_of_reach_is_no_failure(sandbox, service_account, no_pauses):
    job = make_job(service_account)
    sandbox.fault("/endpoint/*/ls", status=503)
    before = timezone.now()
    run = execute(job)
    assert run.state == "waiting"
    assert "cannot be reached" in run.says
    assert run.next_try_at >= before + timedelta(seconds=1)

    sandbox.clear_faults()
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert run.attempts == 2
    assert run.last_error == ""


def test_after_a_day_out_of_reach_a_run_is_given_up(
    sandbox, service_account, no_pauses
):
    run = runs.run_now(make_job(service_account), by=None)
    Run.objects.update(created_at=timezone.now() - timedelta(hours=25))
    sandbox.fault("/endpoint/*/ls", status=503)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "for a day" in run.says


# --- transfers


def test_a_transfer_moves_files_and_the_run_follows(stack, sandbox, service_account):
    job = make_job(service_account, kind="transfer", options={"sync_level": 3})
    run = execute(job)
    assert run.state == "submitted", run.says
    assert run.transfer.document["sync_level"] == 3
    assert run.transfer.label == job.name

    follow_to_the_end(run)

    assert run.state == "succeeded"
    assert run.finished_at
    collections = stack.folder / "sandbox" / "collections"
    arrived = collections / seed.ARCHIVE / job.destination_path.strip("/")
    sent = collections / seed.HARVEST / "sensors"
    assert {each.name: each.read_bytes() for each in arrived.iterdir()} == {
        each.name: each.read_bytes() for each in sent.iterdir()
    }


def test_a_run_keeps_what_it_was_asked_whatever_becomes_of_the_job(service_account):
    job = make_job(service_account, kind="transfer")
    run = runs.run_now(job, by=None)
    job.source_path = "/elsewhere/"
    job.save()
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.transfer.source_path == "/sensors/"


def test_a_refused_transfer_fails_the_run_with_globus_words(service_account):
    job = make_job(service_account, kind="transfer", destination_path="/published/x/")
    job.destination_collection = uuid4()
    job.save()
    make_run(job, transfer=make_transfer(service_account, status="SUCCEEDED"))
    run = execute(job)
    assert run.state == "failed"
    assert run.error_code
    assert run.transfer.status == "FAILED"


def test_executing_again_changes_nothing(service_account):
    run = execute(make_job(service_account, kind="transfer"))
    for _ in range(3):
        runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == "submitted"
    assert len(tasks(service_account)) == 1


@pytest.mark.parametrize("state", [s for s in Run.State if s != "waiting"])
def test_only_a_waiting_run_is_executed(service_account, sandbox, state):
    run = make_run(make_job(service_account), state=state)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.state == state
    assert not sandbox.requests()


def test_an_unknown_run_is_nobodys(sandbox, service_account):
    run = runs.run_now(make_job(service_account), by=None)
    sandbox.forget_requests()
    runs.execute(uuid4())
    assert [*Run.objects.values_list("pk", "state")] == [(run.pk, "waiting")]
    assert states(run) == ["waiting"]
    assert sandbox.requests() == []


def test_globus_out_of_reach_leaves_a_transfer_run_waiting(
    sandbox, service_account, no_pauses
):
    sandbox.fault("/v0.10/transfer", method="POST", status=503)
    run = execute(make_job(service_account, kind="transfer"))
    assert run.state == "waiting"
    assert run.next_try_at == run.transfer.next_try_at
    submission_id = run.transfer.submission_id

    sandbox.clear_faults()
    runs.execute(run.pk)
    run.refresh_from_db()

    assert run.state == "submitted"
    assert run.transfer.submission_id == submission_id
    assert len(tasks(service_account)) == 1


# --- stopping


def test_a_waiting_run_is_stopped_at_once(service_account, sandbox):
    run = runs.run_now(make_job(service_account), by=None)
    runs.cancel(run, by=make_user(name="Grace"))
    assert run.state == "cancelled"
    assert "Grace" in run.says
    runs.execute(run.pk)
    assert not sandbox.requests()


def test_a_run_at_globus_is_stopped_there(sandbox, service_account):
    sandbox.set(hold_tasks=True)
    run = execute(make_job(service_account, kind="transfer"))
    runs.cancel(run, by=make_user())
    follow_to_the_end(run)
    assert run.state == "cancelled"
    assert tasks(service_account)[0]["fatal_error"]["code"] == "CANCELED"


def test_a_list_is_left_by_its_worker(service_account, sandbox):
    run = make_run(make_job(service_account), state="preparing")
    runs.cancel(run, by=make_user())
    assert run.state == "cancelled"
    with pytest.raises(LostClaim):
        heartbeat(run)


def test_a_transfer_that_is_being_prepared_is_stopped_before_it_is_sent(
    sandbox, service_account
):
    run = runs.run_now(make_job(service_account, kind="transfer"), by=None)

    def meanwhile(execute, sql, params, many, context):
        """Somebody stops it while a worker looks whether anything is in its way."""
        if "transfers_trial" in sql and sql.startswith("INSERT"):
            runs.cancel(Run.objects.get(pk=run.pk), by=make_user())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        runs.execute(run.pk)
    run.refresh_from_db()
    assert states(run) == ["waiting", "preparing", "cancelled"]
    assert not Transfer.objects.exists()
    assert tasks(service_account) == []


def test_a_run_whose_task_may_exist_is_stopped_once_that_is_known(
    sandbox, service_account, no_pauses
):
    sandbox.set(hold_tasks=True)
    sandbox.fault("/v0.10/transfer", method="POST", reset="after", times=4)
    run = execute(make_job(service_account, kind="transfer"))
    assert run.state == "waiting"
    assert run.transfer.outcome_open

    runs.cancel(run, by=make_user())
    assert run.state == "waiting"

    runs.execute(run.pk)
    run.refresh_from_db()
    follow_to_the_end(run)
    assert run.state == "cancelled"
    assert [each["status"] for each in tasks(service_account)] == ["FAILED"]


def test_a_run_that_waits_with_nothing_at_globus_is_stopped_at_once(service_account):
    transfer = make_transfer(service_account)
    run = make_run(make_job(service_account, kind="transfer"), transfer=transfer)
    runs.cancel(run, by=make_user())
    assert run.state == "cancelled"
    assert Transfer.objects.get().was_cancelled


def test_a_finished_run_is_not_stopped(service_account):
    run = make_run(make_job(service_account), state="succeeded")
    runs.cancel(run, by=make_user())
    assert run.state == "succeeded"


def test_a_transfer_that_was_found_at_globus_pulls_its_run_along(service_account):
    transfer = make_transfer(service_account, status="ACTIVE", bytes_transferred=5)
    run = make_run(make_job(service_account, kind="transfer"), transfer=transfer)
    runs.follow(run)
    assert states(run) == ["preparing", "submitted", "moving"]


# --- mirrors, batches, paths with dates


def test_a_mirror_takes_over_a_folder_and_deletes_what_is_extra(
    sandbox, service_account
):
    job = make_job(
        service_account,
        kind="mirror",
        source_path="/sensors/",
        options={"sync_level": 2},
        delete_extra=True,
    )
    job.full_clean()
    document = runs.document_of(job.inputs())
    assert document["sync_level"] == 2
    assert document["delete_destination_extra"] is True
    assert document["DATA"][0]["recursive"] is True
    run = follow_to_the_end(execute(job))
    assert run.state == "succeeded", run.says


def test_a_batch_is_one_task(sandbox, service_account):
    items = [
        {
            "source_path": f"/sensors/2026-01-0{day}.csv",
            "destination_path": f"/incoming/batch/{day}.csv",
            "recursive": None,
        }
        for day in (1, 2)
    ]
    run = follow_to_the_end(
        execute(make_job(service_account, kind="transfer", items=items))
    )
    assert run.state == "succeeded", run.says
    assert run.transfer.items_count == 2


def test_a_path_has_the_date_of_its_due_time(sandbox, service_account):
    job = make_job(service_account, source_path="/sensors/{scheduled_for:%Y-%m-%d}.csv")
    run = make_run(
        job,
        inputs=job.inputs() | {"scheduled_for": "2026-01-03T23:30:00+00:00"},
        schedule=make_schedule(job, zone="Asia/Kolkata"),
    )
    runs.execute(run.pk)
    run.refresh_from_db()
    assert run.inputs["source_path"] == "/sensors/2026-01-04.csv"  # already there


def test_a_path_without_its_value_is_a_sentence(service_account):
    run = execute(make_job(service_account, source_path="/new/{watermark:%Y}/"))
    assert run.state == "failed"
    assert "{watermark}" in run.says


# --- again


def ended(service_account, state="failed", **fields):
    job = make_job(service_account, kind="transfer")
    transfer = make_transfer(service_account, status="SUCCEEDED")
    return make_run(job, state=state, transfer=transfer, **fields)


def test_a_rerun_has_the_same_input_and_a_submission_of_its_own(
    sandbox, service_account
):
    parent = execute(make_job(service_account, kind="transfer"))
    with pytest.raises(NotFinished):
        rerun(parent, by=None)
    parent = follow_to_the_end(parent)
    again = rerun(parent, by=parent.job.owner, reason="Once more")
    assert (again.trigger, again.lineage, again.parent) == ("rerun", "same", parent)
    assert again.inputs == parent.inputs
    runs.execute(again.pk)
    again.refresh_from_db()
    follow_to_the_end(again)
    assert again.transfer.submission_id != parent.transfer.submission_id
    assert len(tasks(service_account)) == 2


def test_an_edited_rerun_is_checked(service_account):
    parent = ended(service_account)
    again = rerun(
        parent, by=None, lineage=Run.Lineage.EDITED, changes={"source_path": "/other/"}
    )
    assert again.inputs["source_path"] == "/other/"
    for changes, problem in (
        ({"source_path": "nowhere"}, BadPath),
        ({"options": {"explode": 1}}, BadRequest),
        ({"client_id": "another"}, NotEditable),
    ):
        with pytest.raises(problem):
            rerun(parent, by=None, lineage=Run.Lineage.EDITED, changes=changes)
    assert parent.children.count() == 1


def test_only_what_was_left_out_is_done_again(service_account, globus):
    make_token(service_account, refresh_token=None)
    parent = ended(service_account, "succeeded_with_skips")
    globus.says(
        "GET",
        r"task/[-0-9a-f]+/skipped_errors",
        json={
            "DATA_TYPE": "skipped_errors",
            "DATA": [{"source_path": "/a/1", "destination_path": "/b/1"}],
            "next_marker": None,
        },
    )
    again = rerun(parent, by=None, lineage=Run.Lineage.FAILED_ONLY)
    assert again.lineage == "failed_only"
    (item,) = runs.document_of(again.inputs)["DATA"]
    assert (item["source_path"], item["destination_path"]) == ("/a/1", "/b/1")


def test_a_failed_task_is_done_again_by_checksum(service_account):
    again = rerun(ended(service_account), by=None, lineage=Run.Lineage.FAILED_ONLY)
    assert runs.document_of(again.inputs)["sync_level"] == 3


def test_where_nothing_failed_nothing_is_done_again(service_account):
    with pytest.raises(NothingFailed):
        rerun(
            ended(service_account, "succeeded"),
            by=None,
            lineage=Run.Lineage.FAILED_ONLY,
        )
