"""Looks now and then whether people's timers still run, so that a repeat that fails or
waits for its owner is no silence.

One call for all timers of a person. Pages that list them say what they saw, too, so
that what was mended is gone at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import telling
from accounts.clients import timers_client
from accounts.models import User
from accounts.telling import News
from portal.globus.errors import GlobusFailure, PortalError
from portal.globus.transport import WORKER
from transfers import queue, timer_instead, timers
from transfers.models import TimerWatch, Transfer, TroubledTimer
from transfers.storable import storable_text
from transfers.templatetags.names import inert_text
from transfers.timers import Timer

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
#: A failure of a timer that has ended is news for this long.
SHOWN_FOR = timedelta(days=3)
#: people whose check one sweep queues
BATCH = 500
_Kind = TroubledTimer.Kind


def watch(user: User) -> None:
    """The person uses timers here; wakes a watch that sleeps, or is about to."""
    TimerWatch.objects.update_or_create(
        user=user, defaults={"next_check_at": timezone.now() + EVERY}
    )


def queue_due(now: datetime) -> None:
    """Two sweeps at once share them; a message that is lost comes again."""
    due = TimerWatch.objects.filter(next_check_at__lte=now)
    if not due.exists():
        return
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=True).order_by("next_check_at")
        found = list(locked.values_list("pk", flat=True)[:BATCH])
        TimerWatch.objects.filter(pk__in=found).update(next_check_at=now + EVERY)
        for pk in found:
            queue.check_timers(pk)


def check(user: User, *, now: datetime | None = None) -> None:
    """Asks Globus once. When nothing is learnt nothing changes; a dead sign-in or a
    consent that was taken back is told by whatever needs it.
    """
    now = now or timezone.now()
    watches = TimerWatch.objects.filter(user=user)
    before = watches.values_list("next_check_at", flat=True).first()
    # One that was woken while Globus was asked stays awake.
    as_before = watches.filter(next_check_at=before)
    try:
        found = timers.mine(timers_client(user, WORKER))
    except PortalError as err:
        may_pass = isinstance(err, GlobusFailure) and err.passing
        if not may_pass:
            as_before.update(next_check_at=None)
        logger.warning(
            "The timers of %s were not seen: %s", user.pk, type(err).__name__
        )
        return
    note(user, found, now=now)
    watches.update(checked_at=now)
    if all(timer.has_ended for timer in found):
        as_before.update(next_check_at=None)


def note(user: User, found: Iterable[Timer], *, now: datetime | None = None) -> None:
    """Writes down which of all timers of a person are in trouble; tells of new ones.

    Noticing and telling is one transaction, and the key names the run, so that of two
    checks at once one tells.
    """
    now = now or timezone.now()
    seen = list(found)
    failed = _failed_tasks(user, seen)
    rows = [row for timer in seen if (row := _trouble(user, timer, failed, now))]
    known = dict(TroubledTimer.objects.filter(user=user).values_list("pk", "key"))
    if not rows and not known:
        return
    with transaction.atomic():
        gone = set(known) - {row.pk for row in rows}
        telling.unsay([f"{known[pk]}:user:{user.pk}" for pk in gone])
        TroubledTimer.objects.filter(user=user, pk__in=gone).delete()
        TroubledTimer.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["name", "kind", "says", "since", "key"],
        )
        telling.tell(_news(row) for row in rows if known.get(row.pk) != row.key)


def forget(user: User, timer_id: UUID) -> None:
    """It was deleted, or goes on."""
    TroubledTimer.objects.filter(user=user, pk=timer_id).delete()


def _failed_tasks(user: User, seen: Sequence[Timer]) -> dict[UUID, Transfer]:
    latest = [timer.results[0].task_id for timer in seen if timer.results]
    mine = Transfer.objects.owned_by(user).filter(
        task_id__in=[each for each in latest if each], status=Transfer.Status.FAILED
    )
    rows = mine.defer("document", "task_document")
    return {each.task_id: each for each in rows if each.task_id}


def _trouble(
    user: User, timer: Timer, failed: dict[UUID, Transfer], now: datetime
) -> TroubledTimer | None:
    row = TroubledTimer(id=timer.id, user=user, name=storable_text(timer.name)[:255])
    if timer.waits_for_owner:
        row.kind, row.since = _Kind.WAITS, timer.last_run_at
        row.says = "Globus repeats it no more until you allow it anew."
    elif timer.is_paused or not timer.results:
        return None
    else:
        latest = timer.results[0]
        if timer.has_ended and (latest.ran_at or now) < now - SHOWN_FOR:
            return None
        row.kind, row.since = _Kind.FAILED, latest.ran_at
        transfer = failed.get(latest.task_id) if latest.task_id else None
        if latest.error:
            row.says = f"Its last run was not sent: {storable_text(latest.error)}"[:500]
        elif transfer is not None and not transfer.was_cancelled:
            row.says = f"Its last run failed. {transfer.says}"[:500]
        else:
            return None
        if timer_instead.mended(user, timer):
            return None
    row.key = f"timer:{timer.id}:{row.kind}:{row.since and row.since.isoformat()}"
    return row


def _news(row: TroubledTimer) -> News:
    waits = row.kind == _Kind.WAITS
    return News(
        user=row.user,
        event=row.kind,
        key=row.key,
        subject=f"The timer “{inert_text(row.name)}” "
        + ("waits for you" if waits else "has failed"),
        body=f"{inert_text(row.says)}\n\nLook at it here:",
        path=reverse("transfers:timer", args=[row.pk]),
        facts={"timer": {"id": str(row.pk), "name": row.name, "says": row.says}},
    )
