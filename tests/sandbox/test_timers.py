"""Section 9, checks 60 and 61: timers on the virtual clock."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import globus_sdk
import pytest
from globus_sdk.gare import to_gare

from sandbox import seed
from sandbox.testing import REPOSITORY
from tests.sandbox.conftest import TRANSFER_ALL
from tests.sandbox.waiting import finished, until

TIMER = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer"
SERVICE = "524230d7-ea86-4a52-8312-86065a9e0417"
HOUR = 3600


def data_access(collection) -> str:
    return f"*https://auth.globus.org/scopes/{collection}/data_access"


@pytest.fixture
def timers_as(sign_in):
    clients = []

    def client_for(username, scope=f"{TIMER}[{TRANSFER_ALL}]"):
        token = sign_in(username, scope).by_resource_server[SERVICE]["access_token"]
        clients.append(
            globus_sdk.TimersClient(authorizer=globus_sdk.AccessTokenAuthorizer(token))
        )
        return clients[-1]

    yield client_for
    for client in clients:
        client.close()


def iso(moment) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def transfer(source=seed.LAPTOP, path="/Documents/paper.tex"):
    document = globus_sdk.TransferData(source, seed.LAPTOP)
    document.add_item(path, "/copies/paper.tex")
    return document


def timer(schedule, **more):
    return globus_sdk.TransferTimer(
        name="nightly", schedule=schedule, body=more.get("body", transfer())
    )


def runs(client, timer_id, wanted) -> None:
    """Wait until the timer has run so often and its last task is over."""
    until(
        lambda: (
            client.get_job(timer_id)["n_runs"] == wanted
            and all(
                one["data"]["status"] == "SUCCEEDED"
                for one in client.get_job(timer_id)["results"]["data"]
            )
        ),
        f"{wanted} runs",
    )


def test_check_60_a_timer_that_runs_once(sandbox, timers_as, transfer_as):
    client = timers_as("ada")
    when = sandbox.now() + HOUR
    made = client.create_timer(timer(globus_sdk.OnceTimerSchedule(iso(when))))
    assert made.http_status == 201
    document = made["timer"]
    assert (document["status"], document["number_of_runs"]) == ("new", 0)
    assert document["timer_type"] == "transfer"
    assert "submission_id" not in document["body"]
    timer_id = document["job_id"]
    assert [one["job_id"] for one in client.list_jobs()["jobs"]] == [timer_id]
    until(lambda: client.get_job(timer_id)["status"] == "active", "being active")
    activity = client.get_job(timer_id)["activity"]
    assert activity["code"] == "awaiting_next_run"

    sandbox.advance(HOUR)

    runs(client, timer_id, 1)
    job = client.get_job(timer_id)
    assert (job["status"], job["next_run"], job["activity"]) == ("ended", None, None)
    assert job["callback_url"].endswith("/transfer/transfer/run")
    (task,) = transfer_as("ada").task_list()
    assert task["label"] == "nightly, run 1"
    assert job["results"]["data"][0]["data"]["details"]["task_id"] == task["task_id"]


@pytest.mark.parametrize(
    "end", [{"condition": "iterations", "count": 3}, {"iterations": 3}, {"count": 3}]
)
def test_check_60_a_timer_that_runs_three_times(sandbox, timers_as, transfer_as, end):
    client = timers_as("ada")
    schedule = {"type": "recurring", "interval_seconds": HOUR, "end": end}
    made = client.create_timer(timer(schedule))["timer"]
    assert made["schedule"]["end"]["count"] == 3
    runs(client, made["job_id"], 1)
    sandbox.advance(10 * HOUR)
    runs(client, made["job_id"], 3)
    job = client.get_job(made["job_id"])
    assert job["status"] == "ended"
    assert job["stop_after"] == {"date": None, "n_runs": 3}
    assert transfer_as("ada").task_list()["total"] == 3


def test_check_60_a_timer_with_an_end(sandbox, timers_as):
    client = timers_as("ada")
    end = sandbox.now() + 2.5 * HOUR
    schedule = globus_sdk.RecurringTimerSchedule(
        HOUR, end={"condition": "time", "datetime": iso(end)}
    )
    timer_id = client.create_timer(timer(schedule))["timer"]["job_id"]
    sandbox.advance(9 * HOUR)
    runs(client, timer_id, 3)
    until(lambda: client.get_job(timer_id)["status"] == "ended", "its end")


def test_check_60_pause_resume_delete(sandbox, timers_as):
    client = timers_as("ada")
    start = iso(sandbox.now() + HOUR)
    schedule = globus_sdk.RecurringTimerSchedule(HOUR, start=start)
    timer_id = client.create_timer(timer(schedule))["timer"]["job_id"]
    assert "paused" in client.pause_job(timer_id)["message"]
    job = client.get_job(timer_id)
    assert (job["status"], job["inactive_reason"]["cause"]) == ("inactive", "user")
    assert job["activity"] == {"code": "paused"}
    sandbox.advance(5 * HOUR)
    assert "resumed" in client.resume_job(timer_id)["message"]
    assert client.get_job(timer_id)["n_runs"] == 0
    sandbox.advance(HOUR)
    runs(client, timer_id, 1)
    assert client.update_job(timer_id, {"name": "weekly"})["name"] == "weekly"
    assert client.delete_job(timer_id)["status"] == "deleted"
    assert client.list_jobs()["jobs"] == []
    with pytest.raises(globus_sdk.TimersAPIError) as caught:
        client.get_job(timer_id)
    assert caught.value.http_status == 404


def test_a_tick_is_skipped_while_the_last_run_hangs(sandbox, timers_as):
    client = timers_as("ada")
    schedule = globus_sdk.RecurringTimerSchedule(HOUR)
    body = transfer(path="/nowhere")
    made = client.create_timer(timer(schedule, body=body))["timer"]
    until(lambda: client.get_job(made["job_id"])["n_runs"] == 1, "a run")
    sandbox.advance(3 * HOUR)
    later = iso(sandbox.now())
    until(lambda: client.get_job(made["job_id"])["next_run"] > later, "the next tick")
    assert client.get_job(made["job_id"])["n_runs"] == 1


def test_a_tick_waits_for_the_run_before_it_from_when_it_is_due(tmp_path):
    """However long ago that run began: a slow machine does not lose a tick."""
    program = str(Path(__file__).parent / "patience.py")
    ended = subprocess.run(
        [sys.executable, program, str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "sandbox.settings", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answers = [line.split() for line in ended.stdout.splitlines()]
    assert [one for one, _ in answers] == [other for _, other in answers]
    assert len(answers) == 6


def test_two_timers_of_one_transfer_run_one_after_the_other(
    sandbox, timers_as, transfer_as
):
    """The later one meets a Conflict, as any second task with identical paths does,
    and is tried again a minute later."""
    sandbox.speed(0)
    sandbox.set(timer_runs_per_minute=0, hold_tasks=True)
    client, when = timers_as("ada"), iso(sandbox.now() + HOUR)
    schedule = globus_sdk.OnceTimerSchedule(datetime=when)
    first, second = [
        client.create_timer(timer(schedule))["timer"]["job_id"] for _ in range(2)
    ]
    sandbox.advance(HOUR + 1)

    def counts(name) -> list[int]:
        return sorted(client.get_job(one)[name] for one in (first, second))

    until(lambda: counts("n_runs") == [0, 1], "the first run")
    until(lambda: counts("n_errors") == [0, 1], "the refused one")
    sandbox.set(hold_tasks=False)
    ada = transfer_as("ada")
    (task,) = ada.task_list()
    finished(ada, task["task_id"])
    sandbox.advance(57)
    assert counts("n_runs") == [0, 1]
    sandbox.advance(3)
    until(lambda: counts("n_runs") == [1, 1], "the second run")


def test_check_61_a_withdrawn_consent_stops_a_timer(sandbox, timers_as, sign_in):
    scope = f"{TIMER}[{TRANSFER_ALL}[{data_access(seed.TUTORIAL_1)}]]"
    client = timers_as("ada", scope)
    body = transfer(seed.TUTORIAL_1, "/share/godata/file1.txt")
    schedule = globus_sdk.RecurringTimerSchedule(HOUR)
    timer_id = client.create_timer(timer(schedule, body=body))["timer"]["job_id"]
    runs(client, timer_id, 1)
    sandbox.withdraw_consents(username=seed.ADA)
    sandbox.advance(HOUR)
    until(lambda: client.get_job(timer_id)["status"] == "inactive", "being inactive")
    reason = client.get_job(timer_id)["inactive_reason"]
    assert reason["cause"] == "globus_auth_requirements"
    gare = to_gare(reason["detail"])
    assert gare is not None
    assert gare.authorization_parameters.required_scopes == [scope]

    sign_in("ada", scope)
    client.resume_job(timer_id, update_credentials=True)
    sandbox.advance(HOUR)
    runs(client, timer_id, 2)


def test_a_timer_wants_the_consent_for_transfers(sandbox, timers_as):
    client = timers_as("ada", TIMER)
    with pytest.raises(globus_sdk.TimersAPIError) as caught:
        client.create_timer(timer(globus_sdk.OnceTimerSchedule()))
    assert caught.value.http_status == 403
    gare = to_gare(caught.value)
    assert gare is not None
    assert gare.authorization_parameters.required_scopes == [f"{TIMER}[{TRANSFER_ALL}]"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": None},
        {"schedule": {"type": "never"}},
        {"schedule": {"type": "recurring", "interval_seconds": 59}},
        {"schedule": {"type": "recurring", "interval_seconds": 366 * 86_400}},
        {"schedule": {"type": "recurring", "interval_seconds": 60, "end": {}}},
        {"schedule": {"type": "once", "datetime": "2999-01-01"}},
        {"schedule": {"type": "once", "datetime": "soon"}},
        {"body": {}},
        {"body": None},
        {"timer_type": "nonsense"},
        {"name": ""},
    ],
)
def test_refused_timers(timers_as, wrong):
    document = dict(timer(globus_sdk.OnceTimerSchedule()))
    with pytest.raises(globus_sdk.TimersAPIError) as caught:
        timers_as("ada").create_timer({**document, **wrong})
    assert caught.value.http_status == 422


def test_timers_of_others_are_not_found(timers_as, transfer_as):
    schedule = globus_sdk.OnceTimerSchedule("2027-01-01")
    timer_id = timers_as("ada").create_timer(timer(schedule))["timer"]["job_id"]
    grace = timers_as("grace")
    assert grace.list_jobs()["jobs"] == []
    for call in (grace.get_job, grace.pause_job, grace.resume_job, grace.delete_job):
        with pytest.raises(globus_sdk.TimersAPIError) as caught:
            call(timer_id)
        assert caught.value.http_status == 404


def test_the_older_way_of_making_a_timer(sandbox, timers_as):
    client = timers_as("ada")
    job = {
        "name": "old",
        "start": iso(sandbox.now()),
        "interval": HOUR,
        "stop_after_n": 1,
        "callback_url": "https://actions.automate.globus.org/transfer/transfer/run",
        "callback_body": {"body": dict(transfer())},
    }
    made = client.create_job(job)
    assert made.http_status == 201
    runs(client, made["job_id"], 1)


def test_a_submission_that_failed_is_tried_again(sandbox, timers_as):
    """After a minute, two, four: for 45 minutes or half an interval."""
    client = timers_as("ada")
    sandbox.collection(seed.LAPTOP, connected=False)
    made = client.create_timer(timer(globus_sdk.OnceTimerSchedule()))
    timer_id = made["timer"]["job_id"]
    until(lambda: client.get_job(timer_id)["n_errors"] == 1, "a first try")
    job = client.get_job(timer_id)
    assert (job["n_runs"], job["activity"]["code"]) == (0, "retrying")
    sandbox.advance(60)
    until(lambda: client.get_job(timer_id)["n_errors"] == 2, "a second try")
    sandbox.collection(seed.LAPTOP, connected=True)
    sandbox.advance(120)
    runs_so_far = [one["data"]["status"] for one in _results(client, timer_id, 3)]
    assert runs_so_far.count("FAILED") == 2
    until(lambda: client.get_job(timer_id)["status"] == "ended", "the end")
    assert client.get_job(timer_id)["n_runs"] == 1


def _results(client, timer_id, count):
    until(
        lambda: len(client.get_job(timer_id)["results"]["data"]) == count,
        f"{count} results",
    )
    return client.get_job(timer_id)["results"]["data"]


def test_after_half_an_interval_a_run_is_given_up(sandbox, timers_as):
    client = timers_as("ada")
    sandbox.collection(seed.LAPTOP, connected=False)
    schedule = globus_sdk.RecurringTimerSchedule(interval_seconds=600)
    timer_id = client.create_timer(timer(schedule))["timer"]["job_id"]
    until(lambda: client.get_job(timer_id)["n_errors"] == 1, "a first try")
    # At 60 and 180 seconds; the one at 420 would be later than 300.
    sandbox.advance(180)
    until(lambda: client.get_job(timer_id)["n_runs"] == 1, "giving up")
    job = client.get_job(timer_id)
    assert (job["n_errors"], job["activity"]["code"]) == (3, "awaiting_next_run")


def test_the_timers_of_a_person_run_once_a_minute(sandbox, timers_as):
    sandbox.speed(0)
    client = timers_as("ada")
    when = sandbox.now() + HOUR
    ids = [
        client.create_timer(
            timer(
                globus_sdk.OnceTimerSchedule(datetime=iso(when)),
                body=transfer(path=path),
            )
        )["timer"]["job_id"]
        for path in ("/Documents/paper.tex", "/Documents/figures")
    ]

    def counts() -> list[int]:
        return sorted(client.get_job(one)["n_runs"] for one in ids)

    sandbox.advance(HOUR + 1)
    until(lambda: counts() == [0, 1], "one of two")
    sandbox.advance(57)
    assert counts() == [0, 1]
    sandbox.advance(3)
    until(lambda: counts() == [1, 1], "both")


def test_ticks_that_a_jump_passed_can_be_left_out(sandbox, timers_as):
    sandbox.set(timer_catch_up=False)
    client = timers_as("ada")
    schedule = globus_sdk.RecurringTimerSchedule(interval_seconds=HOUR)
    timer_id = client.create_timer(timer(schedule))["timer"]["job_id"]
    runs(client, timer_id, 1)
    sandbox.advance(10 * HOUR)
    runs(client, timer_id, 2)
    assert client.get_job(timer_id)["next_run"] > iso(sandbox.now())
