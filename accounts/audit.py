"""Writes down who did what with which credential (security.md A05)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from accounts.models import AuditEvent, Principal, User

Outcome = AuditEvent.Outcome


def record(
    kind: str,
    *,
    actor: User | None = None,
    owner: Principal | None = None,
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
    return AuditEvent.objects.create(
        kind=kind,
        outcome=outcome,
        actor_id=actor.pk if actor else None,
        actor_name=str(actor)[:255] if actor else "",
        owner_key=owner.owner_key if owner else "",
        owner_name=str(owner)[:255] if owner else "",
        credential_id=credential_id,
        address=request.META.get("REMOTE_ADDR") or None if request else None,
        request_id=getattr(request, "request_id", ""),
        detail=detail,
    )
