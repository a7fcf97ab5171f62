"""Turns are shared between owners: start-time fair queueing.

Each run gets a place (``Run.rank``) when it is stored, and the workers take the lowest
place first. An owner's runs follow one another; an owner who comes anew begins where
the line stands now. So one owner with five thousand waiting runs and another with ten
take turns, and nobody saves up turns by staying away.

P. Goyal, H. Vin, H. Cheng: Start-time fair queueing, SIGCOMM 1996.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from portal.planned import planned_once
from transfers.jobs.control import Share

#: Where the line stands: at the place of what is being worked on, else at the first
#: that waits, else behind everything there ever was.
#: Shares are locked in one order everywhere, so that two callers never wait for each
#: other; who waited counts on from what the other has left.
_RESERVE = """
WITH front AS MATERIALIZED (
    SELECT coalesce(
        (SELECT max(rank) FROM transfers_run WHERE state = 'preparing'),
        (SELECT rank FROM transfers_run WHERE state = 'waiting' ORDER BY rank LIMIT 1),
        (SELECT last_rank + 1 FROM transfers_share ORDER BY last_rank DESC LIMIT 1),
        1) AS place
), mine AS MATERIALIZED (
    SELECT owner_id, wanted FROM transfers_share
    JOIN unnest(%s::uuid[], %s::bigint[]) AS wish(owner, wanted) ON owner = owner_id
    ORDER BY owner_id FOR UPDATE OF transfers_share
)
UPDATE transfers_share AS share
SET last_rank = greatest(share.last_rank + 1, front.place) + mine.wanted - 1
FROM mine, front WHERE share.owner_id = mine.owner_id
RETURNING share.owner_id, share.last_rank - mine.wanted + 1
"""


def places(wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """Reserves so many places for each owner, in the transaction of the caller.

    :returns: the first place of each owner; the others follow it
    """
    if not wanted:
        return {}
    found = _reserved(wanted)
    new = {owner: count for owner, count in wanted.items() if owner not in found}
    if new:
        Share.objects.bulk_create(
            [Share(owner_id=owner) for owner in sorted(new)], ignore_conflicts=True
        )
        found |= _reserved(new)
    return found


def _reserved(wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """Of those who have a share."""
    with planned_once() as cursor:
        cursor.execute(_RESERVE, [[*wanted], [*wanted.values()]])
        return dict(cursor.fetchall())
