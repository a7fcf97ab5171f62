"""Takes tokens back: at once here, and at Globus as soon as it answers (L27).

Revoking at Globus is RFC 7009: a POST with the client's own credentials, for access
and refresh token of every resource server. Until Globus has answered, what the request
needs waits sealed in a ``Revocation``, where nothing but this module looks for it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import globus_sdk
from django.db import OperationalError, transaction
from django.utils import timezone

from accounts import audit, queue, tokens, vault
from accounts.models import (
    Principal,
    Revocation,
    ServiceAccount,
    ServiceAccountSecret,
    Token,
    User,
)
from accounts.portal_client import auth_client, client_for, portal_auth_client
from accounts.secret import Secret
from portal.globus.errors import (
    CredentialRefused,
    GlobusFailure,
    GlobusUnreachable,
    globus_errors,
)

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (5, 15, 60, 300, 900, 3600)
#: A refresh token that nobody uses is dead after six months.
REFRESH_TOKEN_LASTS = timedelta(days=184)


def revoke_all(principal: Principal, *, by: User | None, reason: str = "") -> int:
    """From now on nobody acts with any token of this person or service account.

    For disconnecting, disabling and before deleting. Waits for a renewal that is going
    on (ten seconds at most), so that what it brings is revoked as well. The calls to
    Globus follow after the commit, by workers.

    :param by: who asked; nothing for the portal itself
    :returns: how many tokens Globus will be told about
    :raises GlobusUnreachable: a renewal takes too long; nothing was changed
    """
    with transaction.atomic():
        tokens.limit_lock_wait()
        held = Token.objects.held_for(principal).exclude(state=Token.State.REVOKED)
        try:
            # In the order in which a sign-in locks them.
            rows = list(held.select_for_update().order_by("resource_server"))
        except OperationalError as err:
            raise GlobusUnreachable(code="RenewalTakesLong") from err
        if not rows and by is None:
            return 0  # the portal looks again and again; a person's wish is noted
        secret = _secret_of(principal)
        waiting = [
            revocation
            for row in rows
            for revocation in _take_out(principal, row, secret)
        ]
        _send(waiting)
        audit.record(
            "token:all:revoke",
            actor=by,
            owner=principal,
            resource_servers=[row.resource_server for row in rows],
            reason=reason[:500],
        )
    return len(waiting)


def give_up(account: ServiceAccount) -> int:
    """Forgets the tokens of a service account, which asks for new ones when it acts.

    For a new secret: what the one before brought may be in other hands with it. Called
    inside the transaction that stores the secret.

    :returns: how many tokens Globus will be told about
    """
    held = Token.objects.held_for(account)
    secret = _secret_of(account)
    waiting = [
        revocation
        for row in held.select_for_update().order_by("resource_server")
        for revocation in _take_out(account, row, secret)
    ]
    held.delete()
    _send(waiting)
    return len(waiting)


def _send(waiting: list[Revocation]) -> None:
    Revocation.objects.bulk_create(waiting)
    for revocation in waiting:
        queue.revoke_token(revocation.pk)


def revoke_switched_off(kind: str, pk: UUID) -> None:
    """``revoke_all`` for somebody who was switched off, if that is (still) so."""
    principal: Principal | None
    if kind == "user":
        principal = User.objects.filter(pk=pk, is_active=False).first()
    else:
        principal = ServiceAccount.objects.filter(pk=pk, enabled=False).first()
    if principal is not None:
        revoke_all(principal, by=None, reason="switched off")


def pending(principal: Principal) -> int:
    """How many tokens Globus has not been told about yet."""
    return Revocation.objects.filter(owner_key=principal.owner_key).count()


def _secret_of(principal: Principal) -> Secret | None:
    """The client secret with which a service account's tokens can be revoked later."""
    if isinstance(principal, User):
        return None
    active = principal.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    try:
        return active.open() if active else None
    except vault.CannotOpen:
        logger.exception("The secret of %s does not open", principal.owner_key)
        return None


def _take_out(
    principal: Principal, row: Token, client_secret: Secret | None
) -> Iterator[Revocation]:
    """Marks a row as revoked, and moves what it held to where it can be revoked.

    What does not open stays as it is, sealed and unusable, for a person to look at.
    """
    found: list[tuple[Revocation.Kind, Secret]] = []
    erased = ["sealed_access_token", "sealed_refresh_token"]
    try:
        # The refresh token first: most servers end its access tokens with it.
        refresh_token = row.refresh_token()
        if refresh_token is not None:
            found.append((Revocation.Kind.REFRESH, refresh_token))
        if row.sealed_access_token is not None:
            found.append((Revocation.Kind.ACCESS, row.access_token()))
    except vault.CannotOpen:
        logger.exception("Token %s does not open, so Globus cannot be told", row.pk)
        erased = []
    else:
        row.sealed_access_token = row.sealed_refresh_token = None
    row.state = Token.State.REVOKED
    row.generation += 1
    row.renew_at = row.next_try_at = None
    row.save(update_fields=[*erased, "state", "generation", "renew_at", "next_try_at"])
    for kind, token in found:
        yield _waiting(principal, row, kind, token, client_secret)


