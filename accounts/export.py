"""What the portal knows about a person, for that person. No token, no session key."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts import telling, work
from accounts.models import (
    AuditEvent,
    OutboxMessage,
    PendingAction,
    RequirementNotice,
    ServiceAccountRole,
    ServiceAccountSecret,
    Session,
    Token,
    User,
    Webhook,
)
from accounts.vault import CannotOpen

logger = logging.getLogger(__name__)


def known_about(user: User) -> dict[str, Any]:
    """Plain values, ready for JSON; moments in ISO 8601."""
    return {
        "made_at": timezone.now().isoformat(timespec="seconds"),
        "person": _person(user),
        "tokens": [_token(each) for each in Token.objects.held_for(user)],
        "sessions": [_session(each) for each in Session.objects.filter(user=user)],
        "service_accounts_answered_for": sorted(
            user.owned_service_accounts.values_list("name", flat=True)
        ),
        "roles": [_role(each) for each in _roles(user)],
        "secrets_entered": [_entered(each) for each in _secrets(user)],
        "kept_requests": [_kept(each) for each in user.pending_actions.all()],
        "notices": [_notice(each) for each in user.notices.all()],
        "webhooks_made": [_webhook(each) for each in _webhooks(user)],
        "notifications": _wishes(user),
        "messages": [_message(each) for each in user.outbox_messages.all()],
        "work": work.of_people().known_about(user),
        "audit": [_event(each) for each in _events(user)],
    }


def _person(user: User) -> dict[str, Any]:
    return {
        "identity_id": str(user.identity_id) if user.identity_id else None,
        "username": user.identity_username,
        "name": user.name,
        "email": user.email,
        "organization": user.organization,
        "identity_provider": user.identity_provider_name,
        "linked_identities": user.linked_identities,
        "staff": user.is_staff,
        "administrator": user.is_superuser,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "first_signed_in_at": _moment(user.created_at),
        "last_signed_in_at": _moment(user.last_login),
    }


def _token(token: Token) -> dict[str, Any]:
    return {
        "resource_server": token.resource_server,
        "scope": token.scope,
        "state": token.state,
        "issued_at": _moment(token.issued_at),
        "expires_at": _moment(token.expires_at),
        "used_at": _moment(token.used_at),
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "device": session.device,
        "address": session.address,
        "signed_in_at": _moment(session.signed_in_at),
        "last_seen": _moment(session.last_seen),
    }


def _roles(user: User) -> Any:
    roles = ServiceAccountRole.objects.filter(user=user)
    return roles.select_related("service_account").order_by("service_account__name")


def _role(role: ServiceAccountRole) -> dict[str, Any]:
    return {"service_account": role.service_account.name, "may": role.roles}


def _secrets(user: User) -> Any:
    rows = ServiceAccountSecret.objects.filter(created_by=user)
    return rows.select_related("service_account").defer("sealed_secret")


def _entered(secret: ServiceAccountSecret) -> dict[str, Any]:
    """That it was entered; the secret belongs to the service account."""
    return {
        "service_account": secret.service_account.name,
        "label": secret.label,
        "entered_at": _moment(secret.created_at),
    }


def _kept(action: PendingAction) -> dict[str, Any]:
    """A request that waited for Globus, with the person's own form."""
    return {
        "method": action.method,
        "path": action.path,
        "came_from": action.came_from,
        "form": _form(action),
        "globus_wanted": action.requirement,
        "kept_at": _moment(action.created_at),
        "went_on_at": _moment(action.used_at),
    }


def _form(action: PendingAction) -> Any:
    try:
        body = action.body()
    except CannotOpen:
        logger.exception("The form of pending action %s does not open", action.pk)
        return "It does not open any more."
    return json.loads(body.reveal()) if body else None


def _notice(notice: RequirementNotice) -> dict[str, Any]:
    return {
        "says": notice.says,
        "noticed_at": _moment(notice.created_at),
        "settled_at": _moment(notice.settled_at),
    }


def _wishes(user: User) -> dict[str, Any]:
    wishes = telling.of(user)
    return {
        "mail": wishes.mail,
        "digest_hour": wishes.digest_hour,
        "zone": wishes.zone,
        "events": wishes.events,
        "webhook": wishes.webhook.url if wishes.webhook else None,
    }


def _webhooks(user: User) -> Any:
    return Webhook.objects.filter(created_by=user).defer("sealed_key")


def _webhook(webhook: Webhook) -> dict[str, Any]:
    return {"address": webhook.url, "made_at": _moment(webhook.created_at)}


def _message(message: OutboxMessage) -> dict[str, Any]:
    return {
        "subject": message.subject,
        "body": message.body,
        "state": message.state,
        "sent_at": _moment(message.sent_at),
    }


def _events(user: User) -> Any:
    about = Q(actor_id=user.pk) | Q(owner_key=user.owner_key)
    return AuditEvent.objects.filter(about).order_by("pk").iterator()


def _event(event: AuditEvent) -> dict[str, Any]:
    """What somebody else did to them names that person no more than it must."""
    return {
        "at": _moment(event.at),
        "kind": event.kind,
        "outcome": event.outcome,
        "by": event.actor_name,
        "about": event.owner_name,
        "address": event.address,
        "detail": event.detail,
    }


def _moment(moment: Any) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
