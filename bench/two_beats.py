"""Two of django-celery-beat over one database: ``python -m bench.two_beats COUNT``.

Prints how many messages they send for so many schedules that are due once.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

QUEUE = "two_beats"


def main(count: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.beat_settings"
    import django

    django.setup()
    import redis
    from django.conf import settings
    from django.core.management import call_command
    from django.utils import timezone

    call_command("migrate", verbosity=0)
    from django_celery_beat.models import IntervalSchedule, PeriodicTask
    from django_celery_beat.schedulers import DatabaseScheduler

    from portal.celery import app

    yearly = IntervalSchedule.objects.create(every=365, period="days")
    due = timezone.now() - timedelta(days=366)
    PeriodicTask.objects.bulk_create(
        PeriodicTask(
            name=f"due {number}",
            task="transfers.tasks.poll_transfers",
            args='["user", ""]',
            interval=yearly,
            queue=QUEUE,
            last_run_at=due,
        )
        for number in range(count)
    )
    # Each reads the schedules when it starts, as two processes would.
    beats = [DatabaseScheduler(app=app, lazy=False) for _ in range(2)]
    for _ in range(2 * count):
        for beat in beats:
            beat.tick()
    client = redis.Redis.from_url(settings.REDIS_URL)
    print(client.llen(QUEUE))
    client.delete(QUEUE)
    PeriodicTask.objects.all().delete()


if __name__ == "__main__":
    main(int(sys.argv[1]))
