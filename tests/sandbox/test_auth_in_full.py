"""Section 9, checks 26, 29, 30 and 32, and what else Auth keeps: consents, expiry."""

import http.client
from urllib.parse import urlencode, urlsplit

import globus_sdk
import pytest
import requests
from globus_sdk.scopes import Scope
from globus_sdk.token_storage import JSONTokenStorage

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope
from tests.sandbox.test_sign_in import authorize_url

AUTH = "auth.globus.org"
TRANSFER = "transfer.api.globus.org"
TIMER = f"https://auth.globus.org/scopes/{seed.TIMERS_CLIENT_ID}/timer"
DATA_ACCESS = f"https://auth.globus.org/scopes/{seed.TUTORIAL_1}/data_access"
MONTH = 30 * 86_400


@pytest.fixture
def timers(sandbox):
    """Timers as a resource server that calls Transfer in a person's name."""
    with globus_sdk.ConfidentialAppAuthClient(
        seed.TIMERS_CLIENT_ID, seed.TIMERS_CLIENT_SECRET
    ) as client:
        yield client


@pytest.fixture
def auth_as():
    clients = []

    def client_for(tokens):
        secret = tokens.by_resource_server[AUTH]["access_token"]
        client = globus_sdk.AuthClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(secret)
        )
        clients.append(client)
        return client

    yield client_for
    for client in clients:
        client.close()


def timer_token(sign_in, scope) -> str:
    tokens = sign_in("ada", scope).by_resource_server
    return str(tokens[seed.TIMERS_CLIENT_ID]["access_token"])


def test_check_26_dependent_tokens_come_as_an_array(timers, sign_in):
    token = timer_token(sign_in, f"{TIMER}[{TRANSFER_ALL}]")
    answer = timers.oauth2_get_dependent_tokens(token, refresh_tokens=True)
    (entry,) = answer.data
    assert entry["resource_server"] == TRANSFER
    assert entry["scope"] == TRANSFER_ALL
    assert entry["refresh_token"]
    with globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer(entry["access_token"])
    ) as client:
        assert client.task_list()["DATA_TYPE"] == "task_list"
    renewed = timers.oauth2_refresh_token(entry["refresh_token"])
    assert list(renewed.by_resource_server) == [TRANSFER]


def test_check_26_without_consent_there_are_no_dependent_tokens(timers, sign_in):
    token = timer_token(sign_in, TIMER)
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        timers.oauth2_get_dependent_tokens(token, scope=TRANSFER_ALL)
    assert caught.value.http_status == 403
    assert caught.value.raw_json == {
        "error": "dependent_consent_required",
        "errors": [{"unapproved_scopes": [TRANSFER_ALL]}],
    }
    sign_in("ada", f"{TIMER}[{TRANSFER_ALL}]")
    answer = timers.oauth2_get_dependent_tokens(token, scope=TRANSFER_ALL)
    assert list(answer.by_resource_server) == [TRANSFER], "consents are not in tokens"


def test_check_26_dependent_tokens_go_down_the_tree(timers, sign_in):
    token = timer_token(sign_in, f"{TIMER}[{TRANSFER_ALL}[*{DATA_ACCESS}]]")
    entry = timers.oauth2_get_dependent_tokens(token).by_resource_server[TRANSFER]
    with globus_sdk.ConfidentialAppAuthClient(
        seed.TRANSFER_CLIENT_ID, seed.TRANSFER_CLIENT_SECRET
    ) as transfer:
        below = transfer.oauth2_get_dependent_tokens(entry["access_token"])
    assert [one["scope"] for one in below.data] == [DATA_ACCESS]
    assert [one["resource_server"] for one in below.data] == [seed.TUTORIAL_1]


def test_check_26_the_lifetime_of_dependent_tokens_is_a_knob(sandbox, timers, sign_in):
    sandbox.set(dependent_token_seconds=120)
    token = timer_token(sign_in, f"{TIMER}[{TRANSFER_ALL}]")
    (entry,) = timers.oauth2_get_dependent_tokens(token).data
    assert entry["expires_in"] == 120


