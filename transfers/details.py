"""Fetches, off every page, what Globus tells of one task: events and pause messages.

Somebody opens a transfer's page, or it gets into trouble: a worker fetches the events
once, and again while somebody looks and they may have grown. Pages read the row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from globus_sdk import TransferClient

from portal.globus.errors import PortalError, UnexpectedAnswer, globus_errors
from transfers import queue
from transfers.browsing import moment
from transfers.consents import sentence_for
from transfers.history import TaskDetails
from transfers.models import Transfer
from transfers.storable import storable, storable_text

logger = logging.getLogger(__name__)

#: events that are kept of each sort; errors are asked for first
MOST_ERRORS = 50
MOST_EVENTS = 50
LONGEST_DETAILS = 4000
#: how fresh they are while somebody looks, and how long a message may be on its way
FRESH = timedelta(seconds=30)
MESSAGE_LASTS = timedelta(seconds=60)
#: transfers that one round of the monitor looks into
MOST_AT_ONCE = 20
_PAUSE_MESSAGES = (
    "source_pause_message",
    "destination_pause_message",
    "source_pause_message_share",
    "destination_pause_message_share",
)


def ask_for(transfer: Transfer, *, now: datetime | None = None) -> TaskDetails | None:
    """Lets a worker fetch what is missing or old; for a page that is open.

    Where ``details`` were read with the row it asks the database only if something is.

    :returns: what is known, for ``is_coming``
    """
    now = now or timezone.now()
    known = known_of(transfer)
    if transfer.task_id is None or (known and not _is_old(known, transfer, now)):
        return known
    made, is_new = TaskDetails.objects.get_or_create(transfer=transfer)
    if not is_new and not _is_old(made, transfer, now):
        return made
    free = Q(asked_at=None) | Q(asked_at__lt=now - MESSAGE_LASTS)
    rows = TaskDetails.objects.filter(free | Q(fetched_at__isnull=False))
    if rows.filter(pk=transfer.pk, asked_at=made.asked_at).update(asked_at=now):
        queue.fetch_details(transfer.pk)
    made.refresh_from_db(fields=["asked_at", "fetched_at"])
    return made


def known_of(transfer: Transfer) -> TaskDetails | None:
    try:
        return transfer.details
    except TaskDetails.DoesNotExist:
        return None


def _is_old(known: TaskDetails, transfer: Transfer, now: datetime) -> bool:
    if known.asked_at and now - known.asked_at < FRESH:
        return False
    if known.fetched_at is None:
        return True
    if transfer.is_finished:
        # when its end was heard of; Globus's own time of it is cut to the second
        end = transfer.checked_at or transfer.finished_at
        return end is not None and known.fetched_at < end
    return now - known.fetched_at >= FRESH


def is_coming(known: TaskDetails | None) -> bool:
    """Whether a worker is at it, so that a page does well to ask again."""
    if known is None or known.asked_at is None:
        return False
    if timezone.now() - known.asked_at > MESSAGE_LASTS:
        return False
    return known.fetched_at is None or known.fetched_at < known.asked_at


def look_into(transfers: Iterable[Transfer], *, now: datetime) -> None:
    """Fetches for some that got into trouble, so that their pages can say why."""
    for each in list(transfers)[:MOST_AT_ONCE]:
        TaskDetails.objects.update_or_create(transfer=each, defaults={"asked_at": now})
        queue.fetch_details(each.pk)


def fetch(client: TransferClient, transfer: Transfer) -> None:
    """Events with the errors first, and the pause message; what fails is noted."""
    now = timezone.now()
    changes: dict[str, Any] = {"fetched_at": now, "last_error": ""}
    try:
        events, count = _events(client, transfer)
        changes |= {"events": events, "events_count": count}
        if transfer.is_paused:
            message = _pause_message(client, transfer)
            Transfer.objects.filter(pk=transfer.pk).update(pause_message=message)
    except PortalError as err:
        changes["last_error"] = sentence_for(transfer.principal, err)[:500]
        logger.warning(
            "No details of task %s: %s", transfer.task_id, type(err).__name__
        )
    TaskDetails.objects.update_or_create(transfer=transfer, defaults=changes)


def _events(
    client: TransferClient, transfer: Transfer
) -> tuple[list[dict[str, Any]], int]:
    """https://docs.globus.org/api/transfer/task/#get_event_list"""
    errors, _ = _event_page(client, transfer, "is_error:1", MOST_ERRORS)
    others, count = _event_page(client, transfer, "", MOST_EVENTS)
    return [*errors, *(each for each in others if not each["is_error"])], count


def _event_page(
    client: TransferClient, transfer: Transfer, terms: str, most: int
) -> tuple[list[dict[str, Any]], int]:
    assert transfer.task_id is not None
    with globus_errors():
        more = {"filter": terms} if terms else {}
        answer = client.task_event_list(transfer.task_id, limit=most, query_params=more)
        data = answer.data if isinstance(answer.data, dict) else {}
    rows = data.get("DATA")
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="EventList")
    total = data.get("total")
    kept = [_event(row) for row in rows if isinstance(row, Mapping)]
    return kept, total if type(total) is int and 0 <= total < 2**31 else len(kept)


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": _text(row, "code", 100),
        "is_error": row.get("is_error") is True,
        "description": _text(row, "description", 500),
        "details": _text(row, "details", LONGEST_DETAILS),
        "time": _time(row),
    }


def _time(row: Mapping[str, Any]) -> str:
    """In UTC, to the second; as it came where it is none."""
    at = moment(row.get("time"))
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else _text(row, "time", 40)


def _text(row: Mapping[str, Any], key: str, longest: int) -> str:
    value = row.get(key)
    if isinstance(value, str):
        return storable_text(value, longest=longest)
    return "" if value is None else str(storable(value))[:longest]


def _pause_message(client: TransferClient, transfer: Transfer) -> str:
    """https://docs.globus.org/api/transfer/task/#get_task_pause_info"""
    assert transfer.task_id is not None
    with globus_errors():
        data = client.task_pause_info(transfer.task_id).data
    if not isinstance(data, dict):
        raise UnexpectedAnswer(code="PauseInfo")
    said = [_text(data, name, LONGEST_DETAILS) for name in _PAUSE_MESSAGES]
    rules: Sequence[Any] = data.get("pause_rules") or []
    if isinstance(rules, list):
        said += [_text(rule, "message", 500) for rule in rules if _is_dict(rule)]
    return "\n".join(dict.fromkeys(filter(None, said)))[:LONGEST_DETAILS]


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)
