"""Service accounts whose credential does not work: who must know, told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.urls import reverse

from accounts import telling
from accounts.credential_check import Verdict
from accounts.models import (
    Role,
    ServiceAccount,
    ServiceAccountQuerySet,
    ServiceAccountSecret,
    Token,
    User,
)
from accounts.telling import News

BATCH = 100
#: of a test: Globus, or the vault, said that this secret is of no use
_BAD = (Verdict.BAD_SECRET, Verdict.NOT_A_SERVICE_ACCOUNT, Verdict.DOES_NOT_OPEN)


def broken() -> ServiceAccountQuerySet:
    """In use, and refused when it was used last or tested last.

    A new secret takes the refused token along; a test that went well, or a later use
    of the same secret, mends it as well.
    """
    refused = Token.objects.filter(
        service_account=OuterRef("pk"),
        state=Token.State.BACKING_OFF,
        last_error__startswith="CredentialRefused",
    )
    failed_test = ServiceAccountSecret.objects.filter(
        Q(used_at=None) | Q(used_at__lt=F("last_tested_at")),
        service_account=OuterRef("pk"),
        state=ServiceAccountSecret.State.ACTIVE,
        last_test_result__in=_BAD,
    )
    return ServiceAccount.objects.filter(
        Exists(refused) | Exists(failed_test), enabled=True
    )


def broken_for(user: User) -> ServiceAccountQuerySet:
    """Those that this person can do something about, or answers for."""
    mine = ServiceAccount.objects.open_to(user, Role.ROTATE, Role.MANAGE)
    return broken().filter(Q(pk__in=mine.values("pk")) | Q(owner=user))


def in_reach(user: User, accounts: Sequence[ServiceAccount]) -> dict[UUID, UUID | None]:
    """``{service account: its secret in use}``, of those that ``user`` can mend."""
    mine = ServiceAccount.objects.open_to(user, Role.ROTATE, Role.MANAGE)
    found = mine.filter(pk__in=[each.pk for each in accounts])
    in_use = ServiceAccountSecret.objects.filter(
        service_account=OuterRef("pk"), state=ServiceAccountSecret.State.ACTIVE
    )
    rows = found.order_by().values_list("pk", Subquery(in_use.values("pk")[:1]))
    return dict(rows)


def sweep(now: datetime) -> None:
    """Tells the owner and the administrators when one breaks; safe at any time."""
    newly = broken().filter(broken_told_at=None)
    mended = ServiceAccount.objects.filter(broken_told_at__isnull=False).exclude(
        pk__in=broken().order_by().values("pk")
    )
    if newly.exists():
        with transaction.atomic():
            found = _taken(newly)
            telling.tell(
                _news(account, user, now)
                for account in found
                for user in _people(account)
            )
            _set(found, now)
    if mended.exists():
        with transaction.atomic():
            found = _taken(mended)
            for account in found:
                key = _key(account, account.broken_told_at or now)
                telling.unsay([f"{key}:user:{user.pk}" for user in _people(account)])
            _set(found, None)


def _taken(rows: ServiceAccountQuerySet) -> list[ServiceAccount]:
    locked = rows.select_for_update(skip_locked=True, of=("self",))
    return list(locked.select_related("owner").order_by("name")[:BATCH])


def _set(found: list[ServiceAccount], moment: datetime | None) -> None:
    rows = ServiceAccount.objects.filter(pk__in=[each.pk for each in found])
    rows.update(broken_told_at=moment)


def _people(account: ServiceAccount) -> list[User]:
    """As for reminders: the named owner and all administrators."""
    people = Q(pk=account.owner_id) | Q(is_superuser=True)
    return list(User.objects.filter(people, is_active=True))


def _key(account: ServiceAccount, moment: datetime) -> str:
    return f"credential:{account.pk}:{moment:%Y%m%dT%H%M%S}"


def page_of(account: ServiceAccount, *, can_mend: bool = True) -> str:
    """Who only answers for it may look at it, but not at its secrets."""
    page = "secrets" if can_mend else "change"
    return reverse(f"admin:accounts_serviceaccount_{page}", args=[account.pk])


def _news(account: ServiceAccount, user: User, now: datetime) -> News:
    can_mend = account.pk in in_reach(user, [account])
    way_on = (
        "Test it, or enter a new secret, here:"
        if can_mend
        else "An administrator can enter a new secret. You answer for it:"
    )
    return News(
        user=user,
        event="failed",
        key=_key(account, now),
        subject=f"The secret of the service account “{account.name}” does not work",
        body=(
            "Globus Auth refuses it, so nothing that acts as this service account gets "
            f"on. {way_on}"
        ),
        path=page_of(account, can_mend=can_mend),
        facts={"service_account": {"id": str(account.pk), "name": account.name}},
    )