def test_check_29_identities_by_id_and_username(sign_in, auth_as, portal_app):
    client = auth_as(sign_in("ada", "openid"))
    nobody = "5eed0000-0000-4000-8000-00000000dead"
    ids = [seed.ADA_ID, nobody, seed.HARVEST_CLIENT_ID]
    by_id = list(client.get_identities(ids=ids))
    assert {one["id"] for one in by_id} == {seed.ADA_ID, seed.HARVEST_CLIENT_ID}
    same = portal_app.get("/v2/api/identities", query_params={"ids": ",".join(ids)})
    assert same["identities"] == by_id
    (grace,) = client.get_identities(usernames=[seed.GRACE, "no@nowhere.example"])
    assert set(grace) >= {
        *("id", "username", "name", "email", "organization"),
        *("identity_provider", "identity_type", "status"),
    }
    new = "visitor@lab.example"
    assert not list(client.get_identities(usernames=[new]))
    (made,) = client.get_identities(usernames=[new], provision=True)
    (again,) = client.get_identities(usernames=[new])
    assert (made["id"], made["status"]) == (again["id"], "unused")
    names = globus_sdk.IdentityMap(client, [seed.ADA_ID, new])
    assert (names[seed.ADA_ID]["username"], names[new]["id"]) == (seed.ADA, made["id"])


