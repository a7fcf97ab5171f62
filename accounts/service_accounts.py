"""Service accounts: secrets in two slots, who uses them, what they may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from accounts import audit
from accounts.models import ServiceAccount, ServiceAccountSecret, User
from portal.globus import scopes
from portal.globus.errors import CredentialRefused, PortalError

#: how exactly ``used_at`` of a secret is kept
USED_AT_STEP = timedelta(hours=1)
UNUSED_FOR = timedelta(days=90)
OLD_AFTER = timedelta(days=365)
SHOWN_RUNS = 10

State = ServiceAccountSecret.State


class WrongSlot(PortalError):
    """A secret is not (any more) in the state that a step begins with."""

    title = "Somebody was quicker"
    advice = "This secret has changed meanwhile. Look at the list again."
    status = 409


class SlotTaken(WrongSlot):
    advice = (
        "There is a new secret already. Promote it, or take it out, before you enter "
        "another one."
    )


class ScopeNotAllowed(CredentialRefused):
    """A request that the row of the service account does not list (A07)."""

    title = "The service account may not act there"


# What it may ask for


def check_may_act_at(account: ServiceAccount, resource_server: str) -> None:
    """Refuses a scope that is not listed; Globus is not asked at all (A07).

    :raises ScopeNotAllowed: naming the account and the resource server
    """
    listed = resource_server in account.allowed_servers
    if listed and resource_server in scopes.SERVICE_ACCOUNT_SCOPES:
        return
    raise ScopeNotAllowed(
        f"The service account “{account.name}” is not meant to act at "
        f"{resource_server}. An administrator can allow it.",
        code="ScopeNotAllowed",
    )


# Secrets: add, test, promote, retire; and back


def replace_secret(account: ServiceAccount, secret: str, *, by: User | None) -> None:
    """Takes in a secret that is active at once; the one before can be gone back to."""
    with transaction.atomic():
        _locked(account)
        # Never new: that slot may hold one that somebody is testing.
        row = _stored(account, secret, "", by, State.RETIRED)
        _activate(account, row)


def add_secret(
    account: ServiceAccount, secret: str, *, label: str, by: User
) -> ServiceAccountSecret:
    """Fills the second slot; nothing uses it before it is promoted.

    :raises SlotTaken: it is filled already
    """
    with transaction.atomic():
        _locked(account)
        if account.secrets.filter(state=State.NEW).exists():
            raise SlotTaken
        return _stored(account, secret, label, by)


def promote(row: ServiceAccountSecret) -> None:
    """Makes a new or a retired secret the active one, which is then the retired one.

    :raises WrongSlot: it is neither new nor retired, or somebody took it out
    """
    with transaction.atomic():
        account = _locked(row.service_account)
        stored = account.secrets.filter(pk=row.pk).exclude(state=State.ACTIVE).first()
        if stored is None:
            raise WrongSlot
        _activate(account, stored)


def forget(row: ServiceAccountSecret) -> None:
    """Takes a new or a retired secret out for good.

    :raises WrongSlot: it is active
    """
    with transaction.atomic():
        _locked(row.service_account)
        others = ServiceAccountSecret.objects.filter(pk=row.pk)
        deleted, _ = others.exclude(state=State.ACTIVE).delete()
    if not deleted:
        raise WrongSlot


def _locked(account: ServiceAccount) -> ServiceAccount:
    return ServiceAccount.objects.select_for_update().get(pk=account.pk)


def _stored(
    account: ServiceAccount,
    secret: str,
    label: str,
    by: User | None,
    state: str = State.NEW,
) -> ServiceAccountSecret:
    row = ServiceAccountSecret(
        service_account=account,
        state=state,
        label=label or f"entered {timezone.now():%Y-%m-%d %H:%M} UTC",
        created_by=by,
    )
    row.seal(secret)
    row.save()
    return row


def _activate(account: ServiceAccount, row: ServiceAccountSecret) -> None:
    """Of the retired secrets the latest stays: it is what one can go back to."""
    now = timezone.now()
    account.secrets.filter(state=State.RETIRED).exclude(pk=row.pk).delete()
    account.secrets.filter(state=State.ACTIVE).update(
        state=State.RETIRED, retired_at=now
    )
    row.state, row.promoted_at, row.retired_at = State.ACTIVE, now, None
    row.save(update_fields=["state", "promoted_at", "retired_at"])
    # The next use asks with this secret, and so shows whether it works.
    from accounts.revocation import give_up  # it needs the clients, they need us

    give_up(account)


def active_secret_id(account: ServiceAccount) -> UUID | None:
    active = account.secrets.filter(state=State.ACTIVE)
    return active.values_list("pk", flat=True).first()


def active_secret_of(account: str) -> Subquery:
    """The same within a query.

    :param account: what a row of it calls the service account
    """
    active = ServiceAccountSecret.objects.filter(
        service_account=OuterRef(account), state=State.ACTIVE
    )
    return Subquery(active.values("pk")[:1])


def note_secret_use(account: ServiceAccount) -> None:
    """Skipped while somebody holds the row: a renewal never waits for a rotation."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_serviceaccountsecret SET used_at = %s WHERE id IN ("
            "SELECT id FROM accounts_serviceaccountsecret "
            "WHERE service_account_id = %s AND state = 'active' "
            "AND (used_at IS NULL OR used_at < %s) "
            "FOR NO KEY UPDATE SKIP LOCKED)",
            [now, account.pk, now - USED_AT_STEP],
        )


