"""Figures of credentials, sign-ins and the audit (G05). Each is a small query."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Min
from django.utils import timezone

from accounts.audit import Outcome
from accounts.models import AuditEvent, AuditUnsealed, Revocation, Token, User
from portal.gauges import Gauge

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def gauges() -> list[Gauge]:
    return [*_sign_ins(), *_tokens(), *_audit()]


def _sign_ins() -> list[Gauge]:
    now = timezone.now()
    kinds = ("person:session:sign-in", "person:session:replay", "person:local:sign-in")
    refused = AuditEvent.objects.filter(
        kind__in=kinds, outcome=Outcome.REFUSED, at__gt=now - MINUTE
    ).count()
    replays = AuditEvent.objects.filter(
        kind="person:session:replay", at__gt=now - DAY
    ).count()
    return [
        Gauge(
            "causeway_sign_ins_refused_last_minute",
            "Sign-ins that were refused in the last minute.",
            refused,
        ),
        Gauge(
            "causeway_state_replays_last_day",
            "Answers of Globus that came a second time, in the last day.",
            replays,
        ),
    ]


def _tokens() -> list[Gauge]:
    people = User.objects.filter(is_active=True, tokens__isnull=False)
    active = people.distinct().count()
    dead = people.filter(tokens__state=Token.State.NEEDS_SIGN_IN).distinct().count()
    return [
        Gauge("causeway_people_with_tokens", "People who have signed in.", active),
        Gauge(
            "causeway_people_needing_sign_in",
            "People whose tokens have died and who have to sign in again.",
            dead,
        ),
        Gauge(
            "causeway_people_needing_sign_in_ratio",
            "Their share of all people who have signed in, 0 to 1.",
            dead / active if active else 0,
        ),
        Gauge(
            "causeway_revocations_pending",
            "Tokens that Globus has not been told to revoke yet.",
            Revocation.objects.count(),
        ),
    ]


def _audit() -> list[Gauge]:
    first = AuditUnsealed.objects.aggregate(first=Min("event_id"))["first"]
    event = AuditEvent.objects.filter(pk=first).first() if first else None
    age = (timezone.now() - event.at).total_seconds() if event else 0
    return [
        Gauge(
            "causeway_audit_unsealed_seconds",
            "Age of the oldest entry of the audit that has no seal.",
            max(0, age),
        )
    ]
