"""Whose work is not done yet: their tokens are kept fresh (``accounts.upkeep``)."""

from django.db.models import Exists, OuterRef, Q

from transfers.jobs.models import Run
from transfers.models import Transfer


def owners_at_work() -> Q:
    """Matches the tokens of people and service accounts that have unfinished work."""
    transfers = Transfer.objects.unfinished()
    runs = Run.objects.exclude(state__in=Run.FINISHED)
    return (
        Q(Exists(transfers.filter(user=OuterRef("user"))))
        | Q(Exists(transfers.filter(service_account=OuterRef("service_account"))))
        | Q(Exists(runs.filter(service_account=OuterRef("service_account"))))
    )
