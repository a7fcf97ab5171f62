"""What a tick does only now and then, whichever scheduler comes first."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection

SWEEP = "sweep"
UPKEEP = "upkeep"
REMINDERS = "reminders"
#: how often; the sweep finds dead workers and says why runs wait
EVERY = {
    SWEEP: timedelta(seconds=15),
    UPKEEP: timedelta(seconds=30),
    REMINDERS: timedelta(hours=1),
}

#: A next time beyond the usual one was written when a clock was wrong.
_CLAIM = """
INSERT INTO transfers_chore AS chore (name, next_at)
SELECT name, statement_timestamp() + every
FROM unnest(%s::text[], %s::interval[]) AS wanted(name, every)
ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at
WHERE chore.next_at <= statement_timestamp() OR chore.next_at > excluded.next_at
RETURNING name
"""


def due() -> list[str]:
    """Claims what is due; of several schedulers one gets it. One query.

    A chore that fails is done again at its next time, by whoever comes first.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, ([*EVERY], [*EVERY.values()]))
        return [row[0] for row in cursor.fetchall()]
