"""Check 66: every kind of token, good and bad, at every service."""

import globus_sdk
import pytest
import requests

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL

GROUPS_ALL = "urn:globus:auth:scope:groups.api.globus.org:all"
TIMER = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer"
HTTPS = f"https://auth.globus.org/scopes/{seed.RESEARCH}/https"
EVERYTHING = f"openid {TRANSFER_ALL} {GROUPS_ALL} {TIMER}[{TRANSFER_ALL}] {HTTPS}"
DAY = 86_400

#: service -> resource server, a route, and what a bad token gets: status and code
SERVICES: dict[str, tuple[str, str, str]] = {
    "transfer": (
        "transfer.api.globus.org",
        "/transfer/v0.10/task_list",
        "ClientError.AuthenticationFailed",
    ),
    "auth": ("auth.globus.org", "/auth/v2/oauth2/userinfo", "UNAUTHORIZED"),
    "groups": (
        "groups.api.globus.org",
        "/groups/v2/groups/my_groups",
        "UNAUTHORIZED",
    ),
    "timers": (seed.TIMERS_CLIENT_ID, "/timer/jobs/", "UNAUTHORIZED"),
    "https": (
        seed.RESEARCH,
        f"/https/{seed.RESEARCH}/home/ada/notes.txt",
        "AuthenticationFailed",
    ),
}


class Tokens:
    """Ada's tokens for all services, and what can be done to them."""

    def __init__(self, sandbox, portal_app, answer) -> None:
        self.sandbox = sandbox
        self.app = portal_app
        self.entries = answer.by_resource_server
        self.id_token = str(answer["id_token"])

    def access(self, server) -> str:
        return str(self.entries[server]["access_token"])

    def refresh(self, server) -> str:
        return str(self.entries[server]["refresh_token"])

    def refreshed(self, server) -> str:
        answer = self.app.oauth2_refresh_token(self.refresh(server))
        return str(answer.by_resource_server[server]["access_token"])


@pytest.fixture
def tokens(sandbox, portal_app, sign_in):
    return Tokens(sandbox, portal_app, sign_in("ada", EVERYTHING))


def ask(sandbox, service, token) -> requests.Response:
    return requests.get(
        f"{sandbox.url}{SERVICES[service][1]}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
        allow_redirects=False,
    )


def code_of(answer) -> str:
    document = answer.json()
    holder = document.get("errors", [document.get("error")])[0] or document
    return str((holder if isinstance(holder, dict) else document)["code"])


def expired(held, server):
    held.sandbox.advance(2 * DAY + 1)
    return held.access(server)


def expired_at_once(held, server):
    held.sandbox.expire_access_tokens()
    return held.access(server)


def revoked(held, server):
    held.app.oauth2_revoke_token(held.access(server))
    return held.access(server)


def wiped(held, server):
    held.sandbox.wipe_tokens(kind="access")
    return held.access(server)


def refresh_token(held, server):
    return held.refresh(server)


def for_another_server(held, server):
    return held.access(
        "groups.api.globus.org" if "transfer" in server else "transfer.api.globus.org"
    )


def dependent_for_another_server(held, server):
    """What Timers get for Transfer is for Transfer alone."""
    with globus_sdk.ConfidentialAppAuthClient(
        seed.TIMERS_CLIENT_ID, seed.TIMERS_CLIENT_SECRET
    ) as timers:
        (entry,) = timers.oauth2_get_dependent_tokens(
            held.access(seed.TIMERS_CLIENT_ID)
        ).data
    if "transfer" in server:
        # It is good there, until it is taken back.
        assert ask(held.sandbox, "transfer", entry["access_token"]).ok
        with globus_sdk.ConfidentialAppAuthClient(
            seed.TIMERS_CLIENT_ID, seed.TIMERS_CLIENT_SECRET
        ) as timers:
            timers.oauth2_revoke_token(entry["access_token"])
    return str(entry["access_token"])


def of_a_client_for_another_server(held, server):
    scope = GROUPS_ALL if "transfer" in server else TRANSFER_ALL
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as harvest:
        answer = harvest.oauth2_client_credentials_tokens(scope)
    return str(answer["access_token"])


def id_token(held, server):
    return held.id_token


def unknown(held, server):
    return "AgUnknown"


def empty(held, server):
    return ""


BAD = [
    expired,
    expired_at_once,
    revoked,
    wiped,
    refresh_token,
    for_another_server,
    dependent_for_another_server,
    of_a_client_for_another_server,
    id_token,
    unknown,
    empty,
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", BAD, ids=lambda kind: kind.__name__)
def test_check_66_a_token_that_is_no_good(sandbox, tokens, service, kind):
    server, _, code = SERVICES[service]
    assert ask(sandbox, service, tokens.access(server)).ok, "before"
    answer = ask(sandbox, service, kind(tokens, server))
    if service == "https" and kind is empty:
        assert answer.is_redirect, "who shows nothing may be a browser"
        return
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/json"
    assert code_of(answer) == code


@pytest.mark.parametrize("service", SERVICES)
def test_check_66_an_access_token_that_was_refreshed_is_good(sandbox, tokens, service):
    server = SERVICES[service][0]
    sandbox.expire_access_tokens()
    assert ask(sandbox, service, tokens.access(server)).status_code == 401
    assert ask(sandbox, service, tokens.refreshed(server)).ok


def test_check_66_a_client_s_own_token_is_good(sandbox):
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as harvest:
        answer = harvest.oauth2_client_credentials_tokens(TRANSFER_ALL)
    assert ask(sandbox, "transfer", answer["access_token"]).ok
    sandbox.advance(2 * DAY + 1)
    assert ask(sandbox, "transfer", answer["access_token"]).status_code == 401


def test_check_66_refresh_tokens_that_are_no_good(sandbox, tokens):
    """Rotated, revoked, another client's, and an access token in their place."""
    server = "transfer.api.globus.org"

    def refused(token, app=tokens.app) -> bool:
        with pytest.raises(globus_sdk.AuthAPIError) as caught:
            app.oauth2_refresh_token(token)
        return caught.value.raw_json == {"error": "invalid_grant"}

    assert refused(tokens.access(server))
    assert refused("Ag1RUnknown")
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as harvest:
        assert refused(tokens.refresh(server), harvest)
    sandbox.set(rotate_refresh_tokens=True)
    new = tokens.app.oauth2_refresh_token(tokens.refresh(server))["refresh_token"]
    assert refused(tokens.refresh(server)), "it was rotated"
    newest = tokens.app.oauth2_refresh_token(new)["refresh_token"]
    tokens.app.oauth2_revoke_token(newest)
    assert refused(newest), "it was revoked"
    sandbox.advance(181 * DAY)
    assert refused(tokens.refresh("groups.api.globus.org")), "nobody used it"
