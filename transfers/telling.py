"""Tells people when a transfer of theirs ends, or does not get on; each of it once.

A sweep reads the rows themselves, as ``transfers.jobs.notify`` does for runs, so that
it does not matter who changed one or how: the monitor, a worker that sends, a person in
the Globus web app. Noting that a row was looked at and putting the message into the
outbox is one transaction, and the keys of messages are unique.

What a service account does is told to the people of its job instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse

from accounts import telling
from accounts.telling import News
from transfers import stalls
from transfers.attention import name_of_transfer
from transfers.models import Transfer, TransferQuerySet
from transfers.templatetags.names import inert_text

#: rows that are looked at in one transaction, and how many of these one sweep makes
BATCH = 500
MOST_BATCHES = 20
#: An end that was noticed later than this is no news any more.
NEWS_FOR = timedelta(days=3)
_HEAVY = ("document", "task_document")
_S = Transfer.Status


def sweep(now: datetime) -> None:
    """Safe to call at any time, by any number of processes."""
    for _ in range(MOST_BATCHES):
        if tell_of_ends(now) < BATCH:
            break
    tell_of_trouble(now)
    forget_trouble(now)


def tell_of_ends(now: datetime) -> int:
    """:returns: how many were looked at"""
    untold = Transfer.objects.finished().filter(
        told_at__isnull=True, user__isnull=False, finished_at__gte=now - NEWS_FOR
    )
    if not untold.exists():
        return 0  # nearly always; without a transaction
    with transaction.atomic():
        found = _taken(untold.order_by("finished_at"))
        telling.tell(_of_end(each) for each in found if not each.was_cancelled)
        Transfer.objects.filter(pk__in=[each.pk for each in found]).update(told_at=now)
    return len(found)


def in_trouble(now: datetime) -> TransferQuerySet:
    """What does not get on: at Globus, or here behind another one."""
    blocked = Transfer.objects.waiting().filter(blocked_at__isnull=False)
    return Transfer.objects.stalled(now) | blocked


def tell_of_trouble(now: datetime) -> None:
    """Inactive ones are left out: they are told as what Globus wants of the person."""
    untold = in_trouble(now).filter(user__isnull=False, trouble_told_at__isnull=True)
    untold = untold.exclude(status=_S.INACTIVE)
    if not untold.exists():
        return
    with transaction.atomic():
        found = _taken(untold.order_by("created_at"))
        telling.tell(_of_trouble(each, now) for each in found)
        pks = [each.pk for each in found]
        Transfer.objects.filter(pk__in=pks).update(trouble_told_at=now)


def forget_trouble(now: datetime) -> None:
    """What gets on again is told anew, should it stop once more.

    What has not left yet, because it is mailed in a digest, is not told any more.
    """
    told = Transfer.objects.filter(trouble_told_at__isnull=False, user__isnull=False)
    mended = told.exclude(pk__in=in_trouble(now).order_by().values("pk"))
    if not mended.exists():
        return
    with transaction.atomic():
        found = _taken(mended.order_by("trouble_told_at"))
        telling.unsay([_trouble_key(each) for each in found])
        pks = [each.pk for each in found]
        Transfer.objects.filter(pk__in=pks).update(trouble_told_at=None)


def _taken(rows: TransferQuerySet) -> list[Transfer]:
    """Locked, as far as no other sweep has them."""
    locked = rows.select_for_update(skip_locked=True, of=("self",))
    return list(locked.defer(*_HEAVY).select_related("user")[:BATCH])


def _of_end(transfer: Transfer) -> News:
    is_failure = transfer.status == _S.FAILED
    lines = [inert_text(transfer.says)]
    if is_failure:
        lines.append("Look at what happened, and send it again, here:")
    return _news(
        transfer,
        "failed" if is_failure else "succeeded",
        f"transfer:{transfer.pk}:end",
        "has failed" if is_failure else "is done",
        lines,
    )


def _of_trouble(transfer: Transfer, now: datetime) -> News:
    stall = stalls.stall_of(transfer, now)
    if stall is None:
        what, lines = "stands behind another one", [transfer.says]
    else:
        what = "is paused" if transfer.is_paused else "does not get on"
        lines = [stall.says, stall.detail, stall.advice]
    return _news(
        transfer,
        "stalled" if stall else "waits",
        f"transfer:{transfer.pk}:trouble:{now:%Y%m%dT%H%M%S}",
        what,
        [*(inert_text(line) for line in lines if line), "Look into it here:"],
    )


def _trouble_key(transfer: Transfer) -> str:
    told = transfer.trouble_told_at
    assert told is not None
    about = f"transfer:{transfer.pk}:trouble:{told:%Y%m%dT%H%M%S}"
    return f"{about}:user:{transfer.user_id}"


def _news(
    transfer: Transfer, event: str, key: str, what: str, lines: Iterable[str]
) -> News:
    assert transfer.user is not None
    return News(
        user=transfer.user,
        event=event,
        key=key,
        subject=f"{inert_text(name_of_transfer(transfer))} {what}",
        body="\n\n".join(lines),
        path=reverse("transfers:detail", args=[transfer.pk]),
        facts={"transfer": facts_of(transfer)},
    )


def facts_of(transfer: Transfer) -> dict[str, Any]:
    """What a webhook is told of a transfer (docs/notifications.md)."""
    ended = transfer.finished_at
    return {
        "id": str(transfer.pk),
        "task_id": str(transfer.task_id) if transfer.task_id else None,
        "label": transfer.label,
        "status": transfer.status,
        "says": transfer.says,
        "error_code": transfer.error_code,
        "bytes_transferred": transfer.bytes_transferred,
        "files_transferred": transfer.files_transferred,
        "finished_at": ended.isoformat() if ended else None,
    }
