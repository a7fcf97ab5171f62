"""The page below /_sandbox/ shows the knobs and turns them."""

import re

import globus_sdk
import pytest
import requests

from sandbox import seed
from sandbox.testing import REPOSITORY
from tests.sandbox.conftest import TRANSFER_ALL


@pytest.fixture
def page(sandbox):
    return requests.get(f"{sandbox.url}/", timeout=30)


@pytest.fixture
def send(sandbox, page):
    token = re.search(r'name="token" value="([^"]+)"', page.text)[1]

    def sent(form, headers=None, **fields):
        return requests.post(
            f"{sandbox.url}/_sandbox/form/{form}",
            data={"token": token, **fields},
            headers=headers,
            timeout=30,
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
    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=30).json()
    assert shown["latencies"] == {"/x": 0.5}
    assert shown["faults"][0]["status"] == 503
    send("no-faults")
    shown = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=30).json()
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
        ("collection", {"collection": seed.LAPTOP, "paused": "maybe"}),
        ("pause", {"collection": "nothing"}),
        ("pause", {"collection": seed.LAPTOP, "pauses": "breathing"}),
        ("policy", {"policy": "not a UUID"}),
        ("expire", {"expire": "everything"}),
        ("knobs", {"required_domains": "some"}),
    ],
)
def test_nonsense_is_refused(send, form, fields):
    """On the same page, with a sentence that says why."""
    answer = send(form, **fields)
    assert answer.status_code == 400
    (why,) = re.findall(r'<p class="refused" role="alert">([^<]+)</p>', answer.text)
    assert why.endswith(". Nothing was changed.")
    assert 'name="token"' in answer.text, "the forms are there for another try"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_no_other_page_turns_anything(sandbox, send):
    foreign = {"Origin": "https://evil.example"}
    assert send("reset", headers=foreign).status_code == 403
    assert send("reset", token="guessed").status_code == 403
    address = f"{sandbox.url}/_sandbox/form/reset"
    assert requests.get(address, timeout=30).status_code == 403


# --- every knob of the issue, by a form of the page and by one line of Python

UNIVERSITY = "university.example"
POLICY = "3b1f8b1e-52a5-4f0e-9d54-0d7c2f1f7a10"


def clock_is_set(sandbox):
    return 4_000_000_000 <= sandbox.now() < 4_000_000_100


def clock_is_fast(sandbox):
    first = sandbox.now()
    return sandbox.now() - first > 0.5  # of real time it is a few milliseconds


def faults_of(sandbox):
    return requests.get(f"{sandbox.url}/_sandbox/faults", timeout=30).json()


def has_fault(**wanted):
    def check(sandbox):
        (fault,) = faults_of(sandbox)["faults"]
        return wanted.items() <= fault.items()

    return check


def has_latency(sandbox):
    return faults_of(sandbox)["latencies"] == {"/task_list": 0.25}


def knob_is(**wanted):
    return lambda sandbox: wanted.items() <= sandbox.knobs().items()


def shows(text):
    """What only the page tells: the state of collections, rules and policies."""
    return lambda sandbox: text in requests.get(f"{sandbox.url}/", timeout=30).text


def has_files(count):
    def check(sandbox):
        return count == len(
            ada_of(sandbox).operation_ls(seed.LAPTOP, path="/made").data["DATA"]
        )

    return check


def ada_of(sandbox):
    """Ada, without a page that asks her."""
    sandbox.set(auto_approve=seed.ADA)
    with globus_sdk.ConfidentialAppAuthClient(
        seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET
    ) as app:
        app.oauth2_start_flow(seed.PORTAL_REDIRECT_URI, TRANSFER_ALL)
        code = sandbox.code(app.oauth2_get_authorize_url(), "ada")
        token = app.oauth2_exchange_code_for_tokens(code)["access_token"]
    return globus_sdk.TransferClient(authorizer=globus_sdk.AccessTokenAuthorizer(token))


