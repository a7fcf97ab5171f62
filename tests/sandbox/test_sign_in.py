"""Section 9, checks 8 to 16: the authorize page, the code, the id token."""

import base64
import hashlib
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import globus_sdk
import jwt
import pytest
import requests

from sandbox import seed
from sandbox.testing import SandboxError
from tests.sandbox.conftest import GROUPS_VIEW, TRANSFER_ALL, data_access_scope


def authorize_url(sandbox, **changes) -> str:
    parameters = {
        "client_id": seed.PORTAL_CLIENT_ID,
        "redirect_uri": seed.PORTAL_REDIRECT_URI,
        "response_type": "code",
        "scope": "openid email profile",
        "state": "st&te",
        **changes,
    }
    return f"{sandbox.url}/auth/v2/oauth2/authorize?{urlencode(parameters)}"


def exchange(sandbox, code, **changes) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": seed.PORTAL_REDIRECT_URI,
        **changes,
    }
    return requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data=form,
        auth=(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET),
        timeout=30,
    )


def test_check_08_code_flow_gives_every_resource_server(sign_in):
    tokens = sign_in("ada", f"openid email profile {TRANSFER_ALL} {GROUPS_VIEW}")
    assert set(tokens.by_resource_server) == {
        "auth.globus.org",
        "transfer.api.globus.org",
        "groups.api.globus.org",
    }
    document = tokens.data
    assert document["resource_server"] == "auth.globus.org"
    assert document["scope"] == "openid email profile"
    assert document["expires_in"] == 172_800
    assert document["token_type"] == "Bearer"
    assert document["state"] == "_default"
    assert len(document["other_tokens"]) == 2


def test_check_09_pkce(sandbox):
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    url = authorize_url(
        sandbox,
        code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        code_challenge_method="S256",
    )
    for wrong in ({}, {"code_verifier": "w" * 64}):
        answer = exchange(sandbox, sandbox.code(url, "ada"), **wrong)
        assert answer.status_code == 401
        assert answer.json() == {"error": "invalid_grant"}
    code = sandbox.code(url, "ada")
    assert exchange(sandbox, code, code_verifier=verifier).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(sandbox):
    code = sandbox.code(authorize_url(sandbox), "ada")
    assert exchange(sandbox, code, code_verifier="v" * 64).status_code == 401


def test_check_10_a_code_works_once(sandbox):
    code = sandbox.code(authorize_url(sandbox), "ada")
    assert exchange(sandbox, code).status_code == 200
    assert exchange(sandbox, code).json() == {"error": "invalid_grant"}


def test_a_code_expires(sandbox):
    code = sandbox.code(authorize_url(sandbox), "ada")
    sandbox.advance(601)
    assert exchange(sandbox, code).json() == {"error": "invalid_grant"}


def test_a_code_is_for_its_redirect_uri(sandbox):
    code = sandbox.code(authorize_url(sandbox), "ada")
    answer = exchange(sandbox, code, redirect_uri="http://localhost:8000/other/")
    assert answer.json() == {"error": "invalid_grant"}


def test_check_11_a_refusal_goes_back_with_the_state(sandbox):
    location = sandbox.approve(authorize_url(sandbox), "ada", allow=False)
    query = parse_qs(urlsplit(location).query)
    assert location.startswith(seed.PORTAL_REDIRECT_URI)
    assert query["error"] == ["access_denied"]
    assert query["state"] == ["st&te"]
    assert "code" not in query


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://localhost:8001/complete/globus/"},
        {"redirect_uri": "http://localhost:8000/complete/globus"},
        {"redirect_uri": ""},
        {"client_id": "00000000-0000-4000-8000-000000000000"},
        {"scope": "urn:globus:auth:scope:nowhere.example:all"},
        {"scope": f"https://auth.globus.org/scopes/{seed.SHARED}/data_access"},
        {"scope": "openid["},
        {"scope": ""},
    ],
)
def test_check_12_what_cannot_be_redirected_is_a_page(sandbox, changes):
    answer = requests.get(
        authorize_url(sandbox, **changes), allow_redirects=False, timeout=30
    )
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "OAUTH_AUTH_REQUEST_FAILURE" in answer.text
    assert "This is not Globus" in answer.text
    assert "Location" not in answer.headers


