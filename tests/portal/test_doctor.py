"""``manage.py doctor`` names what is wrong, with a fix."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def doctor():
    out = StringIO()
    status = 0
    try:
        call_command("doctor", stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    lines = dict(
        line[6:].split(": ", 1) if line.startswith("FAIL") else (line[6:], "ok")
        for line in out.getvalue().splitlines()
    )
    return status, lines


def test_all_that_runs_here_is_fine_but_the_worker_that_is_missing(sandbox):
    status, lines = doctor()
    assert status == 1
    assert lines.pop("workers").startswith("No worker answers. → Start one")
    assert set(lines.values()) == {"ok"}
    assert len(lines) == 8


def test_a_wrong_client_secret_is_found(sandbox, settings):
    settings.GLOBUS_CLIENT_SECRET = "wrong"
    _, lines = doctor()
    assert "GLOBUS_CLIENT_SECRET" in lines["client id and secret"]


def test_an_unregistered_redirect_uri_is_found(sandbox, settings):
    settings.PUBLIC_BASE_URL = settings.PUBLIC_BASE_URL._replace(netloc="elsewhere")
    _, lines = doctor()
    assert "redirect URL" in lines["redirect URI and scopes"]


def test_servers_that_are_gone_are_found(sandbox, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.GLOBUS_AUTH_URL = "http://127.0.0.1:9/auth"
    _, lines = doctor()
    assert "REDIS_URL" in lines["Redis"]
    assert "GLOBUS_SDK_SERVICE_URL_AUTH" in lines["Globus Auth"]


def test_a_clock_that_is_off_is_found(sandbox, monkeypatch):
    import time

    real = time.time
    monkeypatch.setattr(
        "portal.management.commands.doctor.time.time", lambda: real() + 120
    )
    _, lines = doctor()
    # The Date header has whole seconds.
    assert re.search(r"differs from Globus Auth's by 12[01] seconds", lines["clock"])
