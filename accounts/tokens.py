"""The one door to a fresh access token, for a person or a service account.

However many processes find a token stale, one request goes to Auth: the row is
locked, read again under the lock, renewed only if it is still stale, and saved in the
same transaction (security.md T08). Callers that still hold a token that works do not
wait for the one that renews.
"""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import globus_sdk
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import (
    RENEW_EARLIEST,
    RENEW_LATEST,
    Principal,
    ServiceAccount,
    Token,
    User,
    owner_fields,
)
from accounts.portal_client import auth_client, portal_auth_client
from accounts.secret import Secret
from accounts.service_accounts import (
    ScopeNotAllowed,
    check_may_act_at,
    note_secret_use,
)
from accounts.token_answers import is_renewed_entry, taken_apart
from accounts.vault import CannotOpen
from portal.globus import scopes
from portal.globus.errors import (
    AccountDisabled,
    ConsentRequired,
    CredentialRefused,
    GlobusFailure,
    GlobusUnreachable,
    PortalError,
    SignInRequired,
    UnexpectedAnswer,
    failure_from,
    globus_errors,
)
from portal.prepared import Prepared

logger = logging.getLogger(__name__)

#: A token this close to its end may be refused on its way: better wait for a new one.
LAST_USE = timedelta(seconds=60)
#: Longer than the longest answer of Auth (4.5 s twice, and a second between).
LOCK_TIMEOUT_MS = 15_000
BACK_OFF_SECONDS = (1, 2, 5, 10, 30, 60)
#: Upkeep is in less of a hurry than somebody who waits for a token.
UPKEEP_BACK_OFF_SECONDS = (30, 60, 120, 300, 600, 900)
#: how exactly ``used_at`` is kept; a write for each use would cost more than the use
USED_AT_STEP = timedelta(hours=1)


@dataclass(frozen=True)
class FreshToken:
    """:ivar generation: names this token when Globus should refuse it"""

    secret: Secret
    generation: int


def access_token(
    principal: Principal,
    resource_server: str,
    *,
    scope: str = "",
    refused: int | None = None,
) -> FreshToken:
    """A token that works now.

    :param scope: one that it must have
    :param refused: the generation that Globus just answered with 401; it is renewed
        unless somebody else did so already
    :raises SignInRequired: only the person can bring a new token
    :raises ConsentRequired: only the person can bring a token that has this scope, or
        any for a service that is not part of every sign-in
    :raises CredentialRefused: the secret of the service account does not work
    :raises GlobusUnreachable: Auth does not answer and the old token has expired
    """
    check_enabled(principal)
    if not isinstance(principal, User):
        _refuse_unlisted(principal, resource_server)
    row = _row(principal, resource_server)
    if row is None:
        row = _new_row(principal, resource_server)
    check_alive(principal, row)
    if scope and scope not in scopes.roots_in([row.scope]):
        raise ConsentRequired(required_scopes=(scope,))
    now = timezone.now()
    if row.generation == refused or not row.lasts_until(now + LAST_USE):
        row = renew(principal, row, refused=refused)
    elif not row.lasts_until(now + random.uniform(1, 2) * RENEW_LATEST):  # noqa: S311 - only spreads load
        row = _renew_unless_busy(principal, row) or row
    if row.used_at is None or row.used_at < now - USED_AT_STEP:
        _note_use(row, now)
    try:
        return FreshToken(row.access_token(), row.generation)
    except CannotOpen:
        # Damaged or planted: a new one from Auth is sealed in its place.
        logger.critical("Token %s does not open; it is renewed", row.pk)
        row = renew(principal, row, refused=row.generation)
        return FreshToken(row.access_token(), row.generation)


def _row(principal: Principal, resource_server: str) -> Token | None:
    if not isinstance(principal, User):
        return _OF_SERVICE_ACCOUNT.first(principal.pk, resource_server)
    row = principal.token_read_along
    wanted = principal.pk, resource_server
    if row is not None and (row.user_id, row.resource_server) == wanted:
        principal.token_read_along = None
        return row
    return _OF_USER.first(principal.pk, resource_server)


_OF_USER = Prepared[Token](
    lambda user, server: Token.objects.filter(user=user, resource_server=server),
    UUID,
    str,
)
_OF_SERVICE_ACCOUNT = Prepared[Token](
    lambda account, server: Token.objects.filter(
        service_account=account, resource_server=server
    ),
    UUID,
    str,
)


