"""Section 9, checks 19 to 30: grants, revocation, introspection, identities."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import globus_sdk
import pytest
import requests
from globus_sdk.scopes import Scope

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope

TRANSFER = "transfer.api.globus.org"
DEPENDENT = "urn:globus:auth:grant_type:dependent_token"


def renew(sandbox, refresh_token) -> requests.Response:
    return requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data={"grant_type": "refresh_token", "refresh_token": refresh_token},
        auth=(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET),
        timeout=30,
    )


@pytest.fixture
def harvest(sandbox):
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as client:
        yield client


def test_check_19_client_credentials(harvest):
    tokens = harvest.oauth2_client_credentials_tokens(TRANSFER_ALL)
    assert tokens["expires_in"] == 172_800
    assert tokens["other_tokens"] == []
    assert "refresh_token" not in tokens
    info = harvest.oauth2_token_introspect(tokens["access_token"])
    assert info["sub"] == seed.HARVEST_CLIENT_ID
    assert info["username"] == f"{seed.HARVEST_CLIENT_ID}@clients.auth.globus.org"


def test_check_20_a_refresh_is_one_resource_server(sign_in, portal_app):
    first = sign_in("ada", f"openid {TRANSFER_ALL}").by_resource_server[TRANSFER]
    for _ in range(2):
        answer = portal_app.oauth2_refresh_token(first["refresh_token"])
        assert list(answer.by_resource_server) == [TRANSFER]
        assert answer["other_tokens"] == []
        assert answer["refresh_token"] == first["refresh_token"]
        assert answer["access_token"] != first["access_token"]


def test_check_21_an_authorizer_renews_what_has_expired(sandbox, sign_in, portal_app):
    tokens = sign_in("ada").by_resource_server[TRANSFER]
    seen: list[globus_sdk.OAuthTokenResponse] = []
    authorizer = globus_sdk.RefreshTokenAuthorizer(
        tokens["refresh_token"],
        portal_app,
        access_token=tokens["access_token"],
        expires_at=1,
        on_refresh=seen.append,
    )
    with globus_sdk.TransferClient(authorizer=authorizer) as client:
        client.task_list()
        client.task_list()
    assert len(seen) == 1


def test_check_22_a_401_is_one_refresh(sandbox, sign_in, portal_app):
    tokens = sign_in("ada").by_resource_server[TRANSFER]
    authorizer = globus_sdk.RefreshTokenAuthorizer(
        tokens["refresh_token"],
        portal_app,
        access_token=tokens["access_token"],
        expires_at=tokens["expires_at_seconds"],
    )
    sandbox.expire_access_tokens()
    sandbox.forget_requests()
    with globus_sdk.TransferClient(authorizer=authorizer) as client:
        assert client.task_list().http_status == 200
    assert [one["status"] for one in sandbox.requests()] == [401, 200, 200]


def test_check_23_rotating_refresh_tokens(sandbox, sign_in):
    sandbox.set(rotate_refresh_tokens=True)
    old = sign_in("ada").by_resource_server[TRANSFER]["refresh_token"]
    new = renew(sandbox, old).json()["refresh_token"]
    assert new != old
    answer = renew(sandbox, old)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_grant"})
    assert renew(sandbox, new).status_code == 200


def test_one_of_many_refreshes_at_once_wins_when_rotating(sandbox, sign_in):
    sandbox.set(rotate_refresh_tokens=True)
    old = sign_in("ada").by_resource_server[TRANSFER]["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: renew(sandbox, old), range(8)))
    assert sorted(one.status_code for one in answers) == [200, *[401] * 7]


def test_the_status_of_invalid_grant_is_a_knob(sandbox):
    sandbox.set(invalid_grant_status=400)
    assert renew(sandbox, "nonsense").status_code == 400


def test_a_lost_answer_was_handled(sandbox, sign_in):
    sandbox.set(rotate_refresh_tokens=True)
    old = sign_in("ada").by_resource_server[TRANSFER]["refresh_token"]
    sandbox.fault("/auth/v2/oauth2/token", reset="after", times=1)
    with pytest.raises(requests.ConnectionError):
        renew(sandbox, old)
    assert renew(sandbox, old).status_code == 401


def test_check_24_revocation(sandbox, sign_in, portal_app):
    tokens = sign_in("ada").by_resource_server[TRANSFER]
    for token in (tokens["refresh_token"], "unknown"):
        assert portal_app.oauth2_revoke_token(token)["active"] is False
    assert renew(sandbox, tokens["refresh_token"]).status_code == 401
    answer = requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token/revoke",
        data={"client_id": seed.CLI_TEMPLATE_ID},
        timeout=30,
    )
    assert (answer.status_code, answer.json()) == (200, {"active": False})


def test_a_client_does_not_revoke_another_ones_token(sign_in, harvest, portal_app):
    token = sign_in("ada", "openid")["access_token"]
    assert harvest.oauth2_revoke_token(token)["active"] is False
    assert portal_app.oauth2_token_introspect(token)["active"] is True


def test_check_25_introspection(sandbox, sign_in, portal_app):
    token = sign_in("ada", "openid email")["access_token"]
    info = portal_app.oauth2_token_introspect(
        token, include="session_info,identity_set"
    )
    assert info["active"] is True
    assert (info["sub"], info["username"]) == (seed.ADA_ID, seed.ADA)
    assert info["scope"] == "openid email"
    assert set(info["aud"]) == {"auth.globus.org", seed.PORTAL_CLIENT_ID}
    assert info["exp"] - info["iat"] == 172_800
    assert set(info["identity_set"]) == {seed.ADA_ID, seed.ADA_LAB_ID}
    assert set(info["session_info"]["authentications"]) == {seed.ADA_ID}
    portal_app.oauth2_revoke_token(token)
    assert portal_app.oauth2_token_introspect(token).data == {"active": False}


def test_check_27_userinfo_with_a_bad_token(sandbox):
    with (
        globus_sdk.AuthClient(
            authorizer=globus_sdk.AccessTokenAuthorizer("bad")
        ) as client,
        pytest.raises(globus_sdk.AuthAPIError) as caught,
    ):
        client.userinfo()
    assert caught.value.code == "UNAUTHORIZED"
    assert caught.value.request_id


def test_userinfo_says_what_the_scopes_allow(sign_in):
    def userinfo(scope) -> dict[str, Any]:
        token = sign_in("ada", scope)["access_token"]
        with globus_sdk.AuthClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(token)
        ) as client:
            return dict(client.userinfo().data)

    assert set(userinfo("openid")) == {"sub", "last_authentication"}
    assert userinfo("openid email profile")["email"] == seed.ADA


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "x"}, 400, "invalid_scope"),
        ({"grant_type": "client_credentials"}, 400, "invalid_scope"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401, "invalid_grant"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, 401, "invalid_grant"),
        ({"grant_type": DEPENDENT}, 400, "invalid_request"),
        ({"grant_type": DEPENDENT, "token": "x"}, 401, "invalid_grant"),
    ],
)
def test_token_errors(sandbox, form, status, error):
    answer = requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data=form,
        auth=(seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET),
        timeout=30,
    )
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "credentials",
    [
        (seed.HARVEST_CLIENT_ID, "wrong"),
        ("unknown", "x"),
        (seed.NATIVE_CLIENT_ID, ""),
        (seed.CLI_TEMPLATE_ID, ""),
    ],
)
def test_check_28_bad_client_credentials(sandbox, credentials):
    answer = requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data={"grant_type": "client_credentials", "scope": TRANSFER_ALL},
        auth=credentials,
        timeout=30,
    )
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert answer.headers["Content-Type"] == "application/json"


def test_a_secret_in_the_form_is_a_knob(sandbox):
    def ask() -> int:
        return requests.post(
            f"{sandbox.url}/auth/v2/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "scope": TRANSFER_ALL,
                "client_id": seed.HARVEST_CLIENT_ID,
                "client_secret": seed.HARVEST_CLIENT_SECRET,
            },
            timeout=30,
        ).status_code

    assert ask() == 200
    sandbox.set(accept_client_secret_post=False)
    assert ask() == 401


def test_check_29_identities(sign_in):
    token = sign_in("ada", "openid")["access_token"]
    with globus_sdk.AuthClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(token)
    ) as client:
        check_identities(client)


def check_identities(client) -> None:
    found = client.get_identities(ids=[seed.ADA_ID, seed.GRACE_ID])
    assert {one["username"] for one in found} == {seed.ADA, seed.GRACE}
    new = "new.person@university.example"
    assert list(client.get_identities(usernames=[seed.ADA, new])) != []
    assert len(list(client.get_identities(usernames=[new]))) == 0
    (made,) = client.get_identities(usernames=[new], provision=True)
    assert (made["status"], made["name"]) == ("unused", None)
    nowhere = ["someone@nowhere.example"]
    assert not list(client.get_identities(usernames=nowhere, provision=True))


def test_check_30_consents_are_a_forest(sign_in):
    view = "urn:globus:auth:scope:auth.globus.org:manage_projects"
    scopes = f"openid {view} {data_access_scope(seed.TUTORIAL_1)}"
    token = sign_in("ada", scopes).by_resource_server["auth.globus.org"]
    with globus_sdk.AuthClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(token["access_token"])
    ) as client:
        forest = client.get_consents(seed.ADA_ID).to_forest()
    assert forest.meets_scope_requirements(
        Scope.parse(data_access_scope(seed.TUTORIAL_1))
    )
    assert not forest.meets_scope_requirements(
        Scope.parse(data_access_scope(seed.TUTORIAL_2))
    )


def test_check_32_a_client_app_reuses_its_tokens(sandbox, tmp_path):
    from globus_sdk.token_storage import JSONTokenStorage

    for _ in range(2):
        config = globus_sdk.GlobusAppConfig(
            token_storage=JSONTokenStorage(tmp_path / "tokens.json")
        )
        with (
            globus_sdk.ClientApp(
                "app",
                client_id=seed.HARVEST_CLIENT_ID,
                client_secret=seed.HARVEST_CLIENT_SECRET,
                config=config,
            ) as app,
            globus_sdk.TransferClient(app=app) as client,
        ):
            client.task_list()
    assert len(sandbox.requests("/oauth2/token")) == 1


def test_dependent_tokens_are_for_the_resource_server_alone(sign_in, portal_app):
    scope = f"openid {data_access_scope(seed.TUTORIAL_1)}"
    token = sign_in("ada", scope).by_resource_server[TRANSFER]["access_token"]
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        portal_app.oauth2_get_dependent_tokens(token)
    assert caught.value.raw_json == {"error": "invalid_grant"}
