"""Counts of what happened, across all processes, for ``portal.metrics``.

They live in Redis and not beside the rows, because what is counted is often the reason
for which a transaction is rolled back. A Redis that was wiped begins at nought again,
as counters of a monitoring system may. Without Redis nothing is counted, and nobody
waits for it.
"""

from __future__ import annotations

import logging
import time

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

KEY = "causeway:counters"
TIMEOUT_SECONDS = 0.25
#: after a failure Redis is left alone for this long
PAUSE_SECONDS = 30.0

_paused_until = 0.0


def count(name: str, **labels: str) -> None:
    """Adds one.

    :param labels: of few different values each, and none from outside
    """
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        _client().hincrby(KEY, series(name, labels), 1)
    except redis.RedisError as err:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("Nothing is counted for a while: %s", type(err).__name__)


def series(name: str, labels: dict[str, str]) -> str:
    """One line's name in the exposition format: ``name{label="value"}``."""
    if not labels:
        return name
    shown = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    return f"{name}{{{shown}}}"


def read() -> dict[str, int]:
    """``{series: count}``; nothing when Redis does not answer."""
    try:
        found = _client().hgetall(KEY)
    except redis.RedisError as err:
        logger.warning("The counters cannot be read: %s", type(err).__name__)
        return {}
    return {key.decode(): int(value) for key, value in found.items()}  # type: ignore[union-attr]


def forget() -> None:
    """Begins at nought again; for tests."""
    global _paused_until
    _paused_until = 0.0
    _client().delete(KEY)


_kept: dict[str, redis.Redis] = {}


def _client() -> redis.Redis:
    """One per process; redis-py's connections survive a fork by themselves."""
    url = settings.REDIS_URL
    if url not in _kept:
        _kept[url] = redis.Redis.from_url(
            url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=None,
        )
    return _kept[url]
