"""django-celery-beat with so many schedules: ``python -m bench.beat_baseline COUNT``.

Prints the milliseconds of an idle tick, and the messages sent in a second.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from datetime import timedelta

TICKS = 30
#: schedules that are due at once
DUE = 200


def main(count: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.beat_settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    call_command("migrate", verbosity=0)
    from django_celery_beat.models import IntervalSchedule, PeriodicTask
    from django_celery_beat.schedulers import DatabaseScheduler

    from portal.celery import app

    yearly = IntervalSchedule.objects.create(every=365, period="days")
    now = timezone.now()
    PeriodicTask.objects.bulk_create(
        PeriodicTask(
            name=f"task {number}",
            task="transfers.tasks.poll_transfers",
            args='["user", ""]',
            interval=yearly,
            last_run_at=now,
        )
        for number in range(count)
    )
    scheduler = DatabaseScheduler(app=app, lazy=False)
    scheduler.tick()
    taken = []
    for _ in range(TICKS):
        began = time.perf_counter()
        scheduler.tick()
        taken.append((time.perf_counter() - began) * 1000)

    due = PeriodicTask.objects.order_by("pk").values_list("pk", flat=True)[:DUE]
    PeriodicTask.objects.filter(pk__in=[*due]).update(
        last_run_at=now - timedelta(days=366)
    )
    again = DatabaseScheduler(app=app, lazy=False)
    began = time.perf_counter()
    # It sends one for each tick, as long as something is due.
    for _ in range(DUE):
        again.tick()
    seconds = time.perf_counter() - began
    print(statistics.median(taken), DUE / seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]))