def _waiting(
    principal: Principal,
    row: Token,
    kind: Revocation.Kind,
    token: Secret,
    client_secret: Secret | None,
) -> Revocation:
    now = timezone.now()
    is_access = kind == Revocation.Kind.ACCESS
    revocation = Revocation(
        owner_key=row.owner_key,
        owner_name=str(principal)[:255],
        resource_server=row.resource_server,
        kind=kind,
        client_id=None if isinstance(principal, User) else principal.client_id,
        lapses_at=(row.expires_at or now) if is_access else now + REFRESH_TOKEN_LASTS,
        # Until then its own message is on the way; after that it is sent again.
        next_try_at=now + timedelta(seconds=BACK_OFF_SECONDS[0]),
    )
    revocation.sealed_token = vault.seal(
        token.reveal(), revocation.binding_of("sealed_token")
    )
    if client_secret is not None:
        revocation.sealed_client_secret = vault.seal(
            client_secret.reveal(), revocation.binding_of("sealed_client_secret")
        )
    return revocation


def carry_out(revocation_id: UUID) -> None:
    """Tells Globus about one token; what is sealed goes when Globus has answered.

    Safe to run twice: a token that Globus does not know is as good as revoked (RFC
    7009 section 2.2).
    """
    revocation = Revocation.objects.filter(pk=revocation_id).first()
    if revocation is None:
        return
    try:
        _tell_globus(revocation)
    except vault.CannotOpen:
        # Never retried (security.md 11): a person has to look.
        logger.exception("Revocation %s does not open", revocation.pk)
        _note_failure(revocation, "CannotOpen", next_try_at=None)
    except GlobusFailure as err:
        _put_off(revocation, err)
    else:
        _finish(revocation, audit.Outcome.OK)


def _tell_globus(revocation: Revocation) -> None:
    token = vault.open_sealed(
        revocation.sealed_token, revocation.binding_of("sealed_token")
    )
    client = _client_of(revocation)
    with globus_errors():
        client.oauth2_revoke_token(
            token.reveal(), body_params={"token_type_hint": revocation.kind}
        )


def _client_of(revocation: Revocation) -> globus_sdk.ConfidentialAppAuthClient:
    """The client the token was issued to, with the secret that works best today."""
    if revocation.client_id is None:
        return portal_auth_client()
    account = ServiceAccount.objects.filter(client_id=revocation.client_id).first()
    active = {"secrets__state": ServiceAccountSecret.State.ACTIVE}
    if account and ServiceAccount.objects.filter(pk=account.pk, **active).exists():
        return auth_client(account)
    if revocation.sealed_client_secret is None:
        raise CredentialRefused(code="NoSecret")
    secret = vault.open_sealed(
        revocation.sealed_client_secret, revocation.binding_of("sealed_client_secret")
    )
    return client_for(str(revocation.client_id), secret)


def _put_off(revocation: Revocation, err: GlobusFailure) -> None:
    now = timezone.now()
    if revocation.lapses_at <= now:
        _finish(revocation, audit.Outcome.FAILED, code="lapsed")
        return
    step = min(revocation.attempts, len(BACK_OFF_SECONDS) - 1)
    pause = timedelta(seconds=BACK_OFF_SECONDS[step] * random.uniform(0.5, 1))  # noqa: S311 - only spreads load
    error = f"{type(err).__name__} {err.code}".strip()
    logger.warning("%s is tried again: %s", revocation, error)
    _note_failure(revocation, error, next_try_at=now + pause)


def _note_failure(
    revocation: Revocation, error: str, *, next_try_at: datetime | None
) -> None:
    Revocation.objects.filter(pk=revocation.pk).update(
        next_try_at=next_try_at,
        attempts=revocation.attempts + 1,
        last_error=error[:300],
    )


def _finish(revocation: Revocation, outcome: audit.Outcome, *, code: str = "") -> None:
    """The row goes, with all that it kept; the audit says what became of the token."""
    with transaction.atomic():
        gone, _ = Revocation.objects.filter(pk=revocation.pk).delete()
        if not gone:
            return  # another worker was quicker
        audit.record(
            "token:globus:revoke",
            owner=_Owner(revocation.owner_key, revocation.owner_name),
            outcome=outcome,
            resource_server=revocation.resource_server,
            token=revocation.kind,
            attempts=revocation.attempts + 1,
            code=code,
        )


@dataclass(frozen=True)
class _Owner:
    """Whoever it was; they may be deleted by now."""

    owner_key: str
    name: str

    def __str__(self) -> str:
        return self.name
