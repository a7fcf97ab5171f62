"""Check 67 of globus-services.md section 9: the portal's storage loses no token."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from accounts import tokens
from accounts.models import Token
from portal.globus import scopes
from tests.stack import database_url

PROCESSES, THREADS, ROUNDS = 4, 8, 3
TOKEN_ROUTE = "/auth/v2/oauth2/token"


@pytest.mark.django_db(transaction=True)
def test_check_67_threads_and_processes_lose_no_rotating_refresh_token(sandbox, ada):
    """Every refresh replaces the refresh token: who used an old one would be out."""
    sandbox.set(rotate_refresh_tokens=True)
    sandbox.forget_requests()
    command = [sys.executable, "-m", "tests.accounts.listing_together"]
    numbers = [str(one) for one in (PROCESSES, THREADS, ROUNDS)]
    done = subprocess.run(
        [*command, *numbers, str(ada.pk)],
        env=os.environ | {"DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["ok"] * (PROCESSES * THREADS * ROUNDS), done
    refreshes = sandbox.requests(TOKEN_ROUTE)
    assert len(refreshes) > PROCESSES, "they did renew, again and again"
    assert {one["status"] for one in refreshes} == {200}
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    again = tokens.access_token(ada, scopes.TRANSFER, refused=row.generation)
    assert again.generation == row.generation + 1, "the last refresh token works"
