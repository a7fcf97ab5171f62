"""R01, R02: a real worker is killed while Globus has not answered yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.clients import transfer_client
from portal.celery import send_all_after_commit
from sandbox import seed
from tests.factories import make_job, make_run
from tests.portal.processes import eventually
from tests.stack import database_url
from transfers import tasks
from transfers.claims import RUN_CLAIM_LASTS
from transfers.jobs import runs, walking
from transfers.jobs.control import Chore
from transfers.jobs.models import Run
from transfers.jobs.settling import rows_in
from transfers.models import Inventory, InventoryFolder
from transfers.monitoring import queue_due_polls
from transfers.sweeping import sweep

POST = "/v0.10/transfer"


@pytest.fixture
def start_worker(messages, tmp_path):
    """``start_worker()``: a Celery worker as a site runs it, on the test database."""
    workers = []

    def start(threads=4):
        command = [sys.executable, "-m", "celery", "--app", "portal", "worker"]
        command += ["--pool", "threads", "--concurrency", str(threads)]
        command += ["--without-gossip", "--without-mingle"]
        log = (tmp_path / f"worker-{len(workers)}.log").open("wb")
        with log:
            worker = subprocess.Popen(
                command,
                env=os.environ | {"DATABASE_URL": database_url()},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def state_of(run):
    run.refresh_from_db()
    return run.state


def tasks_of(account):
    return transfer_client(account).task_list(filter="type:TRANSFER").data["DATA"]


def post_is_on_its_way(run):
    run = Run.objects.select_related("transfer").get(pk=run.pk)
    return run.transfer and run.transfer.submission_id and run.transfer.outcome_open


@pytest.mark.parametrize("handled", [False, True])
def test_r02_a_worker_killed_before_the_answer_leaves_one_task(
    sandbox, service_account, start_worker, handled
):
    transfer_client(service_account).get_submission_id()  # its token is in the vault
    if handled:  # the task exists, its answer trickles for ten seconds
        sandbox.fault(POST, method="POST", drip_seconds=1, times=1)
    else:  # the dead worker's POST is handled late, perhaps after the next one
        sandbox.latency(POST, 1.5)
    victim = start_worker()
    run = runs.run_now(make_job(service_account, kind="transfer"), by=None)
    assert eventually(lambda: post_is_on_its_way(run))
    if handled:
        assert eventually(lambda: tasks_of(service_account))

    victim.kill()
    victim.wait()

    assert state_of(run) == "preparing"
    stored = run.transfer
    assert stored.task_id is None
    start_worker()
    sweep()  # too early to take anything over
    assert state_of(run) == "preparing"
    sweep(now=timezone.now() + RUN_CLAIM_LASTS + timedelta(seconds=1))

    assert eventually(lambda: state_of(run) in Run.AT_GLOBUS or run.is_finished)
    assert eventually(
        lambda: queue_due_polls() is not None and state_of(run) == "succeeded"
    )
    (task,) = tasks_of(service_account)
    stored.refresh_from_db()
    assert run.transfer == stored
    assert str(stored.task_id) == task["task_id"]
    assert stored.status == "SUCCEEDED"
    assert run.takeovers == 1
    assert [each.state for each in run.steps.all()][:5] == [
        "waiting",
        "preparing",
        "waiting",
        "preparing",
        "submitted",
    ]


def test_a_worker_executes_what_the_sweep_finds(sandbox, service_account, start_worker):
    run = make_run(make_job(service_account))
    start_worker()
    sweep(now=timezone.now() + timedelta(minutes=1))
    assert eventually(lambda: state_of(run) == "succeeded")


def test_a_tick_does_not_wait_behind_the_runs(start_worker, messages):
    send_all_after_commit(tasks.execute_run, [str(uuid4()) for _ in range(300)])
    tasks.tick.apply_async()
    with transaction.atomic(), connection.cursor() as cursor:
        # A run that is served first stays where it is, and so does what is behind it.
        cursor.execute("LOCK TABLE transfers_run IN ACCESS EXCLUSIVE MODE")
        start_worker(threads=1)
        assert eventually(Chore.objects.exists)
    assert eventually(lambda: not messages()), "and it serves the runs as well"


#: folders that are listed before the worker dies; more than a walk asks for at once
ENOUGH = walking.AT_ONCE + 1


def folders_read(run):
    return Inventory.objects.filter(run=run, folders_read=ENOUGH).exists()


def folders_listed(sandbox):
    return [parse_qs(each["query"])["path"][0] for each in sandbox.requests("/ls")]


def test_r01_a_worker_killed_in_a_tree_loses_and_doubles_nothing(
    sandbox, service_account, start_worker
):
    made = sandbox.generate(seed.HARVEST, "/many", 30, levels=2, directories=6)
    # The answers that come after these trickle, until the worker is dead.
    sandbox.fault("/ls", drip_seconds=5, skip=ENOUGH)
    job = make_job(service_account, source_path="/many/", recursive=True)
    run = runs.run_now(job, by=None)
    victim = start_worker()
    assert eventually(lambda: folders_read(run))

    victim.kill()
    victim.wait()
    sandbox.clear_faults()

    state = Inventory.objects.get(run=run)
    assert state.state == "listing"
    waiting = state.tree.filter(state=InventoryFolder.State.WAITING)
    to_ask = {each.path_text for each in waiting}
    start_worker()
    sweep(now=timezone.now() + RUN_CLAIM_LASTS + timedelta(seconds=1))
    assert eventually(lambda: state_of(run) == "succeeded")
    assert run.takeovers == 1
    found = [row.path for row in rows_in(Inventory.objects.get(run=run))]
    folders = 1 + 6 + 36
    assert len(found) == len(set(found)) == made + folders - 1
    listed = folders_listed(sandbox)
    twice = [path for path, times in Counter(listed).items() if times > 1]
    assert to_ask.issuperset(twice), "what was stored is not asked for again"
    assert len(listed) - folders <= walking.AT_ONCE, (
        "only what it was asking when it died"
    )
