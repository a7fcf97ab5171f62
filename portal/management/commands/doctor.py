"""``manage.py doctor``: what is wrong with this installation, and what mends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import requests
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse
from kombu.exceptions import OperationalError as BrokerError

from accounts import vault
from accounts.portal_client import portal_auth_client
from portal import health
from portal.celery import app
from portal.globus import scopes
from portal.globus.errors import GlobusFailure, GlobusUnreachable, globus_errors

TIMEOUT_SECONDS = 5
#: the ID token's times are checked within 60 seconds; half of that is cause to worry
LARGEST_SKEW_SECONDS = 30


@dataclass(frozen=True)
class Finding:
    """:ivar fix: what to do, when ``problem`` is not empty"""

    problem: str = ""
    fix: str = ""


FINE = Finding()


class Command(BaseCommand):
    help = "Checks the installation; one line each, with a fix beside each failure."
    # Its own checks say more, and go on where Django's would stop.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for name, check in CHECKS.items():
            finding = check()
            failed += bool(finding.problem)
            self.stdout.write(_line(name, finding))
        if failed:
            raise SystemExit(1)


def _line(name: str, finding: Finding) -> str:
    if not finding.problem:
        return f"ok    {name}"
    return f"FAIL  {name}: {finding.problem} → {finding.fix}"


def database() -> Finding:
    problem = health.database_problem()
    return (
        Finding(problem, "Start PostgreSQL, or correct DATABASE_URL.")
        if problem
        else FINE
    )


def migrations() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError:
        return Finding("The database does not answer.", "See the line above.")
    if missing:
        return Finding(
            f"{len(missing)} migrations are not applied.", "Run manage.py migrate."
        )
    return FINE


def redis() -> Finding:
    problem = health.redis_problem()
    return Finding(problem, "Start Redis, or correct REDIS_URL.") if problem else FINE


def workers() -> Finding:
    try:
        answers = app.control.inspect(timeout=1).ping()
    except (BrokerError, OSError):
        return Finding("Redis does not answer.", "See the line above.")
    if not answers:
        return Finding(
            "No worker answers.", "Start one: celery -A portal worker --pool threads."
        )
    return FINE


def key_ring() -> Finding:
    vault.key_ring()  # a bad one has ended this process already
    return FINE


def globus_auth() -> Finding:
    try:
        _ask("/.well-known/openid-configuration")
    except requests.RequestException as err:
        return Finding(
            f"{settings.GLOBUS_AUTH_URL} does not answer ({type(err).__name__}).",
            "Check the network, the proxy, and GLOBUS_SDK_SERVICE_URL_AUTH.",
        )
    return FINE


def clock() -> Finding:
    try:
        answer = _ask("/.well-known/openid-configuration")
    except requests.RequestException:
        return Finding("Globus Auth does not answer.", "See the line above.")
    theirs = answer.headers.get("Date")
    if theirs is None:
        return Finding("Globus Auth sent no date.", "Check for a proxy in between.")
    skew = abs(time.time() - parsedate_to_datetime(theirs).timestamp())
    if skew > LARGEST_SKEW_SECONDS:
        return Finding(
            f"This clock differs from Globus Auth's by {skew:.0f} seconds.",
            "Switch on NTP; sign-ins fail beyond 60 seconds.",
        )
    return FINE


def client_credentials() -> Finding:
    try:
        with globus_errors():
            portal_auth_client().oauth2_token_introspect("not-a-token")
    except GlobusUnreachable:
        return Finding("Globus Auth does not answer.", "See the line above.")
    except GlobusFailure as err:
        return Finding(
            f"Globus Auth does not accept the portal's client ({type(err).__name__}).",
            "Check GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET.",
        )
    return FINE


def redirect_uri() -> Finding:
    """Asks for the authorize page; it refuses an unregistered address or scope."""
    address = settings.PUBLIC_BASE_URL._replace(path=reverse("accounts:complete"))
    query = {
        "client_id": settings.GLOBUS_CLIENT_ID,
        "redirect_uri": address.geturl(),
        "response_type": "code",
        "scope": " ".join(scopes.SIGN_IN_SCOPES),
        "state": "doctor",
    }
    try:
        _ask(f"/v2/oauth2/authorize?{urlencode(query)}")
    except requests.RequestException as err:
        return Finding(
            f"Globus Auth refuses {address.geturl()} or the scopes "
            f"({type(err).__name__}).",
            "Register exactly this address as the portal client's redirect URL.",
        )
    return FINE


def _ask(path: str) -> requests.Response:
    answer = requests.get(
        settings.GLOBUS_AUTH_URL + path,
        timeout=TIMEOUT_SECONDS,
        allow_redirects=False,
        verify=settings.SOCIAL_AUTH_GLOBUS_VERIFY_SSL,
    )
    answer.raise_for_status()
    return answer


CHECKS: dict[str, Callable[[], Finding]] = {
    "settings and vault key ring": key_ring,
    "database": database,
    "migrations": migrations,
    "Redis": redis,
    "workers": workers,
    "Globus Auth": globus_auth,
    "clock": clock,
    "client id and secret": client_credentials,
    "redirect URI and scopes": redirect_uri,
}
