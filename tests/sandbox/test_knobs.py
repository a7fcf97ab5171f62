"""Section 9, checks 63 and 64: faults, and the other knobs."""

import time
from concurrent.futures import ThreadPoolExecutor

import globus_sdk
import pytest
import requests

from sandbox import seed
from sandbox.testing import SandboxError
from tests.sandbox.waiting import until


@pytest.fixture
def client(transfer_as):
    return transfer_as("ada")


def test_check_63_retry_after_is_waited_for(sandbox, client):
    sandbox.fault("/task_list", status=429, retry_after=1, times=1)
    began = time.monotonic()
    assert client.task_list().http_status == 200
    assert time.monotonic() - began >= 1
    assert [one["status"] for one in sandbox.requests("/task_list")] == [429, 200]


def test_check_63_two_503_and_then_an_answer(sandbox, client):
    sandbox.fault("/task_list", status=503, retry_after=0, times=2)
    assert client.task_list().http_status == 200
    assert len(sandbox.requests("/task_list")) == 3


def test_check_63_503_for_ever_is_six_attempts(sandbox, client, monkeypatch):
    monkeypatch.setattr(
        "globus_sdk.transport.requests.time.sleep", lambda seconds: None
    )
    sandbox.fault("/task_list", status=503, retry_after=0)
    with pytest.raises(globus_sdk.TransferAPIError):
        client.task_list()
    assert len(sandbox.requests("/task_list")) == 6


def test_check_64_an_endpoint_error_is_not_retried(sandbox, client):
    body = {"code": "EndpointError", "message": "m", "request_id": "r", "resource": "/"}
    sandbox.fault("/ls", status=502, body=body)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.LAPTOP)
    assert caught.value.code == "EndpointError"
    assert len(sandbox.requests("/ls")) == 1


def test_check_64_a_reset_is_retried(sandbox, client):
    sandbox.fault("/task_list", reset=True, times=1)
    assert client.task_list().http_status == 200
    assert [one["status"] for one in sandbox.requests("/task_list")] == [0, 200]


def test_a_lost_answer_to_a_submission_is_a_duplicate(sandbox, client):
    document = globus_sdk.TransferData(seed.LAPTOP, seed.LAPTOP)
    document.add_item("/Documents/paper.tex", "/copy.tex")
    sandbox.fault("/v0.10/transfer", reset="after", times=1)
    assert client.submit_transfer(document)["code"] == "Duplicate"
    assert client.task_list()["total"] == 1


def test_an_answer_can_be_cut_off(sandbox):
    sandbox.fault("/jwk.json", cut_after=10, times=1)
    with pytest.raises(
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
    ):
        requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30)
    assert requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).ok


def test_an_answer_can_drip(sandbox):
    sandbox.fault("/jwk.json", drip_seconds=0.03)
    began = time.monotonic()
    assert requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).json()["keys"]
    assert time.monotonic() - began > 0.25


def test_latency_and_skip(sandbox, client):
    sandbox.latency("/task_list", 0.2)
    sandbox.fault("/task_list", status=400, skip=1, times=1)
    began = time.monotonic()
    client.task_list()
    assert time.monotonic() - began > 0.2
    with pytest.raises(globus_sdk.TransferAPIError):
        client.task_list()
    sandbox.clear_faults()
    assert client.task_list().http_status == 200


def test_the_log_has_every_request_and_no_secret(sandbox, client):
    sandbox.forget_requests()
    client.task_list(limit=5)
    (logged,) = sandbox.requests()
    assert logged["method"] == "GET"
    assert logged["path"] == "/transfer/v0.10/task_list"
    assert logged["query"] == "limit=5"
    assert logged["status"] == 200
    assert abs(logged["at"] - time.time()) < 60


def test_reset_brings_the_seed_back(sandbox, client):
    client.operation_mkdir(seed.LAPTOP, "/new")
    sandbox.advance(1000)
    sandbox.set(hold_tasks=True)
    sandbox.collection(seed.LAPTOP, connected=False)
    sandbox.reset()
    assert abs(sandbox.now() - time.time()) < 500
    assert sandbox.knobs()["hold_tasks"] is False
    assert sandbox.requests() == []
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.LAPTOP, path="/")
    assert caught.value.http_status == 401


def test_a_late_request_leaves_nothing_in_the_world_after_a_reset(sandbox):
    """As a worker's whose test has ended, in the next test."""
    address = f"{sandbox.url}/auth/jwk.json"
    sandbox.latency("/jwk.json", 50)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(requests.get, address, timeout=60)
        until(lambda: sandbox.under_way() == 1, "its coming")
        sandbox.reset()
        sandbox.fault("/jwk.json", status=503, times=1)
        with pytest.raises(requests.ConnectionError):
            late.result()
    assert requests.get(address, timeout=30).status_code == 503
    assert len(sandbox.requests("/jwk.json")) == 1
    assert sandbox.under_way() == 0


def test_a_large_directory(sandbox, client):
    sandbox.generate(seed.LAPTOP, "/big", 2_000)
    listed = client.operation_ls(seed.LAPTOP, path="/big", limit=10)
    assert (listed["total"], listed["length"]) == (2_000, 10)
    sandbox.set(directory_entries=1_999)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.LAPTOP, path="/big")
    assert caught.value.code == "ExternalError.DirListingFailed.SizeLimit"


