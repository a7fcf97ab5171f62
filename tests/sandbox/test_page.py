"""The page below /_sandbox/ shows the knobs and turns them."""

import re

import pytest
import requests

from sandbox import seed


@pytest.fixture
def page(sandbox):
    return requests.get(f"{sandbox.url}/", timeout=10)


@pytest.fixture
def send(sandbox, page):
    token = re.search(r'name="token" value="([^"]+)"', page.text)[1]

    def sent(form, headers=None, **fields):
        return requests.post(
            f"{sandbox.url}/_sandbox/form/{form}",
            data={"token": token, **fields},
            headers=headers,
            timeout=10,
            allow_redirects=False,
        )

    return sent


def test_the_page_runs_nothing_and_sends_only_to_itself(page):
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "<script" not in page.text
    assert "This is not Globus." in page.text


def test_the_forms_turn_the_knobs(sandbox, send):
    assert send("knobs", access_token_seconds="60").status_code == 302
    assert sandbox.knobs()["access_token_seconds"] == 60
    assert sandbox.knobs()["accept_client_secret_post"] is False, "an unticked box"
    before = sandbox.now()
    assert send("clock", advance="1000").status_code == 302
    assert sandbox.now() - before >= 1000
    send("latency", route="/x", seconds="0.5")
    send("fault", route="/task_list", status="503", times="2", retry_after="0")
    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=10).json()
    assert shown["latencies"] == {"/x": 0.5}
    assert shown["faults"][0]["status"] == 503
    send("no-faults")
    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=10).json()
    assert shown == {"faults": [], "latencies": {}}
    assert send("generate", collection=seed.LAPTOP, path="/g", count="3").ok
    assert send("collection", collection=seed.LAPTOP).ok
    for form in ("wipe", "rotate-key", "reset"):
        assert send(form).status_code == 302
    assert sandbox.knobs()["access_token_seconds"] == 172_800


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("knobs", {"access_token_seconds": "long"}),
        ("clock", {"set": "soon"}),
        ("fault", {"route": "/x", "reset": "sometimes"}),
        ("fault", {"status": "503"}),
        ("collection", {"collection": "nothing"}),
        ("generate", {"collection": "nothing", "path": "/x", "count": "1"}),
        ("generate", {"collection": seed.LAPTOP, "path": "/../x", "count": "1"}),
    ],
)
def test_nonsense_is_refused(send, form, fields):
    assert send(form, **fields).status_code == 400


def test_no_other_page_turns_anything(sandbox, send):
    foreign = {"Origin": "https://evil.example"}
    assert send("reset", headers=foreign).status_code == 403
    assert send("reset", token="guessed").status_code == 403
    address = f"{sandbox.url}/_sandbox/form/reset"
    assert requests.get(address, timeout=10).status_code == 403