def test_the_page_asks_in_words_and_lets_the_form_redirect(sandbox):
    url = authorize_url(sandbox, scope=data_access_scope(seed.TUTORIAL_1))
    answer = requests.get(url, timeout=30)
    assert "List, transfer and delete files in your name" in answer.text
    assert "Use your files on Globus Tutorial Collection 1" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' http://localhost:8000" in policy


def test_hostile_parameters_stay_text(sandbox):
    url = authorize_url(sandbox, session_message="<script>alert(1)</script>")
    assert "<script" not in requests.get(url, timeout=30).text


def test_a_form_from_another_site_is_refused(sandbox):
    answer = requests.post(
        authorize_url(sandbox),
        data={"identity": seed.ADA_ID, "decision": "allow"},
        headers={"Origin": "http://evil.example"},
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 403


def test_check_13_the_id_token(sandbox, sign_in, portal_app):
    tokens = sign_in("ada", "openid email profile")
    claims = tokens.decode_id_token()
    digest = hashlib.sha512(tokens["access_token"].encode()).digest()[:32]
    wanted = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert claims["at_hash"] == wanted
    assert len(wanted) == 43
    assert claims["iss"] == f"{sandbox.url}/auth"
    assert claims["aud"] == seed.PORTAL_CLIENT_ID
    assert claims["sub"] == seed.ADA_ID
    assert claims["exp"] == claims["iat"] + 172_800
    assert abs(claims["iat"] - time.time()) < 10
    assert claims["preferred_username"] == seed.ADA
    assert claims["email"] == seed.ADA
    assert claims["organization"] == "Example University"
    assert "identity_set" not in claims
    assert "email_verified" not in claims
    assert jwt.get_unverified_header(tokens["id_token"]) == {
        "alg": "RS512",
        "typ": "JWT",
    }


def test_linked_identities_come_with_their_scope(sign_in):
    scope = "openid urn:globus:auth:scope:auth.globus.org:view_identity_set"
    members = sign_in("ada", scope).decode_id_token()["identity_set"]
    assert [one["sub"] for one in members] == [seed.ADA_ID, seed.ADA_LAB_ID]
    assert members[0]["last_authentication"] > 0
    assert members[1]["last_authentication"] is None


def test_the_nonce_is_echoed(sandbox):
    code = sandbox.code(authorize_url(sandbox, nonce="n-1"), "ada")
    token = exchange(sandbox, code).json()["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["nonce"] == "n-1"


@pytest.mark.parametrize(
    ("way", "is_forged"),
    [
        ("iss", lambda claims: claims["iss"] == "https://auth.invalid"),
        ("aud", lambda claims: claims["aud"] != seed.PORTAL_CLIENT_ID),
        ("nonce", lambda claims: claims["nonce"] != "n-1"),
        ("at_hash", lambda claims: len(claims["at_hash"]) == 43),
        ("expired", lambda claims: claims["exp"] < time.time()),
        ("future_iat", lambda claims: claims["iat"] > time.time() + 3000),
    ],
)
def test_check_14_forged_id_tokens(sandbox, way, is_forged):
    sandbox.forge_id_token(way)
    code = sandbox.code(authorize_url(sandbox, nonce="n-1"), "ada")
    token = exchange(sandbox, code).json()["id_token"]
    assert is_forged(jwt.decode(token, options={"verify_signature": False}))


def test_check_15_refresh_tokens_only_when_asked_for(sign_in):
    scopes = f"openid {TRANSFER_ALL} {GROUPS_VIEW}"
    online = sign_in("ada", scopes, offline=False).by_resource_server
    assert [one["refresh_token"] for one in online.values()] == [None, None, None]
    offline = sign_in("ada", scopes).by_resource_server
    secrets = [one["refresh_token"] for one in offline.values()]
    assert len(set(secrets)) == 3
    assert all(secrets)


def test_check_16_a_raw_scope_tree_is_parsed(sandbox, portal_app):
    scope = data_access_scope(seed.TUTORIAL_1, seed.TUTORIAL_2).replace(" ", "+")
    url = (
        f"{sandbox.url}/auth/v2/oauth2/authorize?client_id={seed.PORTAL_CLIENT_ID}"
        f"&redirect_uri={seed.PORTAL_REDIRECT_URI}&response_type=code&scope={scope}"
    )
    tokens = exchange(sandbox, sandbox.code(url, "ada")).json()
    assert tokens["scope"] == TRANSFER_ALL
    assert tokens["resource_server"] == "transfer.api.globus.org"


def test_auto_approve_asks_nobody(sandbox):
    sandbox.set(auto_approve="login_hint")
    answer = requests.get(
        authorize_url(sandbox, login_hint="grace"), allow_redirects=False, timeout=30
    )
    assert answer.status_code == 302
    assert answer.cookies["sandbox_session"]


def test_a_redirect_uri_can_be_registered(sandbox):
    uri = "http://127.0.0.1:18000/complete/globus/"
    url = authorize_url(sandbox, redirect_uri=uri)
    with pytest.raises(SandboxError, match="not registered"):
        sandbox.approve(url, "ada")
    sandbox.register_redirect_uri(uri)
    assert sandbox.approve(url, "ada").startswith(uri)


def test_a_native_app_must_use_pkce(sandbox):
    url = authorize_url(
        sandbox,
        client_id=seed.NATIVE_CLIENT_ID,
        redirect_uri=f"{sandbox.url}/auth/v2/web/auth-code",
    )
    assert "error=invalid_request" in sandbox.approve(url, "ada")


def test_logout_ends_the_browser_session_only(sandbox, sign_in, portal_app):
    token = sign_in("ada", "openid")["access_token"]
    answer = requests.get(
        f"{sandbox.url}/auth/v2/web/logout",
        params={"client": seed.PORTAL_CLIENT_ID, "redirect_uri": "javascript:alert(1)"},
        timeout=30,
    )
    assert "javascript:" not in answer.text
    assert portal_app.oauth2_token_introspect(token)["active"] is True


def test_two_exchanges_of_one_code_at_once(sandbox):
    from concurrent.futures import ThreadPoolExecutor

    code = sandbox.code(authorize_url(sandbox), "ada")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: exchange(sandbox, code), range(6)))
    assert sorted(one.status_code for one in answers) == [200, *[401] * 5]


