"""Kills renewals and says what is left; for the test and for ``make faults``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import globus_sdk
from django.conf import settings
from django.utils import timezone
from globus_sdk.token_storage import JSONTokenStorage

from accounts.clients import transfer_client
from accounts.models import Token, User
from portal.globus import scopes
from portal.globus.errors import PortalError, SignInRequired, globus_errors
from sandbox.testing import Sandbox
from tests.portal.processes import eventually

TOKEN_ROUTE = "/auth/v2/oauth2/token"


class Left(StrEnum):
    USABLE = "usable"
    NEEDS_SIGN_IN = "needs sign-in"
    LOST = "lost"


def kill(step: str, way: str, what: str, environment: dict[str, str]) -> None:
    """Lets a process renew, and die at a step.

    :raises AssertionError: it got through alive
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.dying", step, way, what],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr or done.stdout


def wait_for_auth(sandbox: Sandbox, step: str, *, before: int) -> None:
    """A request that was sent is handled, though nobody waits for its answer."""
    if step != "before the request":
        assert eventually(lambda: len(sandbox.requests(TOKEN_ROUTE)) > before)


def after_vault(user: User) -> Left:
    """What the next caller gets, tried out at Transfer."""
    try:
        row = Token.objects.held_for(user).get(resource_server=scopes.TRANSFER)
        row.access_token(), row.refresh_token()
        with globus_errors():
            answer = transfer_client(user).task_list()
        assert answer.http_status == 200
    except SignInRequired:
        row.refresh_from_db()
        clear = row.state == Token.State.NEEDS_SIGN_IN
        return Left.NEEDS_SIGN_IN if clear else Left.LOST
    except (Token.DoesNotExist, PortalError, AssertionError):
        return Left.LOST
    return Left.USABLE


def after_library(path: Path) -> Left:
    """The same with the SDK's own storage."""
    try:
        data = JSONTokenStorage(path).get_token_data(scopes.TRANSFER)
        assert data is not None
        globus_sdk.RefreshTokenAuthorizer(
            str(data.refresh_token),
            globus_sdk.ConfidentialAppAuthClient(
                settings.GLOBUS_CLIENT_ID, settings.GLOBUS_CLIENT_SECRET
            ),
        )
    except globus_sdk.AuthAPIError as err:
        is_dead = (err.raw_json or {}).get("error") == "invalid_grant"
        return Left.NEEDS_SIGN_IN if is_dead else Left.LOST
    except (globus_sdk.GlobusError, ValueError, AssertionError):
        return Left.LOST
    return Left.USABLE


def expire(user: User) -> None:
    Token.objects.held_for(user).update(
        expires_at=timezone.now() - timedelta(seconds=1), next_try_at=None
    )
