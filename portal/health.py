"""What the portal needs from outside, and whether it answers."""

from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError

PROBE_TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Probe:
    """:ivar problem: a sentence that names the setting to look at, or nothing"""

    name: str
    problem: Callable[[], str]
    needed_to_start: bool = True


def database_problem() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError as err:
        reason = str(err).strip().splitlines()[0] if str(err).strip() else "no answer"
        return f"PostgreSQL does not answer; look at DATABASE_URL ({reason})."
    return ""


def redis_problem() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=PROBE_TIMEOUT_SECONDS,
        socket_timeout=PROBE_TIMEOUT_SECONDS,
    )
    try:
        client.ping()
    except (redis.RedisError, BrokerError, OSError) as err:
        return f"Redis does not answer; look at REDIS_URL ({type(err).__name__})."
    finally:
        client.close()
    return ""


PROBES = (Probe("database", database_problem), Probe("redis", redis_problem))


@login_not_required
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """The process answers; says nothing about what it needs."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether requests can be served; the names of what is missing, no details."""
    missing = [probe.name for probe in PROBES if probe.problem()]
    return JsonResponse(
        {"status": "not ready" if missing else "ready", "missing": missing},
        status=503 if missing else 200,
    )
