"""Which rows wait for a person, and how many they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts import broken_credentials
from accounts.models import Token, User, Webhook
from transfers.jobs.permissions import jobs_open_to
from transfers.models import Job, Run, Transfer, TransferQuerySet, TroubledTimer

#: A failure that nobody looked after is news for this long.
FAILURES_SHOWN_FOR = timedelta(days=3)
MOST = 50


def count(user: User) -> int:
    """How many there are, for every page's header: one query."""
    now = timezone.now()
    if user.is_staff:
        return sum(_counts(user, now).first() or ())
    text, values = _prepared()
    with connection.cursor() as cursor:
        cursor.execute(text, [_put_in(value, user, now) for value in values])
        return sum(cursor.fetchone() or ())


def _counts(user: User, now: datetime) -> QuerySet[User, tuple[int, ...]]:
    mine = Transfer.objects.owned_by(user)
    dead = Token.objects.held_for(user).filter(state=Token.State.NEEDS_SIGN_IN)
    open_ones = mine.waiting() | mine.stalled(now) | unmended(mine, now)
    counted: list[QuerySet[Any]] = [
        dead.order_by()[:1],
        open_ones.order_by()[: MOST + 1],
        TroubledTimer.objects.filter(user=user).order_by(),
        dead_webhooks(user),
    ]
    if user.is_staff:
        counted += [
            unwell_runs(user),
            broken_credentials.broken_for(user),
            deaf_jobs(user),
        ]
    columns = [_Count(rows.values("pk")) for rows in counted]
    return User.objects.order_by().filter(pk=user.pk).values_list(*columns)


#: Whoever and whenever stands in the prepared query, for values that are put in later.
_SOMEBODY = User(pk=UUID(int=1))
_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@cache
def _prepared() -> tuple[str, tuple[Any, ...]]:
    """The query with its values, for people who are no staff.

    To build it takes 4 ms of the processor, thirty times as long as to ask it.
    """
    # ``first`` would set the limit; there is one row of this key.
    return _counts(_SOMEBODY, _SOME_TIME).query.sql_with_params()


def _put_in(value: Any, user: User, now: datetime) -> Any:
    if isinstance(value, datetime):
        return now + (value - _SOME_TIME)
    return user.pk if value == _SOMEBODY.pk else value


class _Count(Subquery):
    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def unmended(mine: TransferQuerySet, now: datetime) -> TransferQuerySet:
    """What failed lately, here, and was not sent again."""
    cancelled = Q(error_code="CANCELED")
    return mine.filter(
        ~cancelled,
        ~Exists(Transfer.objects.filter(again_of=OuterRef("pk")).order_by()),
        status=Transfer.Status.FAILED,
        finished_at__gte=now - FAILURES_SHOWN_FOR,
    ).exclude(origin=Transfer.Origin.ELSEWHERE)


def dead_webhooks(user: User) -> QuerySet[Webhook]:
    return Webhook.objects.filter(wishes__user=user, off_at__isnull=False)


def deaf_jobs(user: User) -> QuerySet[Job]:
    return Job.objects.filter(owner=user, webhook__off_at__isnull=False)


def unwell_runs(user: User) -> QuerySet[Run]:
    latest = (
        Run.objects.filter(job__in=jobs_open_to(user), job__enabled=True)
        .order_by("job_id", "-created_at")
        .distinct("job_id")
    )
    return Run.objects.filter(
        pk__in=latest.values("pk"), state__in=[Run.State.FAILED, Run.State.STALLED]
    )
