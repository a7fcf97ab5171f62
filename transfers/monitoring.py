"""Watches the tasks of a principal: few calls to Globus, few writes.

A round asks for the task list from the oldest unfinished task on, newest first: N
unfinished transfers take at most ceil(N/1000) calls, and the finished ones come along.
Only if that window holds more tasks than fit (one old task, much traffic after it)
the running ones are asked for by status as well, and what is in neither list has
ended: those few are asked for one by one, a limited number in each round.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from globus_sdk import TransferClient

from accounts.clients import transfer_client
from accounts.models import Principal, owner_fields
from portal.globus.errors import (
    NotFound,
    PortalError,
    RateLimited,
    SignInRequired,
    UnexpectedAnswer,
    globus_errors,
)
from portal.globus.transport import WORKER
from transfers import keeping, needs, queue
from transfers.browsing import moment
from transfers.claims import CLAIM_LASTS
from transfers.consents import sentence_for
from transfers.jobs.following import follow_all
from transfers.models import Transfer, Watch
from transfers.storable import storable, storable_text

logger = logging.getLogger(__name__)

#: what one ``task_list`` call brings at most
TASKS_PER_CALL = 1000
#: Clocks may differ by this much before a task falls out of the window.
CLOCK_SKEW = timedelta(minutes=5)
#: tasks asked for one by one in a round, those that were not seen for longest first
SINGLE_CALLS = 20
#: Polls in which Globus did not know a task before the portal says so.
MISSES_TO_TELL = 3
QUICKEST = 5  # seconds between polls while something moves
SLOWEST = 60  # seconds: what the pages say is fresh within a minute
#: how long a due poll may wait for its message before it is sent again
MESSAGE_LASTS = timedelta(seconds=60)


def watch(principal: Principal, *, now: datetime | None = None) -> None:
    """Polls soon, and quickly at first: something was sent, or someone looks."""
    now = now or timezone.now()
    owner = owner_fields(principal)
    _, made = Watch.objects.get_or_create(**owner, defaults={"next_poll_at": now})
    if not made:
        Watch.objects.filter(**owner).update(
            next_poll_at=now, interval_seconds=QUICKEST
        )


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
    transfers = list(Transfer.objects.acted_by(principal).at_globus())
    try:
        news = ask_globus(transfer_client(principal, WORKER), transfers)
    except PortalError as err:
        _put_off(claimed, principal, err, now)
        return
    changed = _take_in(transfers, news, now)
    follow_all((transfer.pk for transfer in transfers), now=now)
    _plan_next(claimed, now, moved=changed)


def _claim(principal: Principal, now: datetime) -> Watch | None:
    owner = owner_fields(principal)
    Watch.objects.get_or_create(**owner, defaults={"next_poll_at": now})
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_LASTS)
    if not Watch.objects.filter(free, **owner).update(claimed_at=now):
        return None
    return Watch.objects.get(**owner)


def _plan_next(claimed: Watch, now: datetime, *, moved: bool) -> None:
    """Sleeps when nothing is left to watch, unless something was sent meanwhile."""
    seconds = QUICKEST if moved else min(SLOWEST, claimed.interval_seconds * 2)
    Watch.objects.filter(pk=claimed.pk, claimed_at=now).update(
        claimed_at=None,
        next_poll_at=now + timedelta(seconds=seconds),
        interval_seconds=seconds,
        last_polled_at=now,
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
    claimed: Watch, principal: Principal, err: PortalError, now: datetime
) -> None:
    asked = err.retry_after if isinstance(err, RateLimited) else None
    seconds = max(min(SLOWEST, claimed.interval_seconds * 2), min(asked or 0, 3600))
    says = needs.sentence(principal, err) or sentence_for(principal, err)
    with transaction.atomic():
        Watch.objects.filter(pk=claimed.pk, claimed_at=now).update(
            claimed_at=None,
            next_poll_at=now + timedelta(seconds=seconds),
            interval_seconds=min(seconds, SLOWEST),
            last_error=says[:500],
        )
        needs.tell(principal, err, says=says)
    logger.warning(
        "The tasks of %s were not polled: %s %s",
        principal.owner_key,
        type(err).__name__,
        getattr(err, "code", ""),
    )


# --- what Globus says ------------------------------------------------------------

News = dict[UUID, Mapping[str, Any] | None]


def ask_globus(client: TransferClient, transfers: Iterable[Transfer]) -> News:
    """Task documents by task id; none for a task that Globus does not know.

    Tasks about which nothing was learnt in this round are not among them.

    :raises GlobusFailure: Globus cannot be asked at all

    https://docs.globus.org/api/transfer/task/#get_task_list
    """
    wanted = {each.task_id: each for each in transfers if each.task_id}
    news: News = {}
    if not wanted:
        return news
    calls = ceil(len(wanted) / TASKS_PER_CALL)
    try:
        since = min(map(_window_start, wanted.values())).astimezone(UTC)
        window = {"request_time": [f"{since:%Y-%m-%d %H:%M:%S}", ""]}
        had_all = _read_list(client, window, calls, wanted, news)
        if not had_all:
            running = {"status": ["ACTIVE", "INACTIVE"]}
            _read_list(client, running, calls, wanted, news)
    except UnexpectedAnswer:
        logger.warning("The task list made no sense; asking for single tasks")
    missing = [each for task_id, each in wanted.items() if task_id not in news]
    missing.sort(key=lambda each: each.checked_at or each.created_at)
    for each in missing[:SINGLE_CALLS]:
        assert each.task_id is not None
        news[each.task_id] = _single(client, each.task_id)
    return news


def _window_start(transfer: Transfer) -> datetime:
    """Globus's own time where it is known; ours less what clocks may differ."""
    return transfer.requested_at or (
        (transfer.sent_at or transfer.created_at) - CLOCK_SKEW
    )


