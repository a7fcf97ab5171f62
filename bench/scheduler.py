"""One scheduler of a virtual hour: ``python -m bench.scheduler BEGIN TICKS``.

It ticks through the minutes again and again until it is killed, at a random moment
and without a warning, or nothing is due.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from datetime import datetime, timedelta

#: Seconds of the processor that a scheduler lives, from when it is ready: on a busy
#: machine one that lived by the clock would have done nothing.
LIVES = (0.1, 4.0)


def main(begin: datetime, ticks: int) -> None:
    import django

    django.setup()
    from transfers.jobs import ledger
    from transfers.jobs.ledger import fire_due
    from transfers.jobs.models import Schedule

    ledger.BATCH = 100  # so that they share each minute

    threading.Thread(target=_die, daemon=True).start()
    end = begin + timedelta(minutes=ticks)
    while True:
        first = (
            Schedule.objects.filter(next_run_at__lte=end)
            .order_by("next_run_at")
            .values_list("next_run_at", flat=True)
            .first()
        )
        if first is None:
            os._exit(0)
        if not fire_due(now=first):
            time.sleep(0.05)  # others have what is due


def _die() -> None:
    end = time.process_time() + random.uniform(*LIVES)
    while time.process_time() < end:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(datetime.fromisoformat(sys.argv[1]), int(sys.argv[2]))
