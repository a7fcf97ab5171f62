"""Section 9, checks 9 to 12 and 14: social-core's Globus backend, in the portal."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from accounts.models import User
from sandbox import seed
from tests.flows import begin, come_back, person, sign_in

TOKEN_ROUTE = "/auth/v2/oauth2/token"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(stack):
    """The one that the portal's settings point at."""
    stack.sandbox.reset()
    return stack.sandbox


@pytest.fixture
def browser():
    return Client()


def is_signed_in(browser) -> bool:
    return "_auth_user_id" in browser.session


def forget_verifier(browser) -> None:
    """Let the browser's session hold another PKCE verifier than the one it sent."""
    session = browser.session
    for name, value in session.items():
        if "verifier" in name:
            session[name] = "x" * 64
        elif isinstance(value, dict):
            session[name] = {
                key: "x" * 64 if "verifier" in key else one
                for key, one in value.items()
            }
    session.save()


def test_check_09_social_core_signs_in_with_pkce(browser, sandbox):
    address = begin(browser)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    answer = come_back(browser, sandbox.approve(address, "ada"))
    assert answer.status_code == 302
    assert is_signed_in(browser)
    assert person("ada").preferred_username == seed.ADA


def test_check_09_a_wrong_verifier_is_an_invalid_grant(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    forget_verifier(browser)
    assert come_back(browser, address).status_code == 400
    assert not is_signed_in(browser)
    (exchange,) = sandbox.requests(TOKEN_ROUTE)
    assert exchange["status"] == 401


def test_check_10_a_used_code_is_a_page_of_the_portal(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    query = parse_qs(urlsplit(address).query)
    # Somebody who saw the code was quicker: it is used up, whatever came of that.
    requests.post(
        f"{sandbox.url}{TOKEN_ROUTE}",
        data={"grant_type": "authorization_code", "code": query["code"][0]},
        auth=(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET),
        timeout=30,
    )
    answer = come_back(browser, address)
    assert answer.status_code == 400
    assert "text/html" in answer["Content-Type"]
    assert not is_signed_in(browser)
    assert [one["status"] for one in sandbox.requests(TOKEN_ROUTE)] == [401, 401]


def test_check_11_a_refusal_is_told_from_a_failure(browser, sandbox, caplog):
    answer = sign_in(browser, sandbox, "ada", allow=False)
    assert "SignInDeclined" in caplog.text
    assert answer.status_code == 403
    assert not is_signed_in(browser)
    assert sandbox.requests(TOKEN_ROUTE) == []


@pytest.mark.parametrize(
    ("registered", "another"),
    [("localhost:8000", "localhost:8001"), ("/complete/globus/", "/complete/other/")],
)
def test_check_12_another_redirect_uri_is_a_page(browser, sandbox, registered, another):
    from urllib.parse import quote

    address = begin(browser)
    changed = address.replace(quote(registered, safe=""), quote(another, safe=""))
    changed = changed.replace(registered, another) if changed == address else changed
    assert changed != address
    answer = requests.get(changed, allow_redirects=False, timeout=30)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "OAUTH_AUTH_REQUEST_FAILURE" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "way",
    [
        "iss",
        "aud",
        "nonce",
        "at_hash",
        "expired",
        "future_iat",
        "signature",
        "missing",
    ],
)
def test_check_14_social_core_refuses_a_forged_id_token(browser, sandbox, way):
    sandbox.forge_id_token(way)
    answer = sign_in(browser, sandbox, "ada")
    assert answer.status_code in (400, 502)
    assert not is_signed_in(browser)
    assert User.objects.count() == 0
    sandbox.forge_id_token("")
    assert sign_in(Client(), sandbox, "ada").status_code == 302
