"""What the sandbox keeps in memory takes effect at once when it changes.

Each test lists first with many server threads at a time, so that each of them has its
own answers in memory, and then again after the change.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import globus_sdk
import pytest
import requests

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope

THREADS = 8
GROUPS_ALL = "urn:globus:auth:scope:groups.api.globus.org:all"

Ask = Callable[..., set[int]]


@pytest.fixture
def everywhere(sandbox) -> Ask:
    """``everywhere(token, collection, path)``: the statuses of many listings."""

    def listed(token: str, collection: str, path: str = "/") -> set[int]:
        # A listing takes so long that each of them needs a thread of its own.
        sandbox.latency("/ls", 0.05)
        start = threading.Barrier(THREADS)

        def ask(number: int) -> int:
            start.wait(60)
            answer = requests.get(
                f"{sandbox.url}/transfer/v0.10/operation/endpoint/{collection}/ls",
                params={"path": path},
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            return answer.status_code

        with ThreadPoolExecutor(THREADS) as pool:
            return set(pool.map(ask, range(THREADS)))

    return listed


@pytest.fixture
def token_of(sign_in) -> Callable[..., str]:
    def token(username: str, scopes: str = TRANSFER_ALL) -> str:
        answer = sign_in(username, scopes).by_resource_server
        return str(answer["transfer.api.globus.org"]["access_token"])

    return token


def test_wiped_tokens_are_gone(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.wipe_tokens()
    assert everywhere(token, seed.SHARED) == {401}


def test_an_expired_token_is_over(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.expire_access_tokens()
    assert everywhere(token, seed.SHARED) == {401}


def test_a_token_expires_by_the_clock(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.advance(sandbox.knobs()["access_token_seconds"] + 1)
    assert everywhere(token, seed.SHARED) == {401}


def test_a_revoked_token_is_gone(portal_app, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    portal_app.oauth2_revoke_token(token)
    assert everywhere(token, seed.SHARED) == {401}


def test_an_access_rule_counts_at_once(everywhere, token_of, transfer_as):
    token = token_of("mallory")
    assert everywhere(token, seed.SHARED) == {403}
    owner = transfer_as("grace")
    rule = {
        "DATA_TYPE": "access",
        "principal_type": "identity",
        "principal": seed.MALLORY_ID,
        "path": "/",
        "permissions": "r",
    }
    rule_id = owner.add_endpoint_acl_rule(seed.SHARED, rule)["access_id"]
    assert everywhere(token, seed.SHARED) == {200}
    owner.delete_endpoint_acl_rule(seed.SHARED, rule_id)
    assert everywhere(token, seed.SHARED) == {403}


def test_an_access_rule_expires_by_the_clock(
    sandbox, everywhere, token_of, transfer_as
):
    token = token_of("mallory")
    rule = {
        "DATA_TYPE": "access",
        "principal_type": "identity",
        "principal": seed.MALLORY_ID,
        "path": "/",
        "permissions": "r",
        "expiration_date": "2099-01-01T00:00:00+00:00",
    }
    transfer_as("grace").add_endpoint_acl_rule(seed.SHARED, rule)
    sandbox.set(access_token_seconds=10**10)
    token = token_of("mallory")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.set_clock("2099-01-01T00:00:01")
    assert everywhere(token, seed.SHARED) == {403}


def test_a_role_counts_at_once(sandbox, everywhere, token_of, transfer_as):
    """Whoever has one may know of a private collection, which is not to read it."""
    sandbox.set(private_collection_status=404)
    token = token_of("mallory")
    assert everywhere(token, seed.VAULT) == {404}
    owner = transfer_as("root")
    role = {"principal_type": "identity", "principal": seed.MALLORY_ID}
    made = owner.add_endpoint_role(seed.VAULT, role | {"role": "activity_monitor"})
    assert everywhere(token, seed.VAULT) == {403}
    owner.delete_endpoint_role(seed.VAULT, made["id"])
    assert everywhere(token, seed.VAULT) == {404}


def test_a_pause_rule_counts_at_once(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    rule = sandbox.pause(seed.RESEARCH, "The tape robot is stuck")
    assert everywhere(token, seed.SHARED) == {409}
    sandbox.resume(rule)
    assert everywhere(token, seed.SHARED) == {200}


@pytest.mark.parametrize(
    ("turned", "status"),
    [
        ({"connected": False}, 502),
        ({"paused": True}, 409),
        ({"denied_paths": ["/"]}, 403),
    ],
)
def test_a_collection_changes_at_once(sandbox, everywhere, token_of, turned, status):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.collection(seed.SHARED, **turned)
    assert everywhere(token, seed.SHARED) == {status}


def test_a_knob_counts_at_once(sandbox, everywhere, token_of):
    token = token_of("mallory")
    assert everywhere(token, seed.VAULT) == {403}
    sandbox.set(private_collection_status=404)
    assert everywhere(token, seed.VAULT) == {404}


def test_a_consent_counts_for_the_token_that_is_there(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.RESEARCH) == {403}
    token_of("ada", data_access_scope(seed.RESEARCH))
    assert everywhere(token, seed.RESEARCH) == {200}
    sandbox.withdraw_consents(username="ada@university.example")
    assert everywhere(token, seed.RESEARCH) == {403}


def test_who_leaves_a_group_may_no_more(sign_in, everywhere, token_of, transfer_as):
    rule = {
        "DATA_TYPE": "access",
        "principal_type": "group",
        "principal": seed.GROUP_TELESCOPE,
        "path": "/",
        "permissions": "r",
    }
    transfer_as("grace").add_endpoint_acl_rule(seed.SHARED, rule)
    token = token_of("mallory")
    assert everywhere(token, seed.SHARED) == {403}
    groups = sign_in("grace", GROUPS_ALL).by_resource_server["groups.api.globus.org"]
    authorizer = globus_sdk.AccessTokenAuthorizer(groups["access_token"])
    with globus_sdk.GroupsClient(authorizer=authorizer) as client:
        actions = globus_sdk.BatchMembershipActions()
        client.batch_membership_action(
            seed.GROUP_TELESCOPE, actions.add_members([seed.MALLORY_ID])
        )
        assert everywhere(token, seed.SHARED) == {200}
        actions = globus_sdk.BatchMembershipActions()
        client.batch_membership_action(
            seed.GROUP_TELESCOPE, actions.remove_members([seed.MALLORY_ID])
        )
    assert everywhere(token, seed.SHARED) == {403}


def test_a_sign_in_for_high_assurance_counts_at_once(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.CLINICAL) == {200}
    sandbox.advance(31 * 60)
    assert everywhere(token, seed.CLINICAL) == {403}


def test_a_refused_update_of_a_collection_leaves_nothing_behind(
    sandbox, everywhere, token_of, transfer_as
):
    """It fails half way through its keys; every other request sees the old ones."""
    sandbox.set(private_collection_status=404)
    owner, token = transfer_as("root"), token_of("mallory")
    assert everywhere(token, seed.VAULT) == {404}
    half_right = {"DATA_TYPE": "endpoint", "public": True, "force_verify": "maybe"}
    for _ in range(THREADS):
        with pytest.raises(globus_sdk.TransferAPIError):
            owner.update_endpoint(seed.VAULT, half_right)
    assert everywhere(token, seed.VAULT) == {404}


def test_another_process_writes(sandbox, data_folder, everywhere, token_of):
    """As a bench does, or somebody with the sqlite3 program."""
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    file = data_folder / "sandbox.sqlite3"
    with closing(sqlite3.connect(file, timeout=30)) as rows, rows:
        rows.execute("UPDATE sandbox_collection SET connected = 0")
    assert everywhere(token, seed.SHARED) == {502}


def test_a_reset_is_seen(sandbox, everywhere, token_of):
    token = token_of("ada")
    assert everywhere(token, seed.SHARED) == {200}
    sandbox.reset()
    assert everywhere(token, seed.SHARED) == {401}
