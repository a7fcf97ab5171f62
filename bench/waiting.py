"""What a worker does in ``bench.workers``: it waits, as for the network."""

import time
from functools import cache

from celery import shared_task
from django.conf import settings
from redis import Redis

SECONDS = 0.05
COUNTER = "bench:done"


@cache
def _redis() -> Redis:
    return Redis.from_url(settings.REDIS_URL)


@shared_task(name="bench.wait", ignore_result=True)
def wait() -> None:
    time.sleep(SECONDS)
    _redis().incr(COUNTER)