@pytest.mark.parametrize("query", ["", "ids=a&usernames=b", "ids=", "usernames="])
def test_an_identities_lookup_names_one_kind(sandbox, query):
    answer = requests.get(
        f"{sandbox.url}/auth/v2/api/identities?{query}",
        auth=(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET),
        timeout=30,
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "INVALID_PARAMETERS"


def test_check_30_the_consents_are_a_forest_with_paths(sign_in, auth_as):
    client = auth_as(sign_in("ada", f"openid {data_access_scope(seed.TUTORIAL_1)}"))
    forest = client.get_consents(seed.ADA_ID).to_forest()
    named = {node.scope_name: node for node in forest.nodes}
    root, leaf = named[TRANSFER_ALL], named[DATA_ACCESS]
    assert root.dependency_path == [root.id]
    assert leaf.dependency_path == [root.id, leaf.id]
    assert str(root.client) == seed.PORTAL_CLIENT_ID
    assert str(leaf.client) == seed.TRANSFER_CLIENT_ID
    assert (root.atomically_revocable, leaf.atomically_revocable) == (False, True)
    assert str(root.scope) == "89ecabba-4acf-4e2e-a98d-ce592ccc2818"
    assert forest.meets_scope_requirements(
        Scope.parse(data_access_scope(seed.TUTORIAL_1))
    )
    assert not forest.meets_scope_requirements(f"{TIMER}[{TRANSFER_ALL}]")


def test_check_30_another_clients_trees_need_the_scope_to_see_them(
    sandbox, sign_in, auth_as
):
    with globus_sdk.NativeAppAuthClient(seed.NATIVE_CLIENT_ID) as native:
        native.oauth2_start_flow(TIMER)
        sandbox.approve(native.oauth2_get_authorize_url(), "ada")
    view = f"urn:globus:auth:scope:{AUTH}:view_consents"
    some = auth_as(sign_in("ada", "openid"))
    clients = {one["client"] for one in some.get_consents(seed.ADA_ID)}
    assert clients == {seed.PORTAL_CLIENT_ID}
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        some.get_consents(seed.ADA_ID, all=True)
    assert (caught.value.http_status, caught.value.code) == (403, "FORBIDDEN")
    every = auth_as(sign_in("ada", f"openid {view}"))
    clients = {one["client"] for one in every.get_consents(seed.ADA_ID, all=True)}
    assert clients == {seed.PORTAL_CLIENT_ID, seed.NATIVE_CLIENT_ID}


def test_check_30_nobody_sees_another_ones_consents(sign_in, auth_as):
    client = auth_as(sign_in("ada", "openid"))
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        client.get_consents(seed.GRACE_ID)
    assert caught.value.http_status == 403


@pytest.mark.parametrize(
    ("star", "left"), [("*", {"openid", TRANSFER_ALL}), ("", {"openid"})]
)
def test_check_30_an_optional_consent_goes_alone(sandbox, sign_in, auth_as, star, left):
    client = auth_as(sign_in("ada", f"openid {TRANSFER_ALL}[{star}{DATA_ACCESS}]"))
    sandbox.withdraw_consents(scope_name=DATA_ACCESS)
    names = {one["scope_name"] for one in client.get_consents(seed.ADA_ID)}
    assert names == left


@pytest.mark.parametrize(("revokes", "is_active"), [(False, True), (True, False)])
def test_a_withdrawn_consent_may_end_its_tokens(
    sandbox, sign_in, portal_app, revokes, is_active
):
    sandbox.set(withdrawal_revokes_tokens=revokes)
    tokens = sign_in("ada", f"openid {TRANSFER_ALL}").by_resource_server
    sandbox.withdraw_consents(scope_name=TRANSFER_ALL)

    def active(server) -> bool:
        text = tokens[server]["access_token"]
        return bool(portal_app.oauth2_token_introspect(text)["active"])

    assert active(TRANSFER) is is_active
    assert active(AUTH)


def test_check_16_a_raw_scope_is_recorded_as_a_tree(sandbox, sign_in, auth_as):
    """Sent as it stands, with no library that would escape it."""
    scope = data_access_scope(seed.TUTORIAL_1, seed.TUTORIAL_2).replace(" ", "+")
    wire = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=30)
    wire.request(
        "POST",
        f"/auth/v2/oauth2/authorize?client_id={seed.PORTAL_CLIENT_ID}"
        f"&redirect_uri={seed.PORTAL_REDIRECT_URI}&response_type=code&scope={scope}",
        body=urlencode({"identity": seed.ADA_ID, "decision": "allow"}),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert wire.getresponse().status == 302
    wire.close()
    forest = auth_as(sign_in("ada", "openid")).get_consents(seed.ADA_ID).to_forest()
    assert forest.meets_scope_requirements(
        Scope.parse(data_access_scope(seed.TUTORIAL_1, seed.TUTORIAL_2))
    )


def test_check_32_a_user_app_reuses_its_tokens(sandbox, tmp_path):
    """A command-line app: the person copies the code from the page."""
    from globus_sdk.login_flows import CommandLineLoginFlowManager

    class Approving(CommandLineLoginFlowManager):
        def print_authorize_url(self, authorize_url: str) -> None:
            self.code = sandbox.code(authorize_url, "ada")

        def prompt_for_code(self):
            return self.code

    for _ in range(2):
        config = globus_sdk.GlobusAppConfig(
            token_storage=JSONTokenStorage(tmp_path / "tokens.json"),
            login_flow_manager=Approving,
            request_refresh_tokens=True,
        )
        with (
            globus_sdk.UserApp(
                "app", client_id=seed.NATIVE_CLIENT_ID, config=config
            ) as app,
            globus_sdk.TransferClient(app=app) as client,
        ):
            client.add_app_data_access_scope(seed.TUTORIAL_1)
            client.operation_ls(seed.TUTORIAL_1, path="/share/")
            client.task_list()
    assert len(sandbox.requests("/oauth2/token")) == 1
    assert len(sandbox.requests("/consents")) >= 1, "it checks the dependent consents"


def test_a_refresh_token_dies_after_six_months_without_use(sandbox, sign_in):
    first = sign_in("ada").by_resource_server[TRANSFER]["refresh_token"]

    def renew() -> int:
        return requests.post(
            f"{sandbox.url}/auth/v2/oauth2/token",
            data={"grant_type": "refresh_token", "refresh_token": first},
            auth=(seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET),
            timeout=30,
        ).status_code

    for _ in range(2):
        sandbox.advance(5 * MONTH)
        assert renew() == 200
    sandbox.advance(6 * MONTH + 1)
    assert renew() == 401


@pytest.mark.parametrize(("cascades", "is_active"), [(False, True), (True, False)])
def test_revoking_one_token_may_take_the_others_along(
    sandbox, sign_in, portal_app, cascades, is_active
):
    sandbox.set(revoke_cascades=cascades)
    tokens = sign_in("ada", f"openid {TRANSFER_ALL}").by_resource_server
    portal_app.oauth2_revoke_token(tokens[AUTH]["refresh_token"])
    access = tokens[TRANSFER]["access_token"]
    assert portal_app.oauth2_token_introspect(access)["active"] is is_active


def test_validate_tells_a_living_token_from_a_dead_one(sandbox, sign_in, portal_app):
    token = sign_in("ada").by_resource_server[TRANSFER]["refresh_token"]

    def is_active(app, text) -> bool:
        answer = app.post(
            "/v2/oauth2/token/validate", data={"token": text}, encoding="form"
        )
        return bool(answer["active"])

    assert is_active(portal_app, token)
    assert not is_active(portal_app, "unknown")
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as other:
        assert not is_active(other, token)
    portal_app.oauth2_revoke_token(token)
    assert not is_active(portal_app, token)


@pytest.mark.parametrize(
    ("scope", "is_known"),
    [
        (data_access_scope(seed.TUTORIAL_1), True),
        (data_access_scope(seed.SHARED), False),
        (data_access_scope(seed.LAPTOP), False),
        (data_access_scope(seed.CLINICAL), False),
        (f"https://auth.globus.org/scopes/{seed.TUTORIAL_1}/https", True),
        (f"https://auth.globus.org/scopes/{seed.SHARED}/https", True),
        (f"https://auth.globus.org/scopes/{seed.LAPTOP}/https", False),
        (f"https://auth.globus.org/scopes/{seed.GROUP_USERS}/https", False),
        (f"urn:globus:auth:scope:{seed.TUTORIAL_ENDPOINT}:manage_collections", True),
        (f"urn:globus:auth:scope:{seed.TUTORIAL_1}:manage_collections", False),
        (f"openid {TRANSFER_ALL}[nonsense]", False),
        ("[" * 500, False),
        ("openid" + "[openid" * 500 + "]" * 500, False),
    ],
)
def test_unknown_scopes_are_a_page_and_an_invalid_scope(sandbox, scope, is_known):
    shown = requests.get(authorize_url(sandbox, scope=scope), timeout=30)
    assert shown.status_code == (200 if is_known else 400)
    assert ("OAUTH_AUTH_REQUEST_FAILURE" in shown.text) is not is_known
    granted = requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data={"grant_type": "client_credentials", "scope": scope},
        auth=(seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET),
        timeout=30,
    )
    assert granted.status_code == (200 if is_known else 400)
    assert is_known or granted.json()["error"] == "invalid_scope"


