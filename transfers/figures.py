"""Figures of transfers and runs (G05). Each is a small query."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from portal.gauges import Gauge
from transfers.jobs.models import Run
from transfers.models import Transfer

LOST_AFTER = timedelta(minutes=10)


def gauges() -> list[Gauge]:
    long_ago = timezone.now() - LOST_AFTER
    silent = Q(state=Run.State.PREPARING, heartbeat_at__lt=long_ago) | Q(
        state=Run.State.WAITING, next_try_at__lt=long_ago
    )
    return [
        Gauge(
            "causeway_runs_without_heartbeat",
            "Runs that no worker has been heard of about for ten minutes.",
            Run.objects.filter(silent).count(),
        ),
        Gauge(
            "causeway_runs_unfinished",
            "Runs that have not ended.",
            Run.objects.unfinished().count(),
        ),
        Gauge(
            "causeway_transfers_unsent_overdue",
            "Transfers that should have been sent ten minutes ago.",
            Transfer.objects.unsent().filter(next_try_at__lt=long_ago).count(),
        ),
    ]