def _note_use(row: Token, now: datetime) -> None:
    """Skipped while somebody holds the row: a use never waits for a renewal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_token SET used_at = %s WHERE id IN (SELECT id FROM "
            "accounts_token WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED)",
            [now, row.pk],
        )


def check_alive(principal: Principal, row: Token) -> None:
    """A person's token that is dead or revoked comes back by a sign-in only.

    A service account has its secret: it gets a new one whenever it may act at all.
    """
    if isinstance(principal, User) and row.state not in Token.ALIVE:
        raise only_the_person(row.resource_server, row.state)


def only_the_person(resource_server: str, code: str = "") -> GlobusFailure:
    """Can bring this token; a plain sign-in has those of the base set only."""
    needed = scopes.asked_on_demand(resource_server)
    if needed:
        return ConsentRequired(required_scopes=tuple(needed), code=code)
    return SignInRequired(code=code)


def check_enabled(principal: Principal) -> None:
    """Nobody acts any more for a person or account that was switched off (L25)."""
    if isinstance(principal, User):
        if not principal.is_active:
            raise AccountDisabled
    elif not principal.enabled:
        raise CredentialRefused(
            f"The service account “{principal.name}” is switched off: "
            f"{principal.disabled_reason or 'no reason given'}."
        )


def store_sign_in(user: User, entries: Iterable[Mapping[str, Any]]) -> None:
    """Keeps the tokens of a sign-in, one row per resource server.

    :param entries: token entries as Auth sends them: ``resource_server``,
        ``access_token``, ``refresh_token``, ``scope``, ``expires_in`` (seconds)

    Called inside the transaction of the sign-in.
    """
    # Sorted, so that two sign-ins of one person lock the rows in the same order.
    for entry in sorted(entries, key=lambda each: str(each["resource_server"])):
        server = entry["resource_server"]
        Token.objects.get_or_create(user=user, resource_server=server)
        row = Token.objects.select_for_update().get(user=user, resource_server=server)
        row.put(
            access_token=entry["access_token"],
            refresh_token=entry.get("refresh_token"),
            scope=entry.get("scope", ""),
            expires_in=timedelta(seconds=int(entry.get("expires_in", 0))),
        )
        row.store()


def grant_data_access(account: ServiceAccount, collection_ids: Iterable[str]) -> None:
    """Gives a service account's own consent to mapped collections.

    A client identity consents by a client credentials grant that names the nested
    scope; consents hang on the identity, so tokens issued before work as well
    (globus-services 2.4).
    """
    check_enabled(account)
    _refuse_unlisted(account, scopes.TRANSFER)
    client = auth_client(account)
    with globus_errors(), taken_apart():
        client.oauth2_client_credentials_tokens(
            requested_scopes=scopes.with_data_access(collection_ids)
        )
    note_secret_use(account)


def _refuse_unlisted(account: ServiceAccount, resource_server: str) -> None:
    """:raises ScopeNotAllowed: and writes it down (A05, A07)"""
    try:
        check_may_act_at(account, resource_server)
    except ScopeNotAllowed:
        audit.record(
            "service-account:scope:refuse",
            owner=account,
            outcome=audit.Outcome.REFUSED,
            resource_server=resource_server,
        )
        raise


def _new_row(principal: Principal, resource_server: str) -> Token:
    """A service account's row is made on first use; a person's at sign-in only."""
    if isinstance(principal, User):
        raise only_the_person(resource_server)
    row, _ = Token.objects.get_or_create(
        **owner_fields(principal), resource_server=resource_server
    )
    return row


def _renew_unless_busy(principal: Principal, row: Token) -> Token | None:
    """Renews early; nothing if somebody else is at it or Auth cannot be reached."""
    try:
        return renew(principal, row, wait=False)
    except GlobusFailure as err:
        # The one at hand still works, whatever stood in Auth's place.
        if not err.passing and not isinstance(err, UnexpectedAnswer):
            raise
        logger.warning("Token %s was not renewed ahead of time: %s", row.pk, err.code)
        return None


def renew(
    principal: Principal, seen: Token, *, refused: int | None = None, wait: bool = True
) -> Token:
    """The row with a new token, or as somebody else has just renewed it.

    :param refused: see ``access_token``
    :param wait: for whoever is at it; else that is ``GlobusUnreachable``
    """
    failure: PortalError | None = None
    # Durable: a caller's transaction that is rolled back later would lose what Auth
    # has already replaced.
    with transaction.atomic(durable=True):
        row = _locked(seen, wait=wait)
        if row is None:
            raise GlobusUnreachable(code="RenewalGoingOn")
        check_enabled(_as_stored(principal))
        check_alive(principal, row)
        if not _is_stale(row, seen, refused):
            return row
        failure = _backing_off(row)
        if failure is None:
            try:
                _ask_auth(principal, row)
            except GlobusFailure as err:
                # Kept, and raised after the commit: the row says what happened.
                failure = err
                _note_failure(principal, row, err)
    if failure is not None:
        raise failure
    return row


def _locked(seen: Token, *, wait: bool) -> Token | None:
    rows = Token.objects.select_for_update(skip_locked=not wait)
    limit_lock_wait()
    try:
        return rows.filter(pk=seen.pk).first()
    except OperationalError as err:
        raise GlobusUnreachable(code="RenewalTakesLong") from err


def limit_lock_wait() -> None:
    """For the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")


def _as_stored(principal: Principal) -> Principal:
    """The object at hand may be older than the switch that was turned off."""
    # Not type(): the user of a request is a lazy wrapper around the row.
    model = User if isinstance(principal, User) else ServiceAccount
    stored: Principal | None = model._default_manager.filter(pk=principal.pk).first()
    if stored is None:
        raise AccountDisabled
    return stored


