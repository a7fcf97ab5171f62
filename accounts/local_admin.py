"""Signing in with a local password, at /admin/ only and where it is switched on (A04).

Also the backend that answers ``has_perm`` for everybody.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db import connection, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.models import AuditEvent, User

logger = logging.getLogger(__name__)

KIND = "person:local:sign-in"
MOST_FAILURES = 5
WITHIN = timedelta(minutes=15)
#: one attempt at a time, so that a burst of them is not counted too late
LOCK = 0x10CA1


class LocalAdmin(ModelBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Nobody, for a wrong password and after too many of them alike."""
        if not settings.LOCAL_ADMIN or request is None or not username or not password:
            return None
        trace = trace_of(username)
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if is_blocked(request, trace):
                logger.warning("Too many local sign-ins; one more was not looked at")
                return None
            user = super().authenticate(request, username, password, **kwargs)
            if not isinstance(user, User) or not user.is_staff:
                user = None
            audit.record(
                KIND,
                actor=user,
                owner=user,
                outcome=audit.Outcome.OK if user else audit.Outcome.REFUSED,
                request=request,
                name=trace,
            )
        return user

    def get_user(self, user_id: Any) -> User | None:
        if not settings.LOCAL_ADMIN:
            return None
        user = super().get_user(user_id)
        return user if isinstance(user, User) else None


def is_blocked(request: HttpRequest, trace: str) -> bool:
    """Whether this name, or this address, has failed too often of late."""
    failed = AuditEvent.objects.filter(
        kind=KIND,
        outcome=audit.Outcome.REFUSED,
        at__gt=timezone.now() - WITHIN,
    )
    address = request.META.get("REMOTE_ADDR") or None
    by_name = failed.filter(detail__name=trace).count()
    by_address = failed.filter(Q(address=address)).count() if address else 0
    return max(by_name, by_address) >= MOST_FAILURES


def trace_of(username: str) -> str:
    """Names what was typed without writing it down: it may be a password."""
    return sha256(username.encode("utf-8", "replace")).hexdigest()[:16]
