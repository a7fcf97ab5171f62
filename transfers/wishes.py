"""Wishes to cancel, which workers carry out: noted at once, told to Globus soon."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from transfers import queue
from transfers.models import Transfer


def want_cancelled(transfers: Iterable[Transfer], *, now: datetime) -> int:
    """Lets workers cancel these, however many; for who does not wait for Globus.

    :returns: how many were not finished, nor being cancelled already
    """
    found = [each.pk for each in transfers if each.can_be_cancelled]
    if not found:
        return 0
    with transaction.atomic():
        Transfer.objects.unfinished().filter(pk__in=found).update(cancel_wanted_at=now)
        for pk in found:
            queue.cancel_transfer(pk)
    return len(found)
