"""Section 9, checks 17 and 18: what a sign-in must show, and the browser's session."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox import seed
from sandbox.testing import SandboxError, answer_authorize_page
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope
from tests.sandbox.test_sign_in import authorize_url, exchange


@pytest.fixture
def browser():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def introspect(sandbox, portal_app):
    def about(location):
        code = parse_qs(urlsplit(location).query)["code"][0]
        token = exchange(sandbox, code).json()["access_token"]
        return portal_app.post(
            "/v2/oauth2/token/introspect",
            data={"token": token, "include": "session_info,identity_set"},
            encoding="form",
        ).data

    return about


def proofs(document):
    return document["session_info"]["authentications"]


def shown(browser, url):
    """The page that the browser gets instead of a redirect."""
    answer = browser.get(url, allow_redirects=False, timeout=30)
    assert answer.status_code == 200, answer.headers
    return answer.text


def error_of(location):
    return parse_qs(urlsplit(location).query)["error"][0]


def test_check_17_a_required_identity_is_asked_for_and_then_in_the_session(
    sandbox, browser, introspect
):
    first = introspect(answer_authorize_page(browser, authorize_url(sandbox), "ada"))
    assert set(proofs(first)) == {seed.ADA_ID}
    sandbox.advance(100)
    url = authorize_url(sandbox, session_required_identities=seed.ADA_LAB_ID)

    page = shown(browser, url)
    assert "Please sign in first" in page
    assert f"sign in as {seed.ADA_LAB}" in page
    assert seed.ADA_ID not in page
    # Whoever answers with the identity that is there already is asked again.
    again = browser.post(
        url, data={"identity": seed.ADA_ID, "decision": "allow"}, timeout=30
    )
    assert again.status_code == 200
    assert f"sign in as {seed.ADA_LAB}" in again.text

    after = introspect(answer_authorize_page(browser, url, seed.ADA_LAB))
    both = proofs(after)
    assert set(both) == {seed.ADA_ID, seed.ADA_LAB_ID}
    later = both[seed.ADA_LAB_ID]["auth_time"] - both[seed.ADA_ID]["auth_time"]
    assert 0 <= later <= 101
    assert both[seed.ADA_LAB_ID]["auth_time"] >= sandbox.now() - 50
    assert after["session_info"]["session_id"] == first["session_info"]["session_id"]
    assert after["sub"] == seed.ADA_ID, "a step-up does not change whose token it is"
    assert set(after["identity_set"]) == {seed.ADA_ID, seed.ADA_LAB_ID}


@pytest.mark.parametrize("name", [seed.ADA_LAB, seed.ADA_LAB_ID])
def test_check_17_an_identity_is_named_by_id_or_username(sandbox, name):
    url = authorize_url(sandbox, session_required_identities=name)
    with pytest.raises(SandboxError, match="does not offer grace"):
        sandbox.approve(url, "grace")
    assert "code=" in sandbox.approve(url, seed.ADA_LAB)


def test_check_17_several_identities_are_asked_for_one_by_one(
    sandbox, browser, introspect
):
    wanted = f"{seed.ADA_ID},{seed.ADA_LAB_ID}"
    url = authorize_url(sandbox, session_required_identities=wanted, prompt="login")
    with pytest.raises(SandboxError, match=f"sign in as {seed.ADA_LAB}"):
        answer_authorize_page(browser, url, "ada")
    page = browser.get(url, timeout=30).text
    began = page.partition('name="began" value="')[2].partition('"')[0]
    first = browser.post(
        url,
        data={"identity": seed.ADA_ID, "decision": "allow", "began": began},
        timeout=30,
    )
    assert f"sign in as {seed.ADA_LAB}" in first.text
    second = browser.post(
        url,
        data={"identity": seed.ADA_LAB_ID, "decision": "allow", "began": began},
        allow_redirects=False,
        timeout=30,
    )
    assert set(proofs(introspect(second.headers["Location"]))) == {
        seed.ADA_ID,
        seed.ADA_LAB_ID,
    }


def test_check_17_a_required_domain(sandbox, browser):
    url = authorize_url(sandbox, session_required_single_domain="lab.example")
    answer_authorize_page(browser, authorize_url(sandbox), "ada")
    page = shown(browser, url)
    assert "sign in with lab.example" in page
    assert seed.ADA_LAB in page
    assert seed.GRACE not in page
    assert "code=" in answer_authorize_page(browser, url, seed.ADA_LAB)
    either = authorize_url(
        sandbox, session_required_single_domain="lab.example,nowhere.example"
    )
    assert "Please sign in first" not in shown(browser, either)


def test_check_17_required_policies(sandbox, browser):
    url = authorize_url(sandbox, session_required_policies=seed.POLICY_UNIVERSITY)
    answer_authorize_page(browser, authorize_url(sandbox), seed.ADA_LAB)
    assert seed.ADA_LAB not in shown(browser, url)
    answer_authorize_page(browser, url, "ada")
    assert "Please sign in first" not in shown(browser, url)
    sandbox.advance(1_801)
    assert "Please sign in first" in shown(browser, url)
    answer_authorize_page(browser, url, "ada")
    assert "Please sign in first" not in shown(browser, url)


def test_check_17_a_policy_of_a_test(sandbox):
    policy = "5eed0000-0000-4000-8000-0000000000ff"
    sandbox.policy(policy, domains=["lab.example"], required_mfa=True)
    url = authorize_url(sandbox, session_required_policies=policy)
    with pytest.raises(SandboxError, match="does not offer grace"):
        sandbox.approve(url, "grace", mfa=True)
    with pytest.raises(SandboxError, match="satisfy the policy"):
        sandbox.approve(url, "mallory")
    assert "code=" in sandbox.approve(url, "mallory", mfa=True)


def test_check_17_a_policy_that_nobody_made_goes_back_to_the_client(sandbox):
    url = authorize_url(sandbox, session_required_policies=seed.GROUP_USERS)
    assert error_of(sandbox.approve(url, "ada")) == "invalid_request"


def test_check_17_an_identity_that_is_nobodys_can_only_be_declined(sandbox):
    url = authorize_url(sandbox, session_required_identities=seed.GROUP_USERS)
    assert "Nobody here can do this" in requests.get(url, timeout=30).text
    answer = requests.post(
        url, data={"decision": "deny"}, allow_redirects=False, timeout=30
    )
    assert error_of(answer.headers["Location"]) == "access_denied"


def test_check_18_the_sdk_says_true_with_a_capital(sandbox, portal_app, introspect):
    portal_app.oauth2_start_flow(seed.PORTAL_REDIRECT_URI, "openid")
    url = portal_app.oauth2_get_authorize_url(
        session_required_mfa=True, session_message="Hello & <b>", prompt="login"
    )
    assert "session_required_mfa=True" in url
    assert "Hello &amp; &lt;b&gt;" in requests.get(url, timeout=30).text
    with pytest.raises(SandboxError, match="use a second factor"):
        sandbox.approve(url, "ada")
    proof = proofs(introspect(sandbox.approve(url, "ada", mfa=True)))[seed.ADA_ID]
    assert proof["amr"] == ["pwd", "mfa"]


@pytest.mark.parametrize("text", ["true", "TRUE", "True"])
def test_check_18_in_any_case(sandbox, text):
    url = authorize_url(sandbox, session_required_mfa=text)
    with pytest.raises(SandboxError, match="use a second factor"):
        sandbox.approve(url, "ada")


@pytest.mark.parametrize("text", ["False", "false", ""])
def test_check_18_false_wants_nothing(sandbox, text):
    assert "code=" in sandbox.approve(
        authorize_url(sandbox, session_required_mfa=text), "ada"
    )


def test_a_signed_in_browser_keeps_its_time_unless_asked_for_a_new_one(
    sandbox, browser, introspect
):
    def auth_time(**changes):
        location = answer_authorize_page(
            browser, authorize_url(sandbox, **changes), "ada"
        )
        return proofs(introspect(location))[seed.ADA_ID]["auth_time"]

    first = auth_time()
    sandbox.advance(100)
    assert auth_time() == first
    assert auth_time(max_age="3600") == first
    aged = auth_time(max_age="50")
    assert aged >= first + 100
    sandbox.advance(100)
    assert auth_time(prompt="login") >= aged + 100


def test_another_person_gets_another_session(sandbox, browser, introspect):
    url = authorize_url(sandbox)
    ada = introspect(answer_authorize_page(browser, url, "ada"))["session_info"]
    grace = introspect(answer_authorize_page(browser, url, "grace"))["session_info"]
    assert ada["session_id"] != grace["session_id"]
    assert set(grace["authentications"]) == {seed.GRACE_ID}


def test_a_linked_identity_signs_its_person_in(sandbox, introspect):
    url = authorize_url(sandbox)
    document = introspect(sandbox.approve(url, seed.ADA_LAB))
    assert (document["sub"], document["username"]) == (seed.ADA_ID, seed.ADA)
    assert set(proofs(document)) == {seed.ADA_LAB_ID}
    sandbox.set(effective_identity="used")
    assert introspect(sandbox.approve(url, seed.ADA_LAB))["sub"] == seed.ADA_LAB_ID


def test_requirements_can_force_a_new_sign_in(sandbox, browser):
    url = authorize_url(sandbox, session_required_identities=seed.ADA_ID)
    answer_authorize_page(browser, url, "ada")
    assert "Please sign in first" not in shown(browser, url)
    sandbox.set(session_requirements_force_login=True)
    assert "Please sign in first" in shown(browser, url)


def test_prompt_none_needs_a_session_and_consents(sandbox, browser):
    def silently(**changes):
        url = authorize_url(sandbox, prompt="none", **changes)
        answer = browser.get(url, allow_redirects=False, timeout=30)
        return answer.headers["Location"]

    assert error_of(silently()) == "login_required"
    answer_authorize_page(browser, authorize_url(sandbox), "ada")
    assert "code=" in silently()
    assert error_of(silently(scope=TRANSFER_ALL)) == "consent_required"
    assert error_of(silently(max_age="0")) == "login_required"
    lab = {"session_required_identities": seed.ADA_LAB_ID}
    assert error_of(silently(**lab)) == "login_required"
    browser.get(f"{sandbox.url}/auth/v2/web/logout", timeout=30)
    assert error_of(silently()) == "login_required"


def test_known_consents_can_be_skipped(sandbox, browser):
    scope = data_access_scope(seed.TUTORIAL_1)
    answer_authorize_page(browser, authorize_url(sandbox, scope=scope), "ada")
    sandbox.set(skip_known_consents=True)

    def is_asked(wanted) -> bool:
        url = authorize_url(sandbox, scope=wanted)
        return not browser.get(url, allow_redirects=False, timeout=30).is_redirect

    assert not is_asked(scope)
    assert not is_asked(TRANSFER_ALL)
    assert is_asked(data_access_scope(seed.TUTORIAL_1, seed.TUTORIAL_2))


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "nonsense"},
        {"prompt": "none login"},
        {"max_age": "soon"},
        {"max_age": "9" * 5_000},
        {"session_required_mfa": "maybe"},
        {"access_type": "sometimes"},
        {"response_type": "token"},
    ],
)
def test_bad_parameters_go_back_to_the_client(sandbox, changes):
    location = sandbox.approve(authorize_url(sandbox, **changes), "ada")
    assert error_of(location) in ("invalid_request", "unsupported_response_type")
    assert parse_qs(urlsplit(location).query)["state"] == ["st&te"]


def test_a_repeated_parameter_is_refused(sandbox):
    url = f"{authorize_url(sandbox)}&scope={TRANSFER_ALL}"
    answer = requests.get(url, allow_redirects=False, timeout=30)
    assert error_of(answer.headers["Location"]) == "invalid_request"


def test_auto_approve_satisfies_what_the_person_can(sandbox, introspect):
    sandbox.set(auto_approve="login_hint")
    url = authorize_url(
        sandbox,
        login_hint="ada",
        session_required_identities=seed.ADA_LAB_ID,
        session_required_policies=seed.POLICY_MFA,
        prompt="login",
    )
    answer = requests.get(url, allow_redirects=False, timeout=30)
    both = proofs(introspect(answer.headers["Location"]))
    assert set(both) == {seed.ADA_ID, seed.ADA_LAB_ID}
    grace = url.replace("login_hint=ada", "login_hint=grace")
    assert "Please sign in first" in requests.get(grace, timeout=30).text