def test_a_native_flow_manager_reaches_the_code_page(sandbox):
    with globus_sdk.NativeAppAuthClient(seed.NATIVE_CLIENT_ID) as client:
        client.oauth2_start_flow("openid", refresh_tokens=True)
        location = sandbox.approve(client.oauth2_get_authorize_url(), "ada")
        shown = requests.get(location, timeout=30).text
        code = parse_qs(urlsplit(location).query)["code"][0]
        assert code in shown
        assert "This is not Globus" in shown
        tokens = client.oauth2_exchange_code_for_tokens(code)
    assert tokens.by_resource_server["auth.globus.org"]["refresh_token"]


def test_nobody_is_chosen_for_the_person(sandbox):
    """Who only presses the button is asked again, and signed in as nobody."""
    url = authorize_url(sandbox)
    shown = requests.get(url, timeout=30).text
    assert 'name="identity"' in shown
    assert "checked" not in shown
    answer = requests.post(
        url, data={"decision": "allow"}, timeout=30, allow_redirects=False
    )
    assert answer.status_code == 200
    assert "Please choose who you are." in answer.text
    assert "Set-Cookie" not in answer.headers
    hinted = requests.get(authorize_url(sandbox, login_hint="grace"), timeout=30).text
    assert hinted.count("checked") == 1
