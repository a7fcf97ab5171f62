"""Checks 65 and 68, and what bad input gets: a refusal in Globus's shape, never 500."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import globus_sdk
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import seed
from tests.guarded import GUARD
from tests.sandbox.cli import GUARDED
from tests.sandbox.conftest import TRANSFER_ALL

TIMER = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer"
GROUPS_ALL = "urn:globus:auth:scope:groups.api.globus.org:all"
ID = "00000000-0000-4000-8000-000000000000"
TRANSFER_ROUTES = [
    "endpoint_search",
    f"endpoint/{seed.LAPTOP}",
    f"endpoint/{seed.LAPTOP}/my_shared_endpoint_list",
    f"endpoint/{seed.LAPTOP}/shared_endpoint_list",
    f"endpoint/{seed.LAPTOP}/my_effective_pause_rule_list",
    f"endpoint/{seed.LAPTOP}/server_list",
    f"endpoint/{seed.LAPTOP}/server/1",
    f"endpoint/{seed.LAPTOP}/subscription",
    f"endpoint/{seed.SHARED}/access",
    f"endpoint/{seed.SHARED}/access_list",
    f"endpoint/{seed.SHARED}/access/{ID}",
    f"endpoint/{seed.LAPTOP}/role",
    f"endpoint/{seed.LAPTOP}/role_list",
    f"endpoint/{seed.LAPTOP}/role/{ID}",
    "shared_endpoint",
    "bookmark_list",
    "bookmark",
    f"bookmark/{ID}",
    f"operation/endpoint/{seed.LAPTOP}/ls",
    f"operation/endpoint/{seed.LAPTOP}/stat",
    f"operation/endpoint/{seed.LAPTOP}/mkdir",
    f"operation/endpoint/{seed.LAPTOP}/rename",
    f"operation/endpoint/{seed.LAPTOP}/symlink",
    "submission_id",
    "transfer",
    "delete",
    "task_list",
    f"task/{ID}",
    f"task/{ID}/cancel",
    f"task/{ID}/event_list",
    f"task/{ID}/successful_transfers",
    "endpoint_manager/monitored_endpoints",
    "endpoint_manager/task_list",
    f"endpoint_manager/task/{ID}",
    "endpoint_manager/admin_cancel",
    f"endpoint_manager/admin_cancel/{ID}",
    "endpoint_manager/admin_pause",
    "endpoint_manager/pause_rule",
    "endpoint_manager/pause_rule_list",
    f"endpoint_manager/pause_rule/{ID}",
    "no/such/route",
]
ROUTES = [
    *(f"transfer/v0.10/{one}" for one in TRANSFER_ROUTES),
    "groups/v2/groups",
    "groups/v2/groups/my_groups",
    f"groups/v2/groups/{seed.GROUP_GENOMICS}",
    f"groups/v2/groups/{seed.GROUP_GENOMICS}/policies",
    f"groups/v2/groups/{seed.GROUP_GENOMICS}/membership_fields",
    "groups/v2/preferences",
    "timer/v2/timer",
    "timer/jobs/",
    f"timer/jobs/{ID}",
    f"timer/jobs/{ID}/pause",
    f"https/{seed.RESEARCH}/home/ada/x",
]
NAMES = [
    *("DATA", "DATA_TYPE", "path", "old_path", "new_path", "source_path"),
    *("destination_path", "submission_id", "source_endpoint", "endpoint"),
    *("destination_endpoint", "label", "deadline", "sync_level", "filter_rules"),
    *("name", "principal", "principal_type", "permissions", "role", "message"),
    *("endpoint_id", "identity_id", "start_time", "task_id_list", "timer", "body"),
    *("schedule", "timer_type", "interval_seconds", "type", "add", "remove"),
    *("host_endpoint", "host_path", "display_name", "symlink_target", "recursive"),
    *("expiration_date", "public", "description", "parent_id", "statuses"),
]
NASTY = st.sampled_from(
    [
        *("", "\0", "..", "/../..", "/~/x", "\ud800", "x" * 5000, "~", "null", "-1"),
        *(seed.LAPTOP, seed.SHARED, "9999999999999999999999", "r", "identity"),
        *("/Documents/", "transfer_item", "1e400", "9999-12-31", "0001-01-01", "%00"),
        *("name:~[", "size:>x", "last_modified:a,b", "status:", "a:b/c", "name DESC"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | NASTY,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            *("path", "filter", "limit", "offset", "orderby", "fields", "marker"),
            *("filter_scope", "filter_fulltext", "filter_status", "last_key"),
            *("filter_task_id", "filter_completion_time", "next_token", "include"),
            *("show_hidden", "statuses", "order", "filter_endpoint", "max_results"),
            *("filter_min_faults", "filter_owner_id", "local_user", "filter_name"),
        ]
    ),
    NASTY,
    max_size=3,
)


@pytest.fixture
def tokens(sign_in):
    https = f"https://auth.globus.org/scopes/{seed.RESEARCH}/https"
    wanted = f"{TRANSFER_ALL} {GROUPS_ALL} {TIMER}[{TRANSFER_ALL}] {https}"
    found = sign_in("ada", wanted).by_resource_server
    names = {
        "transfer": "transfer.api.globus.org",
        "groups": "groups.api.globus.org",
        "timer": "524230d7-ea86-4a52-8312-86065a9e0417",
        "https": seed.RESEARCH,
    }
    return {one: found[server]["access_token"] for one, server in names.items()}


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    route=st.sampled_from(ROUTES),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    query=QUERIES,
    body=st.one_of(
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6).map(json.dumps),
        st.sampled_from(["", "{", "[]", "null", "\0", '{"DATA": [{}]}', "[" * 3000]),
    ),
)
def test_no_request_is_an_error_of_the_server(
    sandbox, tokens, route, method, query, body
):
    answer = requests.request(
        method,
        f"{sandbox.url}/{route}",
        params={
            name: value.encode("utf-8", "replace") for name, value in query.items()
        },
        data=body.encode(),
        headers={"Authorization": f"Bearer {tokens[route.partition('/')[0]]}"},
        timeout=60,
        allow_redirects=False,
    )
    assert answer.status_code not in (500, 501), answer.text
    if route.startswith("https/") and answer.ok:
        return
    assert answer.headers["Content-Type"] == "application/json"
    if route.startswith("transfer/"):
        assert len(answer.json()["request_id"]) == 9


def test_check_65_errors_are_json_too(sandbox, transfer_as):
    for path in ("transfer/v0.10/task_list", "groups/v2/groups/my_groups", "nowhere"):
        answer = requests.get(f"{sandbox.url}/{path}", timeout=30)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.status_code in (401, 404)


def test_an_unexpected_request_is_logged_with_its_route(sandbox, transfer_as):
    client = transfer_as("ada")
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.get("/v0.10/endpoint_of_tomorrow/7", query_params={"deep": "yes"})
    assert (caught.value.http_status, caught.value.code) == (
        404,
        "ClientError.NotFound",
    )
    (logged,) = [one for one in sandbox.requests() if one["is_unexpected"]]
    assert logged["path"] == "/transfer/v0.10/endpoint_of_tomorrow/7"
    assert logged["query"] == "deep=yes"


@pytest.mark.parametrize(
    ("service", "path", "status"),
    [
        ("transfer", "/transfer/v0.10/no/such/route", 404),
        ("groups", "/groups/v2/no/such/route", 404),
        ("timer", "/timer/no/such/route", 404),
        ("auth", "/auth/v2/api/projects", 404),
        ("auth", "/auth/no/such/route", 404),
        ("auth", "/auth/v2/oauth2/userinfo", 405),
        ("none", "/nowhere/at/all", 404),
    ],
)
def test_an_unexpected_request_of_any_service(sandbox, sign_in, service, path, status):
    """It has the service's own shape, and the log has its method and whole route."""
    wanted = f"openid {TRANSFER_ALL} {GROUPS_ALL} {TIMER}[{TRANSFER_ALL}]"
    found = sign_in("ada", wanted).by_resource_server
    server = {
        "transfer": "transfer.api.globus.org",
        "groups": "groups.api.globus.org",
        "timer": seed.TIMERS_CLIENT_ID,
    }.get(service, "auth.globus.org")
    answer = requests.put(
        f"{sandbox.url}{path}?why=not&why=so",
        headers={"Authorization": f"Bearer {found[server]['access_token']}"},
        json={},
        timeout=30,
    )
    assert answer.status_code == status
    document = answer.json()
    assert {"code", "error", "errors"} & set(document)
    (logged,) = [one for one in sandbox.requests() if one["is_unexpected"]]
    assert (logged["method"], logged["path"]) == ("PUT", path)
    assert logged["query"] == "why=not&why=so"