def test_an_app_registers_an_instance_of_itself(sandbox):
    with globus_sdk.NativeAppAuthClient(seed.NATIVE_CLIENT_ID) as native:
        made = native.create_native_app_instance(seed.NATIVE_CLIENT_ID, "On my laptop")
    assert made.http_status == 201
    credential = made["included"]["client_credential"]
    assert made["client"]["parent_client"] == seed.NATIVE_CLIENT_ID
    assert credential["client"] == made["client"]["id"]
    with globus_sdk.ConfidentialAppAuthClient(
        credential["client"], credential["secret"]
    ) as app:
        tokens = app.oauth2_client_credentials_tokens("openid profile")
        userinfo = app.oauth2_token_introspect(tokens["access_token"])
        assert userinfo["username"] == f"{app.client_id}@clients.auth.globus.org"
        gone = app.delete(f"/v2/api/clients/{app.client_id}")
        assert gone["client"]["id"] == app.client_id
        with pytest.raises(globus_sdk.AuthAPIError):
            app.oauth2_client_credentials_tokens("openid")


def test_a_client_deletes_only_itself(portal_app):
    for client_id in (seed.PORTAL_CLIENT_ID, seed.HARVEST_CLIENT_ID):
        with pytest.raises(globus_sdk.AuthAPIError) as caught:
            portal_app.delete(f"/v2/api/clients/{client_id}")
        assert caught.value.http_status == 403


def test_logout_leads_back_by_a_link(sandbox):
    def page(uri) -> str:
        return requests.get(
            f"{sandbox.url}/auth/v2/web/logout",
            params={
                "client": seed.PORTAL_CLIENT_ID,
                "redirect_uri": uri,
                "redirect_name": "The <portal>",
            },
            timeout=30,
        ).text

    shown = page("http://localhost:8000/")
    assert 'href="http://localhost:8000/"' in shown
    assert "Continue to The &lt;portal&gt;" in shown
    for hostile in ("javascript:alert(1)", "//evil.example", "data:text/html,x", "["):
        assert "Continue to" not in page(hostile)
