"""What the tests stand on: PostgreSQL, Redis and the sandbox, all of them real."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from portal.embedded import Embedded, laptop_secrets
from sandbox import seed
from sandbox.testing import Sandbox
from tests.guarded import GUARDED_SANDBOX

PUBLIC_BASE_URL = "http://localhost:8000"


class Stack:
    """One per test run; ``environment`` is what the portal's settings read."""

    def __init__(self, *, durable: bool = False) -> None:
        """
        :param durable: what is committed outlives PostgreSQL
        """
        self._durable = durable
        # Short, since the path of a socket has room for about a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="cw-"))
        self._cleanup = ExitStack()
        self._cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        embedded = Embedded(self.folder / "servers", throw_away=not self._durable)
        self._embedded = embedded
        self._cleanup.callback(embedded.stop)
        embedded.start()
        self.sandbox = Sandbox.start(self.folder / "sandbox", program=GUARDED_SANDBOX)
        self._cleanup.callback(self.sandbox.stop)
        mail = self.folder / "mail"
        mail.mkdir()
        self.environment = {
            **laptop_secrets(self.folder / "secrets"),
            **self.sandbox.environment,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PUBLIC_BASE_URL": PUBLIC_BASE_URL,
            "GLOBUS_CLIENT_ID": seed.PORTAL_CLIENT_ID,
            "GLOBUS_CLIENT_SECRET": seed.PORTAL_CLIENT_SECRET,
            "DATABASE_URL": embedded.database_url,
            "REDIS_URL": embedded.redis_url,
            "EMAIL_URL": f"file://{mail}",
            # The sandbox is in no hurry to say no; what counts has tests of its own.
            "PORTAL_REQUESTS_PER_SECOND": "0",
            "PORTAL_GROUP_USERS": seed.GROUP_USERS,
            "PORTAL_GROUP_STAFF": seed.GROUP_STAFF,
            "PORTAL_GROUP_ADMINS": seed.GROUP_ADMINS,
        }
        os.environ.update(self.environment)

    def restart_servers(self) -> None:
        """PostgreSQL goes on with what it had; Redis comes back empty."""
        # Else it would take these for servers that somebody else runs.
        given = [os.environ.pop(name) for name in ("DATABASE_URL", "REDIS_URL")]
        try:
            self._embedded.stop()
            self._embedded.start()
        finally:
            os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = given
        assert given == [self._embedded.database_url, self._embedded.redis_url]

    def stop(self) -> None:
        self._cleanup.close()


def database_url() -> str:
    """The test database, for processes that a test starts."""
    from django.db import connection

    found = connection.settings_dict
    return f"postgresql://{found['USER']}@/{found['NAME']}?host={found['HOST']}"
