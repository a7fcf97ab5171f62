"""Tries a service account's secret, and says which of the things that can be wrong is.

Nothing that it gets is kept: the token that Auth gives is used here and forgotten.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import globus_sdk
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from globus_sdk import AccessTokenAuthorizer, NativeAppAuthClient, TransferClient

from accounts import audit
from accounts.models import ServiceAccount, ServiceAccountSecret, Token
from accounts.portal_client import client_for
from accounts.secret import Secret
from accounts.token_answers import is_token, taken_apart
from accounts.vault import CannotOpen
from portal.globus import scopes
from portal.globus.errors import (
    ConsentRequired,
    GlobusFailure,
    GlobusUnreachable,
    RateLimited,
    UnexpectedAnswer,
    globus_errors,
)
from portal.globus.transport import PAGE, retry_config, shared_transport

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    FINE = "fine"
    BAD_SECRET = "bad-secret"  # noqa: S105 - the name of an answer
    NOT_A_SERVICE_ACCOUNT = "not-a-service-account"
    NO_NETWORK = "no-network"
    CONSENT_MISSING = "consent-missing"
    NOT_READABLE = "not-readable"
    DOES_NOT_OPEN = "does-not-open"


SENTENCES = {
    Verdict.FINE: "The secret works.",
    Verdict.BAD_SECRET: (
        "Globus Auth does not accept this secret. Was it copied in full, and is it "
        "still listed at Globus? Enter a new one."
    ),
    Verdict.NOT_A_SERVICE_ACCOUNT: (
        "This client ID is not one of a service account. Register a client of the "
        "kind “service account or application credential for automation”."
    ),
    Verdict.NO_NETWORK: (
        "Globus does not answer, so nothing is known about the secret. Try again in a "
        "minute; if it stays so, look at the network of the portal."
    ),
    Verdict.CONSENT_MISSING: (
        "The secret works. The collection is a mapped one, and the service account "
        "has not consented to its data access yet. A job does that by itself in its "
        "first run."
    ),
    Verdict.NOT_READABLE: (
        "The secret works, but this folder cannot be read with it. Give the identity "
        "of the service account read access to it."
    ),
    Verdict.DOES_NOT_OPEN: (
        "What is stored does not open with the keys of the vault. Is a key missing in "
        "its file? Otherwise enter the secret again."
    ),
}


@dataclass(frozen=True)
class Finding:
    """:ivar detail: Globus's code for it; may be empty"""

    verdict: Verdict
    detail: str = ""

    @property
    def is_fine(self) -> bool:
        return self.verdict == Verdict.FINE

    @property
    def says(self) -> str:
        return SENTENCES[self.verdict]


@dataclass(frozen=True)
class Folder:
    collection_id: UUID
    path: str


def check(
    row: ServiceAccountSecret,
    folder: Folder | None = None,
    *,
    request: HttpRequest | None = None,
) -> Finding:
    """Asks Auth with the secret and, if a folder is named, reads that once.

    Of the row only when it was tested and with what result is written down, and the
    same in the audit.

    :param request: of whoever asked for it; none for a command on the host
    """
    finding = _check(row, folder)
    with transaction.atomic():
        ServiceAccountSecret.objects.filter(pk=row.pk).update(
            last_tested_at=timezone.now(), last_test_result=finding.verdict
        )
        if finding.is_fine and row.state == ServiceAccountSecret.State.ACTIVE:
            _let_go_on(row.service_account)
        audit.record(
            "service-account:secret:test",
            request=request,
            owner=row.service_account,
            credential_id=row.pk,
            outcome=audit.Outcome.OK if finding.is_fine else audit.Outcome.FAILED,
            result=finding.verdict,
            code=finding.detail,
        )
    return finding


def _let_go_on(account: ServiceAccount) -> None:
    """Globus takes the secret again: what it refused before need not wait longer."""
    refused = Token.objects.filter(
        service_account=account,
        state=Token.State.BACKING_OFF,
        last_error__startswith="CredentialRefused",
    )
    refused.update(next_try_at=timezone.now(), last_error="", failures=0)


