"""Whose turn it is while Globus takes no more tasks of a principal.

Globus keeps about a hundred unfinished tasks for each identity and refuses the next.
Who is refused waits here, as a row that is New and has ``place_asked_at``; whoever
comes later waits behind. Only the one whose turn it is tries again, and lets the next
one in when it was taken: so a full queue costs one refusal for each task that ends.

Turns are fair between whatever sends for the principal: each job, and each person, has
as many tasks at Globus as the others before one gets more; within it the oldest is
first.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, OuterRef, Subquery, Value, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from accounts.models import Principal
from transfers import queue
from transfers.jobs.models import Run
from transfers.models import Transfer, TransferQuerySet

logger = logging.getLogger(__name__)

SAYS = (
    "Globus takes no more unfinished tasks at a time, 100 as a rule, so it waits here "
    "for its turn."
)
#: the one whose turn it is looks again by itself after this long
FIRST_TRIES_AFTER = timedelta(seconds=30)
#: the others are told when it is theirs; this is for when that was lost
OTHERS_TRY_AFTER = timedelta(minutes=5)
#: who shares the places: a job, else whoever asked
_SHARE = Coalesce("run__job", "asked_by", "user", "service_account")


def in_order(principal: Principal) -> TransferQuerySet:
    """What waits for a place, the next one first."""
    at_globus = (
        Transfer.objects.acted_by(principal)
        .at_globus()
        .order_by()
        .annotate(share=_SHARE)
        .filter(share=OuterRef("share"))
        .values("share")
        .annotate(count=Count("pk"))
        .values("count")
    )
    number = Window(
        RowNumber(), partition_by=[F("share")], order_by=["created_at", "pk"]
    )
    return (
        Transfer.objects.acted_by(principal)
        .held_back()
        .annotate(share=_SHARE)
        .annotate(turn=number + Coalesce(Subquery(at_globus), Value(0)))
        .order_by("turn", "created_at", "pk")
    )


def next_in(principal: Principal) -> UUID | None:
    return in_order(principal).values_list("pk", flat=True).first()


def is_turn_of(transfer: Transfer) -> bool:
    """Whether nobody waits for a place before it; one query when nobody waits."""
    waiting = Transfer.objects.acted_by(transfer.principal).held_back()
    if not waiting.exclude(pk=transfer.pk).exists():
        return True
    return next_in(transfer.principal) == transfer.pk


def hold(transfer: Transfer) -> dict[str, Any]:
    """The columns of a transfer that goes (back) to wait for a place."""
    now = timezone.now()
    is_first = next_in(transfer.principal) in (None, transfer.pk)
    pause = FIRST_TRIES_AFTER if is_first else OTHERS_TRY_AFTER
    return {
        "place_asked_at": transfer.place_asked_at or now,
        "trying_since": None,
        "attempts": 0,
        "next_try_at": now + pause,
        "last_error": SAYS,
    }


def let_in(principal: Principal, *, now: datetime | None = None) -> UUID | None:
    """Queues whoever's turn it is, as a task has ended or one was taken."""
    pk = next_in(principal)
    if pk is not None:
        wake([pk], now=now)
    return pk


def wake(transfers: list[UUID], *, now: datetime | None = None) -> None:
    """Queues these to be tried now; the sweep does so again should that be lost."""
    now = now or timezone.now()
    soon = now + FIRST_TRIES_AFTER
    unsent = Transfer.objects.unsent().filter(pk__in=transfers)
    free = unsent.filter(claimed_at=None)
    for pk in free.filter(run=None).values_list("pk", flat=True):
        # One that a worker has taken by now says when that one is taken for dead.
        if free.filter(pk=pk).update(next_try_at=soon):
            queue.send_transfer(pk)
    runs = Run.objects.filter(state=Run.State.WAITING, transfer__in=unsent)
    for pk in runs.values_list("pk", flat=True):
        Run.objects.filter(pk=pk).update(next_try_at=soon)
        queue.execute_run(pk)


def before(transfer: Transfer) -> int | None:
    """How many go first; nothing for one that does not wait for a place."""
    if transfer.place_asked_at is None or transfer.status != Transfer.Status.NEW:
        return None
    order = in_order(transfer.principal).values_list("pk", flat=True)
    for position, pk in enumerate(order[:1000]):
        if pk == transfer.pk:
            return position
    return None
