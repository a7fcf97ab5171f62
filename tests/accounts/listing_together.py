"""Processes of many threads that list a collection and renew its token all the time.

    python -m tests.accounts.listing_together PROCESSES THREADS ROUNDS USER_ID

Prints one line per listing: ``ok``, or the name of the failure.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from portal.startup import django_or_exit

django_or_exit()

from django.db import connection  # noqa: E402 - needs the settings
from django.utils import timezone  # noqa: E402

from accounts.clients import transfer_client  # noqa: E402
from accounts.models import Token, User  # noqa: E402
from portal.globus import scopes  # noqa: E402
from portal.globus.errors import PortalError, globus_errors  # noqa: E402
from sandbox import seed  # noqa: E402


def listings(user_id: str, rounds: int) -> list[str]:
    """What one thread meets that lets the token expire before each listing."""
    user = User.objects.get(pk=user_id)
    row = Token.objects.held_for(user).filter(resource_server=scopes.TRANSFER)
    met = []
    for _ in range(rounds):
        row.update(expires_at=timezone.now() - timedelta(seconds=1))
        try:
            with globus_errors():
                transfer_client(user).operation_ls(seed.LAPTOP, path="/")
            met.append("ok")
        except PortalError as err:
            met.append(type(err).__name__)
    connection.close()
    return met


def child(threads: int, rounds: int, user_id: str, gate: int) -> None:
    os.read(gate, 1)  # until all are there
    with ThreadPoolExecutor(threads) as pool:
        met = pool.map(lambda _: listings(user_id, rounds), range(threads))
        lines = [line for some in met for line in some]
    os.write(1, ("\n".join(lines) + "\n").encode())


def main() -> None:
    processes, threads, rounds = map(int, sys.argv[1:4])
    gate, opener = os.pipe()
    children = []
    for _ in range(processes):
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            child(threads, rounds, sys.argv[4], gate)
            os._exit(0)
        children.append(pid)
    os.close(gate)
    os.close(opener)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
