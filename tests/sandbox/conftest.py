"""A sandbox for the whole run, seeded anew for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import globus_sdk
import pytest

from sandbox import seed
from sandbox.testing import Sandbox
from tests.guarded import GUARDED_SANDBOX

TRANSFER_ALL = "urn:globus:auth:scope:transfer.api.globus.org:all"
GROUPS_VIEW = (
    "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="session")
def running_sandbox(data_folder: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox.start(data_folder, program=GUARDED_SANDBOX)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(
    running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """The sandbox in its seeded state; SDK clients of this process find it."""
    running_sandbox.reset()
    for name, value in running_sandbox.environment.items():
        monkeypatch.setenv(name, value)
    yield running_sandbox
    running_sandbox.clear_faults()


@pytest.fixture
def portal_app(sandbox: Sandbox) -> Iterator[globus_sdk.ConfidentialAppAuthClient]:
    client = globus_sdk.ConfidentialAppAuthClient(
        seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET
    )
    yield client
    client.close()


@pytest.fixture
def sign_in(
    sandbox: Sandbox, portal_app: globus_sdk.ConfidentialAppAuthClient
) -> Callable[..., globus_sdk.OAuthTokenResponse]:
    """``sign_in("ada", scopes)``: the whole code flow through the portal's client."""

    def signed_in(
        username: str, scopes: str = TRANSFER_ALL, *, offline: bool = True
    ) -> globus_sdk.OAuthTokenResponse:
        portal_app.oauth2_start_flow(
            seed.PORTAL_REDIRECT_URI, scopes, refresh_tokens=offline
        )
        code = sandbox.code(portal_app.oauth2_get_authorize_url(), username)
        return portal_app.oauth2_exchange_code_for_tokens(code)

    return signed_in


@pytest.fixture
def transfer_as(
    sign_in: Callable[..., globus_sdk.OAuthTokenResponse],
) -> Iterator[Callable[..., globus_sdk.TransferClient]]:
    """``transfer_as("ada", collection, …)``: with data_access to these collections."""
    clients: list[globus_sdk.TransferClient] = []

    def client_for(username: str, *collections: str) -> globus_sdk.TransferClient:
        tokens = sign_in(username, data_access_scope(*collections))
        secret = tokens.by_resource_server["transfer.api.globus.org"]["access_token"]
        client = globus_sdk.TransferClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(secret)
        )
        clients.append(client)
        return client

    yield client_for
    for client in clients:
        client.close()


def data_access_scope(*collections: str) -> str:
    """``transfer:all`` with the optional data_access scopes of these collections."""
    parts = " ".join(
        f"*https://auth.globus.org/scopes/{one}/data_access" for one in collections
    )
    return f"{TRANSFER_ALL}[{parts}]" if parts else TRANSFER_ALL
