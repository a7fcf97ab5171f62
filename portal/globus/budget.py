"""Requests per second and identity, kept by all processes together.

Globus Transfer answers about twenty requests a second for each identity and slows
down whoever asks for more. The count is in Redis, since a row in PostgreSQL for each
request would cost more than the request; nothing is lost with it: a Redis that was
wiped allows a handful of requests too many, and while there is none, each process
keeps to a quarter by itself.

The generic cell rate algorithm: for each identity one moment, at which its requests
so far would have been due. A caller gets the next moment as its own, and waits for it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import lru_cache

import redis
from django.conf import settings

from portal.globus.errors import RateLimited

logger = logging.getLogger(__name__)

#: part of the allowance that may come at once; the rest is spread evenly, so that no
#: second has more than the whole
BURST_PART = 0.1
#: without Redis, each process keeps to this part
ALONE_PART = 0.25

_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
-- Far ahead is a moment that was written before the clock was put back.
if due > now + 3600000000 then due = now end
local wait = math.max(due - slack - now, 0)
if wait > tonumber(ARGV[3]) then return string.format('%.0f', -wait) end
local ttl = math.ceil((due + interval - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', due + interval), 'PX', ttl)
return string.format('%.0f', wait)
"""


def wait_for_turn(identity: str, *, longest_seconds: float) -> None:
    """Waits until this identity may send its next request.

    :param identity: ``owner_key`` of the principal that the request is for
    :raises RateLimited: its turn comes too late; nothing was reserved
    """
    rate = settings.GLOBUS_REQUESTS_PER_SECOND
    if not rate:
        return
    seconds = _reserve(identity, rate, longest_seconds)
    if seconds < 0:
        raise RateLimited(retry_after=int(-seconds) + 1, code="OwnBudget")
    if seconds > 0:
        time.sleep(seconds)


def _reserve(identity: str, rate: float, longest_seconds: float) -> float:
    """Seconds to wait; negative: so long that nothing was reserved."""
    interval = 1_000_000 / (rate * (1 - BURST_PART))
    slack = interval * max(rate * BURST_PART - 1, 0)
    try:
        client, script = _redis(os.getpid())
        answer = script(
            keys=[f"budget:{identity}"],
            args=[int(interval), int(slack), int(longest_seconds * 1_000_000)],
            client=client,
        )
    except redis.RedisError as err:
        logger.warning("No count of requests in Redis: %s", type(err).__name__)
        return _alone.reserve(identity, rate * ALONE_PART, longest_seconds)
    return int(answer) / 1_000_000


@lru_cache(maxsize=1)
def _redis(process: int) -> tuple[redis.Redis, redis.commands.core.Script]:
    """A connection is not used on both sides of a fork, hence the process."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
    )
    return client, client.register_script(_SCRIPT)


class _Alone:
    """The same count for this process only."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def reserve(self, identity: str, rate: float, longest_seconds: float) -> float:
        now = time.monotonic()
        with self._lock:
            due = max(self._due.get(identity, now), now)
            if due - now > longest_seconds:
                return now - due
            self._due = {
                key: moment for key, moment in self._due.items() if moment > now
            }
            self._due[identity] = due + 1 / rate
        return due - now


_alone = _Alone()
