"""``/metrics``: figures for a monitoring system, in Prometheus's text format (G05).

docs/security.md lists the alerts to make of them.
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import figures as of_accounts
from portal import counters
from portal.env import is_loopback
from transfers import figures as of_transfers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTERS = {
    "causeway_audit_entries_total": "Entries of the audit, by kind and outcome.",
    "causeway_decrypt_failures_total": "Sealed data that did not open.",
}


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For everybody else there is no such page."""
    if not may_read(request):
        raise Http404
    return HttpResponse("".join(lines()), content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    """Whoever knows the token, or, where none is set, this machine itself.

    A proxy on this machine asks from here as well, for anybody: so nothing that came
    through one is served without a token.
    """
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    came_by_proxy = settings.BEHIND_TLS_PROXY or any(
        name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via")
    )
    return not came_by_proxy and is_loopback(request.META.get("REMOTE_ADDR", ""))


def lines() -> Iterator[str]:
    counted = counters.read()
    for name, meaning in COUNTERS.items():
        yield f"# HELP {name} {meaning}\n# TYPE {name} counter\n"
        for series in sorted(counted):
            if series.partition("{")[0] == name:
                yield f"{series} {counted[series]}\n"
    for gauge in (*of_accounts.gauges(), *of_transfers.gauges()):
        yield f"# HELP {gauge.name} {gauge.meaning}\n# TYPE {gauge.name} gauge\n"
        yield f"{gauge.name} {gauge.value:g}\n"
