"""Asks Globus about the tasks of a principal, in few calls.

A round asks for the task list from the oldest unfinished task on, newest first: N
unfinished transfers take at most ceil(N/1000) calls, and the finished ones come along.
Only if that window holds more tasks than fit (one old task, much traffic after it)
the running ones are asked for by status as well, and what is in neither list has
ended: those few are asked for one by one, a limited number in each round.

Every call goes through the client that is handed in; what limits the requests of an
identity over all workers belongs into that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import NotFound, UnexpectedAnswer, globus_errors
from transfers.browsing import moment
from transfers.elsewhere import task_id_of
from transfers.models import Transfer

logger = logging.getLogger(__name__)

#: what one ``task_list`` call brings at most
TASKS_PER_CALL = 1000
#: Clocks may differ by this much before a task falls out of the window.
CLOCK_SKEW = timedelta(minutes=5)
#: tasks asked for one by one in a round, those that were not seen for longest first
SINGLE_CALLS = 20


@dataclass
class News:
    """What one round has learnt.

    :ivar ours: task documents by task id; none for a task that Globus does not know.
        Tasks about which nothing was learnt are not among them
    :ivar others: documents of tasks that were not asked for, by task id
    :ivar until: the latest request time that was seen, by the clock of Globus
    """

    ours: dict[UUID, Mapping[str, Any] | None] = field(default_factory=dict)
    others: dict[UUID, Mapping[str, Any]] = field(default_factory=dict)
    until: datetime | None = None


def ask_globus(
    client: TransferClient,
    transfers: Iterable[Transfer],
    *,
    since: datetime | None = None,
) -> News:
    """
    :param since: look for other tasks from here on, too
    :raises GlobusFailure: Globus cannot be asked at all

    https://docs.globus.org/api/transfer/task/#get_task_list
    """
    wanted = {each.task_id: each for each in transfers if each.task_id}
    news = News()
    if not wanted and since is None:
        return news
    calls = max(1, ceil(len(wanted) / TASKS_PER_CALL))
    begins = [*map(_window_start, wanted.values()), *([since] if since else [])]
    try:
        start = min(begins).astimezone(UTC)
        window = {"request_time": [f"{start:%Y-%m-%d %H:%M:%S}", ""]}
        had_all = _read_list(client, window, calls, wanted, news)
        if not had_all and len(news.ours) < len(wanted):
            running = {"status": ["ACTIVE", "INACTIVE"]}
            _read_list(client, running, calls, wanted, news)
    except UnexpectedAnswer:
        logger.warning("The task list made no sense; asking for single tasks")
    missing = [each for task_id, each in wanted.items() if task_id not in news.ours]
    missing.sort(key=lambda each: each.checked_at or each.created_at)
    for each in missing[:SINGLE_CALLS]:
        assert each.task_id is not None
        try:
            news.ours[each.task_id] = _single(client, each.task_id)
        except UnexpectedAnswer:
            # Nothing was learnt about this one; the others count all the same.
            logger.warning("What Globus says of task %s makes no sense", each.task_id)
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
    """Adds what the pages say.

    :returns: whether nothing is left to read, or to look for
    """
    for page in range(calls):
        rows = _page(client, terms, page * TASKS_PER_CALL)
        for row in rows:
            task_id = task_id_of(row)
            if task_id is None:
                continue
            if task_id in wanted:
                news.ours[task_id] = row
            else:
                news.others[task_id] = row
        _note_latest(rows, news)
        if len(rows) < TASKS_PER_CALL or 0 < len(wanted) == len(news.ours):
            return True
    return False


def _page(
    client: TransferClient, terms: Mapping[str, list[str]], offset: int
) -> list[Any]:
    with globus_errors():
        answer = client.task_list(
            limit=TASKS_PER_CALL,
            offset=offset,
            orderby="request_time DESC",
            filter=dict(terms),
        )
        rows = answer.data.get("DATA") if isinstance(answer.data, dict) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="TaskList")
    return rows


def _note_latest(rows: list[Any], news: News) -> None:
    """The newest come first, so the first that has a time is the latest."""
    for row in rows:
        said = moment(row.get("request_time")) if isinstance(row, dict) else None
        if said is not None:
            news.until = max(said, news.until or said)
            return


def _single(client: TransferClient, task_id: UUID) -> Mapping[str, Any] | None:
    try:
        with globus_errors():
            data = client.get_task(task_id).data
    except NotFound:
        return None
    if not isinstance(data, dict):
        raise UnexpectedAnswer(code="Task")
    return data