def _read_list(
    client: TransferClient,
    terms: Mapping[str, list[str]],
    calls: int,
    wanted: Mapping[UUID, Transfer],
    news: News,
) -> bool:
    """Adds what the pages say about our tasks.

    :returns: whether nothing is left to read, or to look for
    """
    for page in range(calls):
        with globus_errors():
            answer = client.task_list(
                limit=TASKS_PER_CALL,
                offset=page * TASKS_PER_CALL,
                orderby="request_time DESC",
                filter=dict(terms),
            )
            rows = answer.data.get("DATA") if isinstance(answer.data, dict) else None
        if not isinstance(rows, list):
            raise UnexpectedAnswer(code="TaskList")
        for row in rows:
            task_id = _task_id(row)
            if task_id is not None and task_id in wanted:
                news[task_id] = row
        if len(rows) < TASKS_PER_CALL or len(news) == len(wanted):
            return True
    return False


def _task_id(row: Any) -> UUID | None:
    try:
        return UUID(row["task_id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _single(client: TransferClient, task_id: UUID) -> Mapping[str, Any] | None:
    try:
        with globus_errors():
            data = client.get_task(task_id).data
    except NotFound:
        return None
    return data if isinstance(data, dict) else {}


# --- what the rows make of it ----------------------------------------------------


def _take_in(transfers: Iterable[Transfer], news: News, now: datetime) -> bool:
    """Writes the news down.

    :returns: whether anything moved
    """
    heard = [each for each in transfers if each.task_id in news]
    moved = False
    stopped = []
    for transfer in heard:
        assert transfer.task_id is not None
        document = news[transfer.task_id]
        before = (transfer.status, transfer.moved_at)
        if document is None:
            miss(transfer, now)
        else:
            absorb(transfer, document, now)
        moved |= before != (transfer.status, transfer.moved_at)
        if transfer.status == Transfer.Status.INACTIVE != before[0]:
            stopped.append(transfer)
    write(heard)
    for transfer in heard:
        _forget_listings(transfer)
    for transfer in stopped:
        needs.tell(transfer.principal, SignInRequired(), says=transfer.says)
    return moved


def _forget_listings(transfer: Transfer) -> None:
    """What a finished task changed is not shown from what was kept before."""
    if transfer.is_finished and transfer.user_id:
        keeping.forget(transfer.user_id, transfer.destination_id or transfer.source_id)


def miss(transfer: Transfer, now: datetime) -> None:
    """Globus says that there is no such task. Once may be a mistake; nothing is
    concluded from it but that we do not know.
    """
    transfer.checked_at = now
    transfer.missed_polls = min(transfer.missed_polls + 1, 1000)
    if transfer.missed_polls >= MISSES_TO_TELL:
        transfer.status = Transfer.Status.UNKNOWN
        transfer.error_code = "TaskNotFound"
        transfer.last_error = (
            "Globus does not know this task any more. What became of it is not known; "
            "look at the files themselves."
        )


_REPORTED = {
    "ACTIVE": Transfer.Status.ACTIVE,
    "INACTIVE": Transfer.Status.INACTIVE,
    "SUCCEEDED": Transfer.Status.SUCCEEDED,
    "FAILED": Transfer.Status.FAILED,
}
_COUNTERS = {
    "faults": "faults",
    "files": "files",
    "directories": "directories",
    "files_transferred": "files_transferred",
    "files_skipped": "files_skipped",
    "bytes_transferred": "bytes_transferred",
    "bytes_per_second": "effective_bytes_per_second",
    "subtasks_total": "subtasks_total",
    "subtasks_succeeded": "subtasks_succeeded",
    "subtasks_failed": "subtasks_failed",
    "subtasks_skipped_errors": "subtasks_skipped_errors",
}
_MOVEMENT = ("bytes_transferred", "files_transferred", "subtasks_succeeded")
_LARGEST = 2**63 - 1


def absorb(transfer: Transfer, document: Mapping[str, Any], now: datetime) -> None:
    """Takes over what a task document says; what makes no sense changes nothing else.

    The document is kept as it came. A status that we do not know is Unknown, and
    never an end.
    """
    before = [getattr(transfer, name) for name in _MOVEMENT]
    reported = document.get("status")
    status = _REPORTED.get(reported) if isinstance(reported, str) else None
    transfer.status = status or Transfer.Status.UNKNOWN
    transfer.task_document = storable(dict(document))
    transfer.checked_at = now
    transfer.missed_polls = 0
    for name, key in _COUNTERS.items():
        value = document.get(key)
        if type(value) is int and 0 <= value <= _LARGEST:
            setattr(transfer, name, value)
    is_ok = document.get("is_ok")
    transfer.is_ok = is_ok if isinstance(is_ok, bool) else None
    transfer.nice_status = _text(document, "nice_status", longest=100)
    _take_names(transfer, document)
    _take_times(transfer, document)
    _take_errors(transfer, document)
    if before != [getattr(transfer, name) for name in _MOVEMENT]:
        transfer.moved_at = now
    if transfer.is_finished:
        transfer.finished_at = transfer.completed_at or now


def _take_names(transfer: Transfer, document: Mapping[str, Any]) -> None:
    for name, key in (
        ("source_name", "source_endpoint_display_name"),
        ("destination_name", "destination_endpoint_display_name"),
    ):
        said = _text(document, key, longest=255)
        if said:
            setattr(transfer, name, said)


def _take_times(transfer: Transfer, document: Mapping[str, Any]) -> None:
    for name, key in (
        ("requested_at", "request_time"),
        ("completed_at", "completion_time"),
        ("deadline", "deadline"),
    ):
        said = moment(document.get(key))
        if said is not None:
            setattr(transfer, name, said)


def _take_errors(transfer: Transfer, document: Mapping[str, Any]) -> None:
    code, detail, sentence = "", "", ""
    if transfer.status == Transfer.Status.FAILED:
        fatal = document.get("fatal_error")
        fatal = fatal if isinstance(fatal, dict) else {}
        code = _text(fatal, "code", longest=200)
        detail = _text(fatal, "description", longest=10_000)
        sentence = _ENDS.get(code) or (
            f"Globus gave it up: {code}." if code else "Globus gives no reason."
        )
    elif transfer.status == Transfer.Status.UNKNOWN:
        said = storable_text(str(document.get("status")), longest=100)
        sentence = f"Globus reports a status that we do not know: “{said}”."
    elif transfer.status != Transfer.Status.SUCCEEDED and transfer.is_ok is False:
        code = transfer.nice_status
        detail = _text(document, "nice_status_details", longest=10_000)
        short = _text(document, "nice_status_short_description", longest=200)
        sentence = f"Globus has trouble with it and tries on: {short or code}."
    transfer.error_code = code
    transfer.error_detail = detail
    transfer.last_error = sentence[:500]


_ENDS = {
    "CANCELED": "Cancelled.",
    "EXPIRED": "Its deadline passed before everything was done.",
}


def _text(document: Mapping[str, Any], key: str, *, longest: int) -> str:
    value = document.get(key)
    return storable_text(value, longest=longest) if isinstance(value, str) else ""


_WRITTEN = (
    "status",
    "task_document",
    "checked_at",
    "moved_at",
    "missed_polls",
    "nice_status",
    "is_ok",
    *_COUNTERS,
    "source_name",
    "destination_name",
    "requested_at",
    "completed_at",
    "deadline",
    "finished_at",
    "last_error",
    "error_code",
    "error_detail",
)


def write(transfers: Iterable[Transfer]) -> None:
    """Stores the columns that the monitor owns, a thousand rows per statement.

    A row that has ended meanwhile stays as it is. Written as SQL because Django's
    ``bulk_update`` needs 20 times as long for ten thousand rows.
    """
    rows = [_as_json(each) for each in transfers]
    with connection.cursor() as cursor:
        statement = _update_statement()
        for start in range(0, len(rows), TASKS_PER_CALL):
            batch = rows[start : start + TASKS_PER_CALL]
            cursor.execute(statement, [orjson.dumps(batch).decode()])


def _as_json(transfer: Transfer) -> dict[str, Any]:
    return {"id": transfer.pk} | {name: getattr(transfer, name) for name in _WRITTEN}


def _update_statement() -> str:
    """Nothing but names of our own columns and types is written into it."""
    meta = Transfer._meta
    types = {name: meta.get_field(name).db_type(connection) for name in _WRITTEN}
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    assignments = ", ".join(f"{name} = news.{name}" for name in _WRITTEN)
    watched = ", ".join(f"'{status}'" for status in Transfer.AT_GLOBUS)
    return (
        f"UPDATE {meta.db_table} AS row SET {assignments} "  # noqa: S608 - own names only
        f"FROM jsonb_to_recordset(%s::jsonb) AS news(id uuid, {columns}) "
        f"WHERE row.id = news.id AND row.status IN ({watched})"
    )
