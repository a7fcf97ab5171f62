"""The portal on real servers of its own, with the sandbox for Globus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.stack import Stack


@contextmanager
def portal(*, durable: bool = False) -> Iterator[Stack]:
    """Sets Django up in this process, once; others get ``stack.environment``.

    :param durable: what is committed outlives PostgreSQL
    """
    import os

    os.environ["PORTAL_LOG_LEVEL"] = "ERROR"
    # One address signs in more often here than people do.
    os.environ["PORTAL_SIGN_INS_PER_MINUTE"] = "100000"
    os.environ["PORTAL_SIGN_INS_PER_HOUR"] = "100000"
    stack = Stack(durable=durable)
    stack.start()
    try:
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        try:
            yield stack
        finally:
            connections.close_all()
    finally:
        stack.stop()