def _is_stale(row: Token, seen: Token, refused: int | None) -> bool:
    """Whether the row still is what the caller found wanting, read under the lock."""
    if row.generation == refused:
        return True
    if row.generation != seen.generation:
        return not row.lasts_until(timezone.now() + LAST_USE)
    return not row.lasts_until(timezone.now() + RENEW_EARLIEST)


def _backing_off(row: Token) -> GlobusUnreachable | None:
    waiting = row.state == Token.State.BACKING_OFF and row.next_try_at
    if waiting and waiting > timezone.now():
        return GlobusUnreachable(code="BackingOff")
    return None


def _ask_auth(principal: Principal, row: Token) -> None:
    """One request to Auth; on success the row holds what it answered, saved."""
    try:
        if isinstance(principal, User):
            answer = _refreshed(row)
        else:
            answer = _by_credentials(principal, row.resource_server)
    except globus_sdk.AuthAPIError as err:
        raise _token_failure(err, principal) from err
    except globus_sdk.NetworkError as err:
        raise GlobusUnreachable from err
    entry = answer.by_resource_server.get(row.resource_server)
    if entry is None:
        raise UnexpectedAnswer(code="WrongResourceServer")
    if not is_renewed_entry(entry):
        raise UnexpectedAnswer(code="TokenAnswer")
    row.put(
        access_token=entry["access_token"],
        refresh_token=entry.get("refresh_token"),
        scope=entry.get("scope") or row.scope,
        expires_in=_from_now(entry["expires_at_seconds"]),
    )
    row.store()


def _refreshed(row: Token) -> globus_sdk.OAuthTokenResponse:
    try:
        refresh_token = row.refresh_token()
    except CannotOpen as err:
        logger.critical("The refresh token of %s does not open", row.pk)
        raise SignInRequired(code="CannotOpen") from err
    if refresh_token is None:
        raise SignInRequired(code="NoRefreshToken")
    client = portal_auth_client()
    with taken_apart():
        return client.oauth2_refresh_token(refresh_token.reveal())


def _by_credentials(
    account: ServiceAccount, resource_server: str
) -> globus_sdk.OAuthTokenResponse:
    check_may_act_at(account, resource_server)
    client = auth_client(account)
    requested = scopes.SERVICE_ACCOUNT_SCOPES[resource_server]
    with taken_apart():
        answer = client.oauth2_client_credentials_tokens(requested_scopes=requested)
    note_secret_use(account)
    return answer


def _token_failure(err: globus_sdk.AuthAPIError, principal: Principal) -> GlobusFailure:
    """What a refusal of the token endpoint means (RFC 6749 section 5.2)."""
    body = err.raw_json or {}
    reason = _error_code(body.get("error"))
    if isinstance(principal, User):
        if reason == "invalid_grant":
            return SignInRequired(code=reason)
        if reason in ("invalid_client", "unauthorized_client"):
            return CredentialRefused(
                "Globus Auth refused the portal's own client id and secret; "
                "an operator must look at GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET.",
                code=reason,
            )
    elif reason in ("invalid_client", "unauthorized_client", "invalid_grant"):
        return CredentialRefused(code=reason)
    failure = failure_from(err)
    if isinstance(failure, SignInRequired):
        # A 401 without a reason says nothing about this person's token.
        return UnexpectedAnswer(code=reason or failure.code)
    return failure


def _error_code(value: object) -> str:
    """An error of RFC 6749; any other text from outside is not written down."""
    text = str(value)
    return text if re.fullmatch(r"[a-z_]{1,40}", text) else ""


def _note_failure(principal: Principal, row: Token, err: GlobusFailure) -> None:
    now = timezone.now()
    row.failures = min(row.failures + 1, 1000)
    row.last_error = f"{type(err).__name__} {err.code}".strip()[:300]
    if isinstance(err, SignInRequired):
        row.state = Token.State.NEEDS_SIGN_IN
        row.renew_at = None
        audit.record(
            "token:refresh:died",
            owner=principal,
            credential_id=row.pk,
            outcome=audit.Outcome.FAILED,
            resource_server=row.resource_server,
            code=err.code,
        )
    else:
        row.state = Token.State.BACKING_OFF
        row.next_try_at = now + _back_off(row.failures, BACK_OFF_SECONDS)
        row.renew_at = now + _back_off(row.failures, UPKEEP_BACK_OFF_SECONDS)
    row.save(
        update_fields=["state", "next_try_at", "renew_at", "last_error", "failures"]
    )
    logger.warning("Token %s was not renewed: %s", row.pk, row.last_error)


def _back_off(failures: int, steps: tuple[int, ...]) -> timedelta:
    step = min(failures, len(steps)) - 1
    return timedelta(seconds=steps[step] * random.uniform(0.5, 1))  # noqa: S311 - only spreads load


def _from_now(epoch_seconds: int) -> timedelta:
    return timedelta(seconds=epoch_seconds - timezone.now().timestamp())