def warnings_about(
    row: ServiceAccountSecret, *, now: datetime | None = None
) -> list[str]:
    """What an administrator should look at, in sentences."""
    now = now or timezone.now()
    found = []
    if row.state == State.ACTIVE and last_use(row) < now - UNUSED_FOR:
        found.append(
            f"Nothing has used it for {(now - last_use(row)).days} days. Switch the "
            "service account off if it is not needed."
        )
    if row.state != State.RETIRED and row.created_at < now - OLD_AFTER:
        found.append("It is more than a year old. Replace it with a new one.")
    return found


def last_use(row: ServiceAccountSecret) -> datetime:
    """When it was used, or could have been for the first time."""
    return row.used_at or row.promoted_at or row.created_at


# Switching off, and what that touches


@dataclass(frozen=True)
class Uses:
    """What stops when a service account does.

    :ivar jobs: that name it; :ivar running: runs that have not ended
    """

    jobs: list[Any]
    running: list[Any]
    runs_count: int

    @property
    def is_used(self) -> bool:
        return bool(self.jobs or self.running)


def uses_of(account: ServiceAccount) -> Uses:
    unfinished = account.runs.unfinished()
    runs = unfinished.select_related("job").defer("inputs", "result")
    return Uses(
        jobs=list(account.jobs.select_related("owner").order_by("name")),
        running=list(runs[:SHOWN_RUNS]),
        runs_count=account.runs.count(),
    )


def switch_off(account: ServiceAccount, *, by: User, reason: str) -> None:
    """Nothing acts as this account any more, and its tokens are taken back.

    :raises GlobusUnreachable: a renewal is going on; nothing was changed
    """
    from accounts.revocation import revoke_all  # it needs the clients, they need us

    with transaction.atomic():
        account.enabled, account.disabled_reason = False, reason[:500]
        account.save(update_fields=["enabled", "disabled_reason"])
        audit.record(
            "service-account:self:switch-off", actor=by, owner=account, reason=reason
        )
        revoke_all(account, by=by, reason=reason)


def switch_on(account: ServiceAccount, *, by: User, reason: str) -> None:
    with transaction.atomic():
        account.enabled, account.disabled_reason = True, ""
        account.save(update_fields=["enabled", "disabled_reason"])
        audit.record(
            "service-account:self:switch-on", actor=by, owner=account, reason=reason
        )
