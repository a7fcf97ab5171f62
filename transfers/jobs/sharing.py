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

from django.db import connection

from transfers.jobs.control import Share

#: Where the line stands: at the place of what is being worked on, else at the first
#: that waits, else behind everything there ever was.
_FRONT = """
SELECT coalesce(
    (SELECT max(rank) FROM transfers_run WHERE state = 'preparing'),
    (SELECT rank FROM transfers_run WHERE state = 'waiting' ORDER BY rank LIMIT 1),
    (SELECT last_rank + 1 FROM transfers_share ORDER BY last_rank DESC LIMIT 1),
    1)
"""


def places(wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """Reserves so many places for each owner, in the transaction of the caller.

    :returns: the first place of each owner; the others follow it
    """
    if not wanted:
        return {}
    found = _locked(wanted)
    if len(found) < len(wanted):
        Share.objects.bulk_create(
            [Share(owner_id=owner) for owner in sorted(wanted) if owner not in found],
            ignore_conflicts=True,
        )
        found = _locked(wanted)
    with connection.cursor() as cursor:
        cursor.execute(_FRONT)
        front = cursor.fetchone()[0]
        firsts = {owner: max(last + 1, front) for owner, last in found.items()}
        owners = sorted(firsts)
        cursor.execute(
            "UPDATE transfers_share AS share SET last_rank = news.last "
            "FROM unnest(%s::uuid[], %s::bigint[]) AS news(owner, last) "
            "WHERE share.owner_id = news.owner",
            [owners, [firsts[each] + wanted[each] - 1 for each in owners]],
        )
    return firsts


def _locked(wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    """In one order everywhere, so that two callers never wait for each other."""
    rows = Share.objects.select_for_update().filter(owner__in=wanted).order_by("owner")
    return dict(rows.values_list("owner", "last_rank"))
