"""How long a worker may hold a row, and how long a row may wait for a worker."""

import random
from datetime import datetime, timedelta

from django.utils import timezone

#: A worker that has not been heard of for this long is taken for dead (R03). Longer
#: than one call to Globus in a worker's patience: four times 20 s and the pauses.
CLAIM_LASTS = timedelta(seconds=120)
#: The same for a run, whose worker gives a sign of life every 20 s whatever it waits
#: for (``transfers.jobs.beating``). With a sweep every 15 s it is noticed in 120 s.
RUN_CLAIM_LASTS = timedelta(seconds=90)
#: How long a committed row may wait for its message before the sweep sends it again.
QUEUE_GRACE = timedelta(seconds=15)
#: Globus is tried again for this long before the portal gives up.
KEEP_TRYING = timedelta(hours=24)
BACK_OFF_SECONDS = (2, 5, 10, 20, 40, 60)


def sweep_time() -> datetime:
    """When the sweep looks at a new row, should its message be lost."""
    return timezone.now() + QUEUE_GRACE


def back_off(attempts: int, *, at_least: int | None = None) -> timedelta:
    """The pause after this many attempts, with jitter (R04).

    :param at_least: seconds that Globus itself asked for
    """
    step = min(max(attempts, 1), len(BACK_OFF_SECONDS)) - 1
    seconds = BACK_OFF_SECONDS[step] * random.uniform(0.5, 1)  # noqa: S311 - only spreads load
    return timedelta(seconds=max(seconds, at_least or 0))