@pytest.mark.parametrize("port", [80, 443])
def test_check_68_nothing_leaves_the_sandbox(no_egress, port):
    with socket.socket() as one, pytest.raises(no_egress):
        one.connect(("203.0.113.7", port))


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket().connect(('203.0.113.7', 443))",
        "socket.getaddrinfo('auth.globus.org', 443)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.7', 53))",
    ],
)
def test_check_68_nor_does_a_program_that_a_test_starts(tmp_path, attempt):
    """The sandbox itself, the globus command and the documentation's scripts."""
    program = tmp_path / "program.py"
    program.write_text(f"import socket\n{attempt}\n")
    done = subprocess.run(
        [sys.executable, GUARD, program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "LeftTheMachine" in done.stderr


def test_check_68_the_programs_of_the_tests_are_guarded(running_sandbox):
    health = requests.get(f"{running_sandbox.url}/_sandbox/health", timeout=30).json()
    command = Path(f"/proc/{health['pid']}/cmdline").read_bytes().split(b"\0")
    assert GUARD.encode() in command
    assert GUARD in GUARDED


def test_check_68_every_address_handed_out_is_the_sandbox(sandbox, transfer_as):
    for name, value in sandbox.environment.items():
        if "SERVICE_URL" in name:
            assert value.startswith(sandbox.url), name
    base = f"{sandbox.url}/auth/.well-known/openid-configuration"
    discovery = requests.get(base, timeout=30).json()
    for name, value in discovery.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(sandbox.url), name
    document = transfer_as("ada").get_endpoint(seed.RESEARCH)
    assert document["https_server"].startswith(sandbox.url)