@pytest.mark.parametrize(
    "turn",
    [
        lambda sandbox: sandbox.set(nonsense=1),
        lambda sandbox: sandbox.set(access_token_seconds="long"),
        lambda sandbox: sandbox.set(forge_id_token="nonsense"),
        lambda sandbox: sandbox.set(effective_identity="nonsense"),
        lambda sandbox: sandbox.collection("nothing", connected=True),
        lambda sandbox: sandbox.fault("/x", reset="sometimes"),
        lambda sandbox: sandbox.approve(f"{sandbox.url}/auth/v2/oauth2/authorize", "x"),
    ],
)
def test_a_knob_that_does_not_turn_says_so(sandbox, turn):
    with pytest.raises(SandboxError):
        turn(sandbox)


def test_the_request_limit(sandbox, client):
    sandbox.set(requests_per_second=1)
    for _ in range(10):
        client.task_list()
    answer = requests.get(
        f"{sandbox.url}/transfer/v0.10/task_list",
        headers={"Authorization": client.authorizer.get_authorization_header()},
        timeout=30,
    )
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["code"] == "RateLimited"


def test_faults_are_cleared_without_a_body(sandbox):
    sandbox.fault("/auth/jwk.json", status=503)
    assert requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).status_code == 503
    cleared = requests.delete(f"{sandbox.url}/_sandbox/faults", timeout=30)
    assert cleared.status_code == 200
    assert requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).status_code == 200


NONSENSE = [
    ("faults", {"status": 503}),
    ("faults", {"route": 5}),
    ("faults", {"route": "/jwk.json", "status": "abc"}),
    ("faults", {"route": "/jwk.json", "status": 99}),
    ("faults", {"route": "/jwk.json", "status": 1000}),
    ("faults", {"route": "/jwk.json", "times": "many"}),
    ("faults", {"route": "/jwk.json", "times": -1}),
    ("faults", {"route": "/jwk.json", "skip": "some"}),
    ("faults", {"route": "/jwk.json", "cut_after": -5}),
    ("faults", {"route": "/jwk.json", "drip_seconds": -1}),
    ("faults", {"route": "/jwk.json", "drip_seconds": "slow"}),
    ("faults", {"route": "/jwk.json", "retry_after": "1\r\nX: y"}),
    ("faults", {"route": "/jwk.json", "method": 5}),
    ("latency", {"route": "/jwk.json"}),
    ("latency", {"route": "/jwk.json", "seconds": -1}),
    ("latency", {"route": "/jwk.json", "seconds": "nan"}),
    ("latency", {"route": "/jwk.json", "seconds": 1e300}),
    ("clock", {"advance": "nan"}),
    ("clock", {"advance": 1e300}),
    ("clock", {"advance": 1e12}),
    ("clock", {"set": -1}),
    ("clock", {"set": "9999-12-31"}),
    ("clock", {"speed": "inf"}),
    ("clock", {"speed": -1}),
    ("knobs", {"running_tasks": -1}),
    ("knobs", {"deadline_seconds": 10**15}),
    (f"policies/{seed.POLICY_MFA}", {"required_mfa": "maybe"}),
    (f"policies/{seed.POLICY_MFA}", {"domains": "university.example"}),
    ("policies/not-a-uuid", {"required_mfa": True}),
    (f"collections/{seed.LAPTOP}", {"session_domain": None}),
    (f"collections/{seed.LAPTOP}", {"authentication_timeout_mins": -1}),
    ("pause-rules", {"collection": seed.LAPTOP, "pauses": 5}),
    ("pause-rules", {"collection": seed.LAPTOP, "message": {"a": 1}}),
    ("redirect-uris", {"redirect_uri": "http://localhost:1/", "client_id": "no"}),
    ("redirect-uris", {"redirect_uri": 5}),
    ("generate", {"collection": seed.LAPTOP, "path": "/g", "count": 1, "size": -1}),
    (
        "generate",
        {"collection": seed.LAPTOP, "path": "/g", "count": 1, "size": 10**15},
    ),
    (
        "generate",
        {"collection": seed.LAPTOP, "path": "/g", "count": 1, "prefix": "../x"},
    ),
    (
        "generate",
        {"collection": seed.LAPTOP, "path": "/Documents/paper.tex", "count": 1},
    ),
]


@pytest.mark.parametrize(("knob", "asked"), NONSENSE, ids=str)
def test_nonsense_is_refused_and_breaks_nothing(sandbox, knob, asked):
    """A knob that takes what it cannot use would break what it turns, later."""
    answer = requests.post(f"{sandbox.url}/_sandbox/{knob}", json=asked, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]
    for path in ("/", "/_sandbox/clock", "/auth/jwk.json"):
        shown = requests.get(f"{sandbox.url}{path}", timeout=30)
        assert shown.status_code == 200, path


def test_a_slip_of_the_pen_deletes_nothing(sandbox, client):
    for what in ("tokens", "consents", "pause-rules"):
        answer = requests.delete(
            f"{sandbox.url}/_sandbox/{what}", json={"resource_srver": "x"}, timeout=30
        )
        assert answer.status_code == 400, what
    assert client.task_list().http_status == 200
