"""Writes what a round of the monitor learnt into the rows, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal.globus.errors import SignInRequired
from transfers import details, history, keeping, needs, wishes
from transfers.absorbing import absorb, miss, write, write_moves
from transfers.models import Transfer
from transfers.task_list import News


@dataclass
class Outcome:
    """What a round did to the rows.

    :ivar heard: ids of the transfers that there was news of
    :ivar ended: task ids
    """

    heard: Sequence[UUID]
    ended: Sequence[UUID]
    moved: bool


def take_in(transfers: Iterable[Transfer], news: News, now: datetime) -> Outcome:
    """Writes the news down."""
    heard = [each for each in transfers if each.task_id in news.ours]
    moving: list[Transfer] = []
    inactive: list[Transfer] = []
    troubled: list[Transfer] = []
    only_moved: list[Transfer] = []
    other: list[Transfer] = []
    changed = False
    for transfer in heard:
        assert transfer.task_id is not None
        document = news.ours[transfer.task_id]
        before = (transfer.status, transfer.moved_at)
        had_trouble = transfer.fault_since is not None or transfer.is_paused
        if document is None:
            miss(transfer, now)
            other.append(transfer)
        else:
            has_more = absorb(transfer, document, now)
            (other if has_more else only_moved).append(transfer)
        changed |= before != (transfer.status, transfer.moved_at)
        if transfer.moved_at == now:
            moving.append(transfer)
        if transfer.status == Transfer.Status.INACTIVE != before[0]:
            inactive.append(transfer)
        if not had_trouble and (transfer.fault_since or transfer.is_paused):
            troubled.append(transfer)
    # First: whoever sees the end goes to look at what has arrived.
    for transfer in heard:
        _forget_listings(transfer)
    write(other)
    write_moves(only_moved)
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
