"""What is done to a person's account, by themselves or by an administrator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest

from accounts import audit, revocation, work
from accounts.models import User, Webhook
from portal import sessions


def hold(identity_id: UUID) -> None:
    """Waits until no other transaction signs this identity in or deletes its account;
    then others wait for this one."""
    key = int.from_bytes(identity_id.bytes[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def switch_off(person: User, *, by: User, reason: str) -> None:
    """Out everywhere, and nobody acts for them any more (L25).

    :raises GlobusUnreachable: a renewal is going on; nothing was changed
    """
    with transaction.atomic():
        person.is_active = False
        person.save(update_fields=["is_active"])
        sessions.end_all(person)
        audit.record("person:self:switch-off", actor=by, owner=person, reason=reason)
        revocation.revoke_all(person, by=by, reason=reason)


def switch_on(person: User, *, by: User, reason: str) -> None:
    with transaction.atomic():
        person.is_active = True
        person.save(update_fields=["is_active"])
        audit.record("person:self:switch-on", actor=by, owner=person, reason=reason)


def end_sessions(
    person: User, *, by: User, reason: str = "", but: str | None = None
) -> int:
    """:param but: the key of the one session that goes on; :returns: how many ended"""
    with transaction.atomic():
        ended = sessions.end_all(person, but=but)
        audit.record(
            "person:session:end", actor=by, owner=person, reason=reason, ended=ended
        )
    return ended


def follow_groups(person: User, *, is_staff: bool, is_superuser: bool) -> None:
    """Gives and takes the rights that Globus groups stand for, and writes it down."""
    if (person.is_staff, person.is_superuser) == (is_staff, is_superuser):
        return
    person.is_staff, person.is_superuser = is_staff, is_superuser
    with transaction.atomic():
        person.save(update_fields=["is_staff", "is_superuser"])
        audit.record(
            "person:rights:change",
            owner=person,
            by="Globus groups, at a sign-in",
            **rights_of(person),
        )


def rights_of(person: User) -> dict[str, Any]:
    """For the audit: all that decides what somebody may do."""
    permissions = person.user_permissions.values_list("codename", flat=True)
    return {
        "is_staff": person.is_staff,
        "is_superuser": person.is_superuser,
        "groups": sorted(person.groups.values_list("name", flat=True)),
        "permissions": sorted(permissions),
    }


def consequences_of_revoking(person: User) -> list[str]:
    return work.of_people().consequences(person)


def consequences_of_deleting(person: User) -> list[str]:
    return [
        *work.of_people().consequences(person),
        "You are signed out in every browser, and the portal's tokens for you are "
        "revoked at Globus.",
        "Your name, your e-mail address and the list of your transfers are deleted "
        "here. At Globus nothing is deleted.",
        "What you did with the portal's credentials and rights stays in its audit, "
        "which nobody can change.",
    ]


def obstacles_to_deleting(person: User) -> list[str]:
    """In sentences; empty when the account can go."""
    found = work.of_people().obstacles(person)
    accounts = person.owned_service_accounts.order_by("name")
    found += [f"You answer for the service account “{each}”." for each in accounts]
    if person.identity_id is None:
        found.append("This is a local account, which is removed where it was made.")
    return found


def delete(person: User, *, request: HttpRequest) -> None:
    """The person's row and all that hangs on it; the audit keeps what was done.

    :raises GlobusUnreachable: a renewal is going on; nothing was changed
    """
    with transaction.atomic():
        if person.identity_id is not None:
            # A sign-in that is going on would bring tokens to nobody.
            hold(person.identity_id)
        revocation.revoke_all(person, by=person, reason="account deleted")
        audit.record("person:self:delete", owner=person, request=request)
        sessions.end_all(person)
        work.of_people().forget(person)
        Webhook.objects.filter(wishes__user=person).delete()
        # By key: the object stays whole for whoever still shows it.
        User.objects.filter(pk=person.pk).delete()