def _check(row: ServiceAccountSecret, folder: Folder | None) -> Finding:
    account = row.service_account
    if str(account.client_id) == settings.GLOBUS_CLIENT_ID:
        return Finding(Verdict.NOT_A_SERVICE_ACCOUNT, "the portal's own client")
    try:
        secret = row.open()
    except CannotOpen:
        logger.exception("Secret %s does not open", row.pk)
        return Finding(Verdict.DOES_NOT_OPEN)
    try:
        token = _token(account, secret)
        if folder is not None:
            _read(token, folder)
    except _Refused as err:
        return err.finding
    return Finding(Verdict.FINE)


class _Refused(Exception):
    def __init__(self, verdict: Verdict, detail: str = "") -> None:
        self.finding = Finding(verdict, detail[:200])
        super().__init__(verdict)


def _token(account: ServiceAccount, secret: Secret) -> Secret:
    """:raises _Refused: with the reason"""
    client = client_for(str(account.client_id), secret)
    try:
        with taken_apart():
            answer = client.oauth2_client_credentials_tokens(
                requested_scopes=scopes.SERVICE_ACCOUNT_SCOPES[scopes.TRANSFER]
            )
            token = answer.by_resource_server[scopes.TRANSFER]["access_token"]
    except globus_sdk.AuthAPIError as err:
        raise _auth_refusal(account, err) from None
    except (globus_sdk.NetworkError, UnexpectedAnswer):
        # Without its cause, which may quote the answer.
        raise _Refused(Verdict.NO_NETWORK) from None
    if not is_token(token):
        raise _Refused(Verdict.NO_NETWORK)
    return Secret(token)


def _auth_refusal(account: ServiceAccount, err: globus_sdk.AuthAPIError) -> _Refused:
    """What a refusal of the token endpoint means (RFC 6749 section 5.2)."""
    reason = str((err.raw_json or {}).get("error", ""))
    if err.http_status == 429 or err.http_status >= 500:
        return _Refused(Verdict.NO_NETWORK, f"{err.http_status}")
    if reason in ("unauthorized_client", "unsupported_grant_type"):
        return _Refused(Verdict.NOT_A_SERVICE_ACCOUNT, reason)
    if reason == "invalid_client" and _is_public(account):
        return _Refused(Verdict.NOT_A_SERVICE_ACCOUNT, "a client without secrets")
    return _Refused(Verdict.BAD_SECRET, reason)


def _is_public(account: ServiceAccount) -> bool:
    """Whether Auth knows the client as one that has no secret, such as an app.

    Only such a client may ask for a revocation by its id alone (RFC 7009 section 2.1);
    what it asks to revoke here is no token.
    """
    client = NativeAppAuthClient(
        str(account.client_id),
        transport=shared_transport("auth", PAGE),
        retry_config=retry_config(PAGE),
    )
    try:
        client.oauth2_revoke_token("no-token-at-all")
    except globus_sdk.GlobusError as err:
        logger.debug("Not a public client: %s", type(err).__name__)
        return False
    return True


def _read(token: Secret, folder: Folder) -> None:
    """:raises _Refused: with the reason"""
    client = TransferClient(
        authorizer=AccessTokenAuthorizer(token.reveal()),
        transport=shared_transport("transfer", PAGE),
        retry_config=retry_config(PAGE),
    )
    try:
        with globus_errors():
            client.operation_ls(folder.collection_id, path=folder.path, limit=1)
    except ConsentRequired as err:
        raise _Refused(Verdict.CONSENT_MISSING, err.code) from None
    except (GlobusUnreachable, RateLimited) as err:
        raise _Refused(Verdict.NO_NETWORK, err.code) from None
    except GlobusFailure as err:
        raise _Refused(Verdict.NOT_READABLE, err.code) from None
