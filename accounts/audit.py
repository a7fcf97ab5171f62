"""Writes down who did what with which credential (security.md A05)."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from accounts.models import AuditEvent, User
from portal import counters, current
from portal.prepared import insert

Outcome = AuditEvent.Outcome


class Owner(Protocol):
    """A principal, or what is left of one that was deleted; its text is the name."""

    @property
    def owner_key(self) -> str: ...


def record(
    kind: str,
    *,
    actor: User | None = None,
    owner: Owner | None = None,
    credential_id: UUID | None = None,
    outcome: AuditEvent.Outcome = Outcome.OK,
    request: HttpRequest | None = None,
    **detail: Any,
) -> AuditEvent:
    """Adds one entry, in the caller's transaction.

    :param kind: ``subject:object:verb``, e.g. ``service-account:secret:replace``
    :param actor: who did it; by default whoever is signed in in ``request``
    :param owner: the person or service account that it concerns
    :param detail: small facts; never a secret
    """
    if actor is None and request is not None and isinstance(request.user, User):
        actor = request.user
    # From where and in which request is known also to those who are not told.
    where = request or current.request()
    event = AuditEvent(
        kind=kind,
        outcome=outcome,
        actor_id=actor.pk if actor else None,
        actor_name=str(actor)[:255] if actor else "",
        owner_key=owner.owner_key if owner else "",
        owner_name=str(owner)[:255] if owner else "",
        credential_id=credential_id,
        address=where.META.get("REMOTE_ADDR") or None if where else None,
        request_id=getattr(where, "request_id", ""),
        detail=detail,
    )
    insert(event)
    # Afterwards: until the commit, all others who write an entry wait for this one.
    transaction.on_commit(partial(_count, kind, str(outcome)))
    return event


def _count(kind: str, outcome: str) -> None:
    counters.count("causeway_audit_entries_total", kind=kind, outcome=outcome)


def path_of(request: HttpRequest) -> str:
    """For a detail; what cannot be shown or stored is left out."""
    return "".join(char for char in request.path if char.isprintable())[:200]
