"""Turns a principal into SDK clients. Nothing else makes one."""

import time

from django.db import connection
from globus_sdk import (
    AccessTokenAuthorizer,
    AuthClient,
    GroupsClient,
    TimersClient,
    TransferClient,
)
from globus_sdk.authorizers import GlobusAuthorizer

from accounts import tokens
from accounts.models import Principal
from accounts.secret import Secret
from portal.globus import scopes
from portal.globus.budget import wait_for_turn
from portal.globus.transport import (
    PAGE,
    WORKER,
    Patience,
    retry_config,
    shared_transport,
)

#: How long one client goes on with a token before it looks at the row again: a
#: revocation takes effect within this time.
LOOK_AGAIN_SECONDS = 60


class VaultAuthorizer(GlobusAuthorizer):
    """Brings a principal's token to one SDK client; made anew for each client."""

    def __init__(
        self,
        principal: Principal,
        resource_server: str,
        *,
        scope: str = "",
        counted: Patience | None = None,
    ) -> None:
        """
        :param scope: one that the token must have
        :param counted: requests are counted, and wait as patiently as this
        """
        self._principal = principal
        self._counted = counted
        self._resource_server = resource_server
        self._scope = scope
        self._token: tokens.FreshToken | None = None
        self._looked_at = 0.0
        self._renewed_after_401 = False

    def get_authorization_header(self) -> str:
        """The SDK asks for it before each request, a repeated one too."""
        self.bring_token()
        assert self._token is not None
        if self._counted is not None:
            if self._counted is WORKER:
                _let_others_use_the_database()
            longest = self._counted.longest_wait_seconds
            wait_for_turn(self._principal.owner_key, longest_seconds=longest)
        return f"Bearer {self._token.secret.reveal()}"

    def bring_token(self) -> None:
        """Looks at the row if need be, so that threads with this client need not."""
        age = time.monotonic() - self._looked_at
        if self._token is None or age > LOOK_AGAIN_SECONDS:
            self._look()

    def handle_missing_authorization(self) -> bool:
        """After a 401: one renewal, then the answer stands."""
        if self._renewed_after_401 or self._token is None:
            return False
        self._renewed_after_401 = True
        self._look(refused=self._token.generation)
        return True

    def _look(self, refused: int | None = None) -> None:
        self._token = tokens.access_token(
            self._principal,
            self._resource_server,
            scope=self._scope,
            refused=refused,
        )
        self._looked_at = time.monotonic()


def _let_others_use_the_database() -> None:
    """A process has fewer connections than threads, and a worker's thread is about to
    wait for Globus."""
    if not connection.in_atomic_block:
        connection.close()


def transfer_client(principal: Principal, patience: Patience = PAGE) -> TransferClient:
    """Acts for this principal and nobody else; asks for its token when it is used."""
    return TransferClient(
        authorizer=VaultAuthorizer(principal, scopes.TRANSFER, counted=patience),
        transport=shared_transport("transfer", patience),
        retry_config=retry_config(patience),
    )


def identity_client(principal: Principal, patience: Patience = PAGE) -> AuthClient:
    """Asks Auth about the principal's own identity."""
    return AuthClient(
        authorizer=VaultAuthorizer(principal, scopes.AUTH),
        transport=shared_transport("auth", patience),
        retry_config=retry_config(patience),
    )


def groups_client(
    principal: Principal, patience: Patience = PAGE, *, changes: bool = False
) -> GroupsClient:
    """:param changes: for more than reading, which takes a consent of its own"""
    scope = scopes.scope_of_right(scopes.Right.GROUPS) if changes else ""
    return GroupsClient(
        authorizer=VaultAuthorizer(principal, scopes.GROUPS, scope=scope),
        transport=shared_transport("groups", patience),
        retry_config=retry_config(patience),
    )


def timers_client(principal: Principal, patience: Patience = PAGE) -> TimersClient:
    return TimersClient(
        authorizer=VaultAuthorizer(principal, scopes.TIMERS),
        transport=shared_transport("timer", patience),
        retry_config=retry_config(patience),
    )


def groups_client_with(token: Secret) -> GroupsClient:
    """For a sign-in, with the token that it just brought.

    That token is not renewed: a renewal cannot happen inside the transaction that
    stores the sign-in, and one that is refused at once is no token to keep.
    """
    return GroupsClient(
        authorizer=AccessTokenAuthorizer(token.reveal()),
        transport=shared_transport("groups", PAGE),
        retry_config=retry_config(PAGE),
    )
