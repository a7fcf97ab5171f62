"""What the portal needs from outside, and whether it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import redis
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from portal import env

TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Probe:
    """:ivar problem: gives a sentence that names the setting to look at, or nothing"""

    name: str
    problem: Callable[[], str]


def database_problem() -> str:
    """Asks on a connection of its own: a full pool is no reason to look elsewhere."""
    found = connection.settings_dict
    wanted = {
        "dbname": found["NAME"],
        "user": found["USER"],
        "password": found["PASSWORD"],
        "host": found["HOST"],
        "port": found["PORT"],
        **{name: value for name, value in found["OPTIONS"].items() if name != "pool"},
        "connect_timeout": TIMEOUT_SECONDS,
    }
    try:
        with psycopg.connect(**{k: v for k, v in wanted.items() if v}) as asked:
            asked.execute("SELECT 1")
    except psycopg.OperationalError as err:
        reason = str(err).strip().splitlines() or ["no answer"]
        return f"PostgreSQL does not answer; look at DATABASE_URL ({reason[0]})."
    return ""


def redis_problem() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        retry=None,
    )
    try:
        client.ping()
    except (redis.RedisError, OSError) as err:
        return f"Redis does not answer; look at REDIS_URL ({type(err).__name__})."
    finally:
        client.close()
    return ""


def sandbox_problem() -> str:
    """Only a sandbox has to be there at the start; the portal outlives Globus."""
    host = urlsplit(settings.GLOBUS_AUTH_URL).hostname or ""
    if not env.is_loopback(host):
        return ""
    address = f"{settings.GLOBUS_AUTH_URL}/.well-known/openid-configuration"
    try:
        requests.get(
            address,
            timeout=TIMEOUT_SECONDS,
            verify=settings.SOCIAL_AUTH_GLOBUS_VERIFY_SSL,
        ).raise_for_status()
    except requests.RequestException as err:
        return (
            "The sandbox does not answer; look at GLOBUS_SDK_SERVICE_URL_AUTH "
            f"({type(err).__name__})."
        )
    return ""


PROBES = (Probe("database", database_problem), Probe("redis", redis_problem))
PROBES_AT_START = (*PROBES, Probe("sandbox", sandbox_problem))


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
