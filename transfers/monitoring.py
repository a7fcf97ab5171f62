"""Watches the tasks of a principal: one poller, few calls to Globus, few writes.

A principal with unfinished work is polled every five seconds while something moves or
somebody looks, and more and more seldom otherwise, a minute apart at most. Nobody has
to be there: the client renews its token by itself.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import (
    Case,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    Value,
    When,
)
from django.db.models.functions import Least
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import Principal, owner_fields
from portal.globus.errors import (
    GlobusFailure,
    PortalError,
    RateLimited,
)
from portal.globus.transport import WORKER
from transfers import (
    blocking,
    elsewhere,
    needs,
    places,
    queue,
)
from transfers.claims import CLAIM_LASTS
from transfers.consents import sentence_for
from transfers.jobs.following import follow_all
from transfers.models import Transfer, Watch
from transfers.taking_in import take_in
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
#: Until somebody does, only these are looked for.
LATELY = timedelta(hours=1)
#: between two looks for them at a person of whom nothing is unfinished
IDLE = timedelta(minutes=10)
#: Globus's times are whole seconds.
OVERLAP = timedelta(seconds=2)
_PACE = Watch._meta.get_field("interval_seconds")


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
            .filter(_free(now), next_poll_at__lte=now)
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
    outcome = take_in(transfers, news, now)
    follow_all(outcome.heard, now=now)
    if outcome.ended:
        blocking.release(outcome.ended, now=now)
        places.let_in(principal, now=now)
    is_begun = claimed.listed_until is not None or _is_watched(claimed, now)
    had_all = since is not None and made is not None and is_begun
    _plan_next(claimed, now, outcome.moved, until=news.until if had_all else None)


def _claim(principal: Principal, now: datetime) -> Watch | None:
    owner = owner_fields(principal)
    Watch.objects.get_or_create(**owner, defaults={"next_poll_at": now})
    if not Watch.objects.filter(_free(now), **owner).update(claimed_at=now):
        return None
    return Watch.objects.get(**owner)


def _free(now: datetime) -> Q:
    """Of watches that no monitor has in hand, so that a message is not in vain."""
    return Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_LASTS)


def _let_go(
    claimed: Watch, now: datetime, *, then: datetime | None, seconds: int, **facts: Any
) -> None:
    """A watch that was woken while this monitor asked stays awake, at its new pace.

    :param then: when to ask next; nothing to sleep
    :param seconds: the pace from then on
    """
    is_as_before = Q(next_poll_at=claimed.next_poll_at)
    planned, pace = Value(then, DateTimeField()), Value(seconds, _PACE)
    Watch.objects.filter(pk=claimed.pk, claimed_at=now).update(
        claimed_at=None,
        # PostgreSQL's LEAST passes over what is null.
        next_poll_at=Case(
            When(is_as_before, then=planned), default=Least("next_poll_at", planned)
        ),
        interval_seconds=Case(
            When(is_as_before, then=pace), default=F("interval_seconds")
        ),
        last_polled_at=now,
        **facts,
    )


def _unfinished(principal: Principal) -> list[Transfer]:
    """Without the two columns that may be large, which a round never reads."""
    rows = Transfer.objects.acted_by(principal).at_globus()
    return list(rows.defer("document", "task_document"))


def _others_since(claimed: Watch, now: datetime) -> datetime | None:
    """From when on tasks are of interest that were begun elsewhere.

    A person's always: they cost no call of their own while others are asked for. A
    service account's while somebody looks; there is no page for them but that of a run.
    """
    if not claimed.user_id and not _is_watched(claimed, now):
        return None
    if claimed.listed_until is not None:
        return claimed.listed_until - OVERLAP
    return now - (HISTORY if _is_watched(claimed, now) else LATELY)


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
    """Rests when nothing is left to watch, unless something was sent meanwhile.

    A person is looked at now and then, for what they begin elsewhere.

    :param until: up to when other tasks were looked for
    """
    is_quick = moved or _is_watched(claimed, now)
    seconds = QUICKEST if is_quick else min(SLOWEST, claimed.interval_seconds * 2)
    _let_go(
        claimed,
        now,
        then=now + timedelta(seconds=seconds),
        seconds=seconds,
        listed_until=until or claimed.listed_until,
        last_error="",
    )
    left = Transfer.objects.at_globus().filter(
        Q(user=OuterRef("user")) | Q(service_account=OuterRef("service_account"))
    )
    # The moment is named, so that a watch that was woken just now stays awake.
    Watch.objects.filter(
        ~Exists(left), pk=claimed.pk, next_poll_at=now + timedelta(seconds=seconds)
    ).update(next_poll_at=now + IDLE if claimed.user_id else None)


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
    pause = timedelta(seconds=seconds)
    if not has_work:
        pause = max(pause, IDLE)
    with transaction.atomic():
        _let_go(
            claimed,
            now,
            then=now + pause if has_work or _may_pass(claimed, err) else None,
            seconds=min(seconds, SLOWEST),
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


def _may_pass(claimed: Watch, err: PortalError) -> bool:
    """Whether looking for a person's tasks from elsewhere may work later.

    Else they sleep until the person comes and signs in.
    """
    return bool(claimed.user_id) and isinstance(err, GlobusFailure) and err.passing
