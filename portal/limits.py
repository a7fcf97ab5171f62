"""How often somebody may do something that costs rows or requests (security.md L29).

Kept in PostgreSQL, because every web process must see the same count and a sign-in
stores rows there anyway. So there is no state of its own that could fail: without the
database nobody can sign in, and no sign-in passes uncounted. Redis was the other way;
it may be wiped at any moment, and a limit that goes with it is none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Allowance, User
from portal.globus.errors import TooMany

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
#: those of two web hosts, at the most
CLOCKS_DIFFER_SECONDS = 5


@dataclass(frozen=True)
class Limit:
    """So many times in any span of this length."""

    times: int
    within: timedelta


def take(what: str, request: HttpRequest, limits: Sequence[Limit]) -> None:
    """Counts one, unless that would be one too many; what is refused is not counted.

    :param what: a word for what is done
    :raises TooMany: and when it is worth another try
    """
    key = f"{what}:{who(request)}"
    longest = max(limit.within for limit in limits).total_seconds()
    with transaction.atomic():
        Allowance.objects.bulk_create([Allowance(key=key)], ignore_conflicts=True)
        row = Allowance.objects.select_for_update().get(key=key)
        # Not before the lock: whoever had it meanwhile wrote a later moment. One far
        # ahead is of a clock that was set back since, and must lock nobody out.
        now = timezone.now().timestamp()
        taken = [
            moment
            for moment in row.taken
            if now - longest < moment <= now + CLOCKS_DIFFER_SECONDS
        ]
        wait = max(seconds_to_wait(taken, limit, now) for limit in limits)
        if wait <= 0:
            row.taken = [*taken, now]
            row.last_at = datetime.fromtimestamp(now, UTC)
            row.save(update_fields=["taken", "last_at"])
    if wait > 0:
        raise TooMany(retry_after=int(wait) + 1)


def seconds_to_wait(taken: Sequence[float], limit: Limit, now: float) -> float:
    """Until there is room for one more; 0 if there is.

    :param taken: seconds since 1970, oldest first
    """
    within = limit.within.total_seconds()
    recent = [moment for moment in taken if moment > now - within]
    if len(recent) < limit.times:
        return 0.0
    return recent[-limit.times] + within - now


def who(request: HttpRequest) -> str:
    """Whom to count for: the person, or for strangers the address.

    People who share an address, such as those of a whole campus, do not use up each
    other's allowance once they are signed in.
    """
    if isinstance(request.user, User):
        return request.user.owner_key
    return f"address:{network_of(request.META.get('REMOTE_ADDR', ''))}"


def network_of(address: str) -> str:
    """One IPv4 address, or the /64 that one IPv6 household or host has to itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def delete_unused(*, now: datetime | None = None) -> int:
    """Takes away what no limit looks at any more."""
    now = now or timezone.now()
    return Allowance.objects.filter(last_at__lt=now - 2 * HOUR).delete()[0]
