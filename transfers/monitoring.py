"""Watches the tasks of a principal: one poller, few calls to Globus, few writes.

A principal with unfinished work is polled every five seconds while something moves or
somebody looks, and more and more seldom otherwise, a minute apart at most. Nobody has
to be there: the client renews its token by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import Principal, owner_fields
from portal.globus.errors import PortalError, RateLimited, SignInRequired
from portal.globus.transport import WORKER
from transfers import (
    blocking,
    details,
    elsewhere,
    history,
    keeping,
    needs,
    places,
    queue,
    wishes,
)
from transfers.absorbing import absorb, miss, write
from transfers.claims import CLAIM_LASTS
from transfers.consents import sentence_for
from transfers.jobs.following import follow_all
from transfers.models import Transfer, Watch
from transfers.task_list import News, ask_globus

logger = logging.getLogger(__name__)

QUICKEST = 5  # seconds between polls while something moves
SLOWEST = 60  # seconds: what the pages say is fresh within a minute
#: how long a due poll may wait for its message before it is sent again
MESSAGE_LASTS = timedelta(seconds=60)
#: A page that is open says so this often; it counts for twice as long.
LOOK_EVERY = timedelta(seconds=15)
LOOK_LASTS = LOOK_EVERY * 2
#: Who opens the list is shown tasks from elsewhere that are no older, at first.
HISTORY = timedelta(days=30)
#: Globus's times are whole seconds.
OVERLAP = timedelta(seconds=2)


def watch(principal: Principal, *, now: datetime | None = None) -> None:
    """Polls soon, and quickly at first: something was sent."""
    now = now or timezone.now()
    owner = owner_fields(principal)
    _, made = Watch.objects.get_or_create(**owner, defaults={"next_poll_at": now})
    if not made:
        Watch.objects.filter(**owner).update(
            next_poll_at=now, interval_seconds=QUICKEST
        )


def look(principal: Principal, *, now: datetime | None = None) -> None:
    """Somebody has a page open that shows tasks of this principal.

    Wakes a watch that sleeps, since tasks may have been begun elsewhere. Cheap to call
    from every page and poll: the database is asked once in fifteen seconds.
    """
    now = now or timezone.now()
    seen = f"looked:{principal.owner_key}"
    if not cache.add(seen, True, LOOK_EVERY.total_seconds()):
        return
    owner = owner_fields(principal)
    _, made = Watch.objects.get_or_create(
        **owner, defaults={"next_poll_at": now, "looked_at": now}
    )
    if made:
        return
    rows = Watch.objects.filter(**owner)
    rows.update(looked_at=now)
    soon = now + timedelta(seconds=QUICKEST)
    rows.filter(next_poll_at__gt=soon).update(
        next_poll_at=soon, interval_seconds=QUICKEST
    )
    rested = Q(last_polled_at=None) | Q(last_polled_at__lt=now - LOOK_LASTS)
    rows.filter(rested, next_poll_at=None).update(next_poll_at=now)


def queue_due_polls(*, now: datetime | None = None, limit: int = 1000) -> int:
    """Queues a poll for every principal whose time has come; two at once share them.

    :returns: how many
    """
    now = now or timezone.now()
    with transaction.atomic():
        due = (
            Watch.objects.select_for_update(skip_locked=True)
            .filter(next_poll_at__lte=now)
            .order_by("next_poll_at")[:limit]
        )
        watches = list(due)
        if watches:
            Watch.objects.filter(pk__in=[each.pk for each in watches]).update(
                next_poll_at=now + MESSAGE_LASTS
            )
        for each in watches:
            queue.poll_transfers(*each.key)
    return len(watches)


def poll(principal: Principal, *, now: datetime | None = None) -> None:
    """Brings a principal's unfinished transfers, and their runs, up to date.

    One monitor at a time; another one that comes meanwhile goes away again. When
    nothing was learnt, nothing changes but the watch, which says why.
    """
    now = now or timezone.now()
    claimed = _claim(principal, now)
    if claimed is None:
        return
    transfers = _unfinished(principal)
    client = transfer_client(principal, WORKER)
    since = _others_since(claimed, now)
    try:
        news = ask_globus(client, transfers, since=since)
    except PortalError as err:
        _put_off(claimed, principal, err, now, has_work=bool(transfers))
        return
    made = elsewhere.adopt(principal, news.others.values())
    if made:
        transfers += _adopted(principal, news)
    outcome = _take_in(transfers, news, now)
    follow_all(outcome.heard, now=now)
    if outcome.ended:
        blocking.release(outcome.ended, now=now)
        places.let_in(principal, now=now)
    had_all = since is not None and made is not None
    _plan_next(claimed, now, outcome.moved, until=news.until if had_all else None)


def _claim(principal: Principal, now: datetime) -> Watch | None:
    owner = owner_fields(principal)
    Watch.objects.get_or_create(**owner, defaults={"next_poll_at": now})
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_LASTS)
    if not Watch.objects.filter(free, **owner).update(claimed_at=now):
        return None
    return Watch.objects.get(**owner)


def _unfinished(principal: Principal) -> list[Transfer]:
    """Without the two columns that may be large, which a round never reads."""
    rows = Transfer.objects.acted_by(principal).at_globus()
    return list(rows.defer("document", "task_document"))


def _others_since(claimed: Watch, now: datetime) -> datetime | None:
    """From when on tasks are of interest that were begun elsewhere."""
    if not _is_watched(claimed, now):
        return None
    if claimed.listed_until is None:
        return now - HISTORY
    return claimed.listed_until - OVERLAP


def _is_watched(claimed: Watch, now: datetime) -> bool:
    return claimed.looked_at is not None and now - claimed.looked_at < LOOK_LASTS


def _adopted(principal: Principal, news: News) -> list[Transfer]:
    """The rows that were made just now; what was told of them counts at once."""
    mine = Transfer.objects.acted_by(principal).at_globus()
    rows = mine.filter(task_id__in=list(news.others)).defer("document", "task_document")
    for each in rows:
        assert each.task_id is not None
        news.ours[each.task_id] = news.others[each.task_id]
    return list(rows)


def _plan_next(
    claimed: Watch, now: datetime, moved: bool, *, until: datetime | None
) -> None:
    """Sleeps when nothing is left to watch, unless something was sent meanwhile.

    :param until: up to when other tasks were looked for
    """
    is_quick = moved or _is_watched(claimed, now)
    seconds = QUICKEST if is_quick else min(SLOWEST, claimed.interval_seconds * 2)
    Watch.objects.filter(pk=claimed.pk, claimed_at=now).update(
        claimed_at=None,
        next_poll_at=now + timedelta(seconds=seconds),
        interval_seconds=seconds,
        last_polled_at=now,
        listed_until=until or claimed.listed_until,
        last_error="",
    )
    left = Transfer.objects.at_globus().filter(
        Q(user=OuterRef("user")) | Q(service_account=OuterRef("service_account"))
    )
    # The moment is named, so that a watch that was woken just now stays awake.
    Watch.objects.filter(
        ~Exists(left), pk=claimed.pk, next_poll_at=now + timedelta(seconds=seconds)
    ).update(next_poll_at=None)


def _put_off(
    claimed: Watch,
    principal: Principal,
    err: PortalError,
    now: datetime,
    *,
    has_work: bool,
) -> None:
    asked = err.retry_after if isinstance(err, RateLimited) else None
    seconds = max(min(SLOWEST, claimed.interval_seconds * 2), min(asked or 0, 3600))
    says = needs.sentence(principal, err) or sentence_for(principal, err)
    with transaction.atomic():
        Watch.objects.filter(pk=claimed.pk, claimed_at=now).update(
            claimed_at=None,
            next_poll_at=now + timedelta(seconds=seconds) if has_work else None,
            interval_seconds=min(seconds, SLOWEST),
            last_polled_at=now,
            last_error=says[:500],
        )
        if has_work:
            needs.tell(principal, err, says=says)
    logger.warning(
        "The tasks of %s were not polled: %s %s",
        principal.owner_key,
        type(err).__name__,
        getattr(err, "code", ""),
    )


@dataclass
class Outcome:
    """What a round did to the rows.

    :ivar heard: ids of the transfers that there was news of
    :ivar ended: task ids
    """

    heard: Sequence[UUID]
    ended: Sequence[UUID]
    moved: bool


def _take_in(transfers: Iterable[Transfer], news: News, now: datetime) -> Outcome:
    """Writes the news down."""
    heard = [each for each in transfers if each.task_id in news.ours]
    moving: list[Transfer] = []
    inactive: list[Transfer] = []
    troubled: list[Transfer] = []
    changed = False
    for transfer in heard:
        assert transfer.task_id is not None
        document = news.ours[transfer.task_id]
        before = (transfer.status, transfer.moved_at)
        had_trouble = transfer.fault_since is not None or transfer.is_paused
        if document is None:
            miss(transfer, now)
        else:
            absorb(transfer, document, now)
        changed |= before != (transfer.status, transfer.moved_at)
        if transfer.moved_at == now:
            moving.append(transfer)
        if transfer.status == Transfer.Status.INACTIVE != before[0]:
            inactive.append(transfer)
        if not had_trouble and (transfer.fault_since or transfer.is_paused):
            troubled.append(transfer)
    write(heard)
    for transfer in heard:
        _forget_listings(transfer)
    history.keep_samples(moving, now)
    for transfer in inactive:
        needs.tell(transfer.principal, SignInRequired(), says=transfer.says)
    details.look_into(troubled, now=now)
    _stop_stalled(heard, now)
    return Outcome(
        heard=[each.pk for each in heard],
        ended=[each.task_id for each in heard if each.is_finished and each.task_id],
        moved=changed,
    )


def _forget_listings(transfer: Transfer) -> None:
    """What a finished task changed is not shown from what was kept before."""
    if transfer.is_finished and transfer.user_id:
        keeping.forget(transfer.user_id, transfer.destination_id or transfer.source_id)


def _stop_stalled(transfers: Iterable[Transfer], now: datetime) -> None:
    """Cancels what stands still, where its sender wished so."""
    stalled = [
        each
        for each in transfers
        if each.cancel_if_stalled
        and each.status == Transfer.Status.ACTIVE
        and each.stands_still(now)
    ]
    wishes.want_cancelled(stalled, now=now)
