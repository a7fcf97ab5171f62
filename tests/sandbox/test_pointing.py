"""Section 9, checks 1 to 5, 65 and 66: where clients go, and the shapes they get."""

import socket
import subprocess
import sys

import globus_sdk
import pytest
import requests

from sandbox import seed
from sandbox.testing import REPOSITORY, Sandbox
from tests.sandbox.conftest import TRANSFER_ALL


def test_check_01_clients_reach_the_sandbox_by_environment(sandbox, sign_in):
    scopes = (
        f"openid {TRANSFER_ALL} urn:globus:auth:scope:groups.api.globus.org:"
        "view_my_groups_and_memberships"
    )
    tokens = sign_in("ada", scopes).by_resource_server
    sandbox.forget_requests()

    def authorizer(server) -> globus_sdk.AccessTokenAuthorizer:
        return globus_sdk.AccessTokenAuthorizer(tokens[server]["access_token"])

    with globus_sdk.AuthClient(authorizer=authorizer("auth.globus.org")) as auth:
        assert auth.userinfo().http_status == 200
    with globus_sdk.TransferClient(
        authorizer=authorizer("transfer.api.globus.org")
    ) as transfer:
        assert transfer.task_list().http_status == 200
    with globus_sdk.GroupsClient(
        authorizer=authorizer("groups.api.globus.org")
    ) as groups:
        assert groups.get_my_groups().http_status == 200

    assert [one["path"] for one in sandbox.requests()] == [
        "/auth/v2/oauth2/userinfo",
        "/transfer/v0.10/task_list",
        "/groups/v2/groups/my_groups",
    ]


def test_check_02_a_service_that_is_not_pointed_at_refuses_to_start(sandbox):
    with pytest.raises(ValueError, match="Unrecognized environment"):
        globus_sdk.SearchClient()


def test_check_03_a_base_url_beats_the_environment(sandbox, monkeypatch):
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", "http://127.0.0.1:9/")
    with (
        globus_sdk.TransferClient(
            base_url=f"{sandbox.url}/transfer/",
            authorizer=globus_sdk.AccessTokenAuthorizer("x"),
        ) as client,
        pytest.raises(globus_sdk.TransferAPIError) as caught,
    ):
        client.task_list()
    assert caught.value.http_status == 401


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_check_04_discovery(sandbox, slashes):
    answer = requests.get(
        f"{sandbox.url}/auth{slashes}.well-known/openid-configuration", timeout=30
    )
    document = answer.json()
    assert document["issuer"] == f"{sandbox.url}/auth"
    assert document["token_endpoint"] == f"{sandbox.url}/auth/v2/oauth2/token"
    assert document["id_token_signing_alg_values_supported"] == ["RS512"]
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic"]
    assert "introspection_endpoint" not in document
    assert "end_session_endpoint" not in document


def test_check_05_one_key_that_survives_a_restart(tmp_path):
    keys = []
    for _ in range(2):
        sandbox = Sandbox.start(tmp_path)
        keys.append(requests.get(f"{sandbox.url}/auth/jwk.json", timeout=30).json())
        sandbox.stop()
    (key,) = keys[0]["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS512", "sig")
    assert "kid" not in key
    assert len(key["n"]) >= 342  # 2048 bits in base64url
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    "path",
    [
        "/auth/v2/oauth2/userinfo",
        "/auth/v2/nothing",
        "/transfer/v0.10/task_list",
        "/transfer/v0.10/nothing",
        "/groups/v2/groups/my_groups",
        "/timer/jobs/",
        "/nothing",
    ],
)
def test_check_65_errors_are_json(sandbox, path):
    answer = requests.get(f"{sandbox.url}{path}", timeout=30)
    assert answer.status_code >= 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()
    if path.startswith("/transfer"):
        assert len(answer.json()["request_id"]) == 9


def test_check_66_tokens_that_are_not_for_the_service(sandbox, sign_in):
    tokens = sign_in("ada", f"openid {TRANSFER_ALL}").by_resource_server
    transfer = tokens["transfer.api.globus.org"]["access_token"]
    auth = tokens["auth.globus.org"]["access_token"]

    def ask(path, token) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{sandbox.url}{path}", headers=headers, timeout=30)

    for token in (auth, "unknown"):
        answer = ask("/transfer/v0.10/task_list", token)
        assert answer.status_code == 401
        assert answer.json()["code"] == "ClientError.AuthenticationFailed"
    for token in (transfer, "unknown"):
        answer = ask("/auth/v2/oauth2/userinfo", token)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
    sandbox.advance(172_801)
    assert ask("/transfer/v0.10/task_list", transfer).status_code == 401


def test_a_port_in_use_is_one_sentence(sandbox):
    port = sandbox.url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", port],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"Port {port} is in use" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_foreign_host_name_is_refused(sandbox):
    answer = requests.get(
        f"{sandbox.url}/_sandbox/knobs", headers={"Host": "evil.example"}, timeout=30
    )
    assert answer.status_code == 400


def test_a_form_of_a_web_page_cannot_turn_knobs(sandbox):
    answer = requests.post(
        f"{sandbox.url}/_sandbox/knobs",
        data='{"hold_tasks": true}',
        headers={"Content-Type": "text/plain"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert sandbox.knobs()["hold_tasks"] is False


@pytest.mark.parametrize("path", ["/", "/_sandbox/"])
def test_the_index_says_that_this_is_not_globus(sandbox, path):
    answer = requests.get(f"{sandbox.url}{path}", timeout=30)
    assert "This is not Globus" in answer.text
    assert seed.ADA in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text


def test_an_empty_sandbox_offers_no_credentials(tmp_path):
    """Also when a directory that was made empty is opened as a demo, and back."""
    names = {"GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"}
    for asked in ("none", "demo"):
        empty = Sandbox.start(tmp_path, seed=asked)
        try:
            assert not names & set(empty.environment)
            assert "GLOBUS_SDK_SERVICE_URL_TIMER" in empty.environment
            assert (
                seed.HARVEST_CLIENT_ID not in requests.get(empty.url, timeout=30).text
            )
        finally:
            empty.stop()


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/auth/nowhere",
        "/auth/jwk.json",
        "/transfer/v0.10/nowhere",
        "/groups/v2/nowhere",
        "/timer/nowhere",
        "/_sandbox/health",
        "/",
    ],
)
def test_an_answer_to_head_has_no_body(sandbox, path):
    """RFC 9110 section 9.3.2; what follows would be taken for the next answer."""
    port = int(sandbox.url.rpartition(":")[2])
    asked = f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(asked.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert body == b""