LAPTOP = {"collection": seed.LAPTOP}
#: what: (the form and its fields, the line of Python, how it shows)
TURNED = {
    "set the clock": (
        ("clock", {"set": "2096-10-02 07:06:40"}),
        lambda one: one.set_clock("2096-10-02T07:06:40+00:00"),
        clock_is_set,
    ),
    "speed of the clock": (
        ("clock", {"speed": "1000"}),
        lambda one: one.speed(1000),
        clock_is_fast,
    ),
    "latency of a route": (
        ("latency", {"route": "/task_list", "seconds": "0.25"}),
        lambda one: one.latency("/task_list", 0.25),
        has_latency,
    ),
    "a status, so often, with Retry-After": (
        ("fault", {"route": "/ls", "status": "503", "times": "2", "retry_after": "1"}),
        lambda one: one.fault("/ls", status=503, times=2, retry_after=1),
        has_fault(status=503, times=2, retry_after=1),
    ),
    "a reset": (
        ("fault", {"route": "/ls", "reset": "after", "skip": "1"}),
        lambda one: one.fault("/ls", reset="after", skip=1),
        has_fault(reset="after", skip=1),
    ),
    "a slow drip": (
        ("fault", {"route": "/ls", "drip_seconds": "0.5", "method": "GET"}),
        lambda one: one.fault("/ls", drip_seconds=0.5, method="GET"),
        has_fault(drip_seconds=0.5, method="GET"),
    ),
    "a cut-off body": (
        ("fault", {"route": "/ls", "cut_after": "10"}),
        lambda one: one.fault("/ls", cut_after=10),
        has_fault(cut_after=10),
    ),
    "rotating refresh tokens": (
        ("knobs", {"rotate_refresh_tokens": "on"}),
        lambda one: one.set(rotate_refresh_tokens=True),
        knob_is(rotate_refresh_tokens=True),
    ),
    "forged id tokens": (
        ("knobs", {"forge_id_token": "nonce"}),
        lambda one: one.forge_id_token("nonce"),
        knob_is(forge_id_token="nonce"),
    ),
    "a paused collection": (
        ("collection", {**LAPTOP, "paused": "yes"}),
        lambda one: one.collection(seed.LAPTOP, paused=True),
        lambda one: not is_listed(one),
    ),
    "a collection without its machine": (
        ("collection", {**LAPTOP, "connected": "no"}),
        lambda one: one.collection(seed.LAPTOP, connected=False),
        lambda one: not is_listed(one),
    ),
    "paths that are denied": (
        ("collection", {**LAPTOP, "denied_paths": "/Documents /secret"}),
        lambda one: one.collection(seed.LAPTOP, denied_paths=["/Documents", "/secret"]),
        shows("denies /Documents /secret"),
    ),
    "a high-assurance collection": (
        (
            "collection",
            {
                **LAPTOP,
                "high_assurance": "yes",
                "session_domain": UNIVERSITY,
                "authentication_timeout_mins": "30",
            },
        ),
        lambda one: one.collection(
            seed.LAPTOP,
            high_assurance=True,
            session_domain=UNIVERSITY,
            authentication_timeout_mins=30,
        ),
        lambda one: not is_listed(one, after=1801) and is_listed(one),
    ),
    "a pause rule": (
        ("pause", {**LAPTOP, "message": "Moving house", "pauses": "ls"}),
        lambda one: one.pause(seed.LAPTOP, "Moving house", pauses=["ls"]),
        lambda one: shows("Moving house")(one) and not is_listed(one),
    ),
    "a pause rule for somebody else": (
        ("pause", {**LAPTOP, "identity_id": seed.GRACE_ID}),
        lambda one: one.pause(seed.LAPTOP, identity_id=seed.GRACE_ID),
        lambda one: shows(seed.GRACE_ID)(one) and is_listed(one),
    ),
    "a generated directory": (
        ("generate", {**LAPTOP, "path": "/made", "count": "7", "size": "3"}),
        lambda one: one.generate(seed.LAPTOP, "/made", 7, 3),
        has_files(7),
    ),
    "a tree of a million files": (
        (
            "generate",
            {
                **LAPTOP,
                "path": "/made",
                "count": "1000",
                "levels": "1",
                "directories": "999",
            },
        ),
        lambda one: one.generate(seed.LAPTOP, "/made", 1000, levels=1, directories=999),
        has_files(1999),
    ),
    "an authentication policy": (
        ("policy", {"policy": POLICY, "domains": UNIVERSITY, "required_mfa": "on"}),
        lambda one: one.policy(POLICY, domains=[UNIVERSITY], required_mfa=True),
        shows(POLICY),
    ),
    "a redirect URI": (
        ("redirect-uri", {"redirect_uri": "http://localhost:1/back"}),
        lambda one: one.register_redirect_uri("http://localhost:1/back"),
        shows("http://localhost:1/back"),
    ),
}


