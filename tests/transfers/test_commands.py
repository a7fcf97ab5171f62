"""``run_job`` and ``seed_demo``, with the exit statuses that scripts rely on."""

from __future__ import annotations

import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import ServiceAccount, User
from sandbox import seed
from tests.factories import make_job
from tests.portal.processes import eventually
from transfers import tasks
from transfers.jobs.models import Job, Run


@pytest.fixture
def worker(messages):
    """A worker in a thread: carries out what lies in the queue."""
    ending = threading.Event()

    def work():
        done = 0
        while not ending.wait(0.02):
            for name, *arguments in messages()[done:]:
                done += 1
                getattr(tasks, name)(*arguments)
            tasks.tick()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ending.set()
    thread.join()


def run_job(*arguments):
    out = StringIO()
    call_command("run_job", *arguments, stdout=out)
    return out.getvalue()


def seeded(**options):
    out = StringIO()
    call_command("seed_demo", stdout=out, **options)
    return out.getvalue()


def test_a_listing_is_printed(service_account, worker):
    job = make_job(service_account)
    printed = run_job(job.name, "--wait", "--timeout", "120")
    assert "/sensors/2026-01-01.csv" in printed
    assert f"{job.name}: Succeeded. Listed 5 entries" in printed.splitlines()[-1]


def test_the_facts_can_be_read_by_programs(service_account, worker):
    job = make_job(service_account)
    facts = json.loads(run_job(job.name, "--wait", "--json", "--timeout", "120"))
    assert facts["state"] == "succeeded"
    assert facts["result"]["count"] == 5


def test_a_run_that_failed_is_exit_status_1(service_account, worker):
    job = make_job(service_account, source_path="/nowhere/")
    with pytest.raises(CommandError, match="failed") as caught:
        run_job(job.name, "--wait", "--timeout", "120")
    assert caught.value.returncode == 1


def test_no_such_job_is_exit_status_2(db):
    with pytest.raises(CommandError, match="no job") as caught:
        run_job("nothing")
    assert caught.value.returncode == 2


def test_a_job_that_is_switched_off_is_exit_status_2(service_account):
    job = make_job(service_account, enabled=False)
    with pytest.raises(CommandError, match="switched off") as caught:
        run_job(job.name)
    assert caught.value.returncode == 2


def test_without_waiting_the_run_is_on_its_way(service_account, messages):
    job = make_job(service_account)
    assert "Waiting" in run_job(job.name)
    assert messages() == [("execute_run", str(Run.objects.get().pk))]


def test_waiting_has_an_end(service_account, messages):
    job = make_job(service_account)
    with pytest.raises(CommandError, match=r"not ended after 0\.1 seconds"):
        run_job(job.name, "--wait", "--timeout", "0.1")
    assert Run.objects.get().state == "waiting"


def test_names_cannot_write_on_the_terminal(service_account, worker):
    job = make_job(
        service_account,
        source_collection=seed.RESEARCH,
        source_path="/projects/odd names/",
    )
    printed = run_job(job.name, "--wait", "--timeout", "120")
    assert "\u202e" not in printed
    assert "\\u202e" in printed


# --- the demo's rows


def test_the_demo_is_seeded_once(sandbox, db, monkeypatch):
    monkeypatch.setenv("DEMO_SERVICE_ACCOUNT_ID", seed.ARCHIVE_CLIENT_ID)
    monkeypatch.setenv("DEMO_SERVICE_ACCOUNT_SECRET", seed.ARCHIVE_CLIENT_SECRET)
    assert "demo-list" in seeded()
    secret = ServiceAccount.objects.get().secrets.get().pk
    seeded()
    account = ServiceAccount.objects.get()
    assert str(account.client_id) == seed.ARCHIVE_CLIENT_ID
    assert account.secrets.get().pk == secret
    assert {each.name for each in Job.objects.all()} == {"demo-list", "demo-transfer"}
    operator = User.objects.get(username="demo-operator")
    assert not operator.has_usable_password()
    assert account.owner == operator
    # Who tries the demo as somebody on the staff may run its jobs.
    assert (account.roles.get().all_staff, account.roles.get().roles) == (True, ["use"])


def test_the_demos_jobs_work_with_what_the_sandbox_exports(
    sandbox, transactional_db, worker
):
    seeded()
    assert "file1.txt" in run_job("demo-list", "--wait", "--timeout", "120")
    assert "Succeeded" in run_job("demo-transfer", "--wait", "--timeout", "120")
    assert eventually(lambda: Run.objects.filter(state="succeeded").count() == 2)


def test_a_new_secret_replaces_the_old_one(sandbox, db, tmp_path):
    seeded()
    file = tmp_path / "secret"
    file.write_text("another\n")
    seeded(secret_file=str(file))
    active = ServiceAccount.objects.get().secrets.get(state="active")
    assert active.open().reveal() == "another"


def test_without_a_credential_it_says_what_to_set(db, monkeypatch):
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    with pytest.raises(CommandError, match="DEMO_SERVICE_ACCOUNT_ID"):
        seeded()
