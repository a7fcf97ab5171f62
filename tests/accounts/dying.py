"""A process that is killed at a step of a renewal; run by test_killed_renewal.

    python -m tests.accounts.dying STEP vault USER_ID
    python -m tests.accounts.dying STEP library FILE

``vault`` is the portal's way. ``library`` is the SDK's own ``RefreshTokenAuthorizer``
with its own JSON storage in a file, for comparison. The process kills itself with
SIGKILL, so nothing of it gets a chance to tidy up; after ``DONE`` it was not killed.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from pathlib import Path

from portal.startup import django_or_exit

django_or_exit()

import requests  # noqa: E402 - needs the settings
from django.conf import settings  # noqa: E402
from globus_sdk import ConfidentialAppAuthClient, RefreshTokenAuthorizer  # noqa: E402
from globus_sdk.token_storage import JSONTokenStorage  # noqa: E402

from accounts import tokens  # noqa: E402
from accounts.models import Token, User  # noqa: E402
from portal.globus import scopes  # noqa: E402

#: in the order in which a renewal passes them
STEPS = (
    "before the request",
    "request sent, no answer read",
    "answer read",
    "before the commit",
    "after the commit",
)


def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step):
    """Puts a trap on the wire, or on what stores the answer."""
    if step == "before the request":
        requests.Session.send = die
    elif step == "request sent, no answer read":
        http.client.HTTPConnection.getresponse = die
    elif step == "answer read":
        send = requests.Session.send

        def send_and_die(*args, **options):
            send(*args, **options)
            die()

        requests.Session.send = send_and_die


def by_vault(step, user_id):
    user = User.objects.get(pk=user_id)
    arm(step)
    if step == "before the commit":
        store = Token.store

        def store_and_die(row):
            store(row)
            die()

        Token.store = store_and_die
    tokens.access_token(user, scopes.TRANSFER)
    if step == "after the commit":
        die()


def by_library(step, path):
    storage = JSONTokenStorage(Path(path))
    data = storage.get_token_data(scopes.TRANSFER)
    client = ConfidentialAppAuthClient(
        settings.GLOBUS_CLIENT_ID, settings.GLOBUS_CLIENT_SECRET
    )

    def on_refresh(answer):
        if step == "before the commit":
            json.dump = die  # the file is open, and empty
        storage.store_token_response(answer)
        if step == "after the commit":
            die()

    arm(step)
    # Without an access token it asks at once, as with one that has expired.
    RefreshTokenAuthorizer(data.refresh_token, client, on_refresh=on_refresh)


if __name__ == "__main__":
    way, step = sys.argv[2], sys.argv[1]
    (by_vault if way == "vault" else by_library)(step, sys.argv[3])
    print("DONE")