def is_listed(sandbox, after=0):
    """Whether Ada, who has just signed in, can list her laptop after a while."""
    with ada_of(sandbox) as ada:
        sandbox.advance(after)
        try:
            ada.operation_ls(seed.LAPTOP, path="/")
        except globus_sdk.TransferAPIError:
            return False
    return True


@pytest.mark.parametrize("what", TURNED)
@pytest.mark.parametrize("way", ["form", "python"])
def test_each_knob_has_a_form_and_a_line(sandbox, send, what, way):
    (form, fields), line, is_turned = TURNED[what]
    if way == "python":
        line(sandbox)
    else:
        answer = send(form, **fields)
        assert answer.status_code == 302, answer.text
    assert is_turned(sandbox)


@pytest.mark.parametrize("way", ["form", "python"])
def test_what_is_over_is_over(sandbox, send, way):
    """Tokens wiped or expired, consents withdrawn, rules and requests gone."""
    is_form = way == "form"
    ada = ada_of(sandbox)

    def is_refused(code="ClientError.AuthenticationFailed"):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            ada.operation_ls(seed.RESEARCH, path="/")
        return caught.value.code == code

    assert is_refused("ConsentRequired")
    send("expire", expire="access") if is_form else sandbox.expire_access_tokens()
    assert is_refused()
    ada = ada_of(sandbox)
    wiped = {"kind": "access", "resource_server": "transfer.api.globus.org"}
    send("wipe", **wiped) if is_form else sandbox.wipe_tokens(**wiped)
    assert is_refused()
    which = {"username": seed.ADA, "client_id": seed.PORTAL_CLIENT_ID}
    if is_form:
        send("consents", **which)
        assert sandbox.withdraw_consents(**which) == 0
    else:
        assert sandbox.withdraw_consents(**which) > 0
    rule = sandbox.pause(seed.LAPTOP, "Moving house")
    assert not is_listed(sandbox)
    send("resume", id=rule) if is_form else sandbox.resume(rule)
    assert is_listed(sandbox)
    assert sandbox.requests()
    send("forget-requests") if is_form else sandbox.forget_requests()
    assert sandbox.requests() == []
    key = requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).json()
    send("rotate-key") if is_form else sandbox.rotate_key()
    assert requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).json() != key


def test_the_page_shows_what_is_turned(sandbox, send):
    sandbox.set(pending_tasks=7, required_domains="all")
    sandbox.fault("/task_list", status=503, times=3)
    requests.get(f"{sandbox.url}/transfer/v0.10/task_list?limit=4", timeout=30)
    text = requests.get(f"{sandbox.url}/", timeout=30).text
    assert text.count("<strong>turned</strong>") == 2
    assert '<option value="all" selected>' in " ".join(text.split())
    assert "status 503" in text
    assert "2 left" in text
    assert "/transfer/v0.10/task_list?limit=4" in text


@pytest.mark.parametrize(
    ("body", "kind"),
    [('{"code": "EndpointError"}', "application/json"), ("<p>Down</p>", "text/html")],
)
def test_a_fault_s_body_by_its_form(sandbox, send, page, body, kind):
    assert '<textarea name="body"' in page.text
    sent = send("fault", route="/task_list", status="502", body=body, times="1")
    assert sent.status_code == 302
    answer = requests.get(f"{sandbox.url}/transfer/v0.10/task_list", timeout=30)
    assert (answer.status_code, answer.text) == (502, body)
    assert answer.headers["Content-Type"] == kind


def test_every_form_is_on_the_page(page):
    shown = set(re.findall(r'action="/_sandbox/form/([a-z-]+)"', page.text))
    # "resume" stands beside a rule, and there is none.
    assert shown | {"resume"} == set(FORM_NAMES)


FORM_NAMES = re.findall(
    r'^    "([a-z-]+)": \(\w',
    (REPOSITORY / "sandbox/control/page.py").read_text(),
    re.MULTILINE,
)
