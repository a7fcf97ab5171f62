"""Forty processes that want the same token at the same moment; run by test_tokens.

    python -m tests.accounts.forty COUNT user|account ID RESOURCE_SERVER

Prints one line per process: the hash of the token that it got, or the name of the
failure.
"""

import hashlib
import os
import sys

from portal.startup import django_or_exit

django_or_exit()

from accounts import tokens  # noqa: E402 - needs the settings
from accounts.models import Principal, ServiceAccount, User  # noqa: E402
from portal.globus.errors import PortalError  # noqa: E402


def principal(kind: str, key: str) -> Principal:
    if kind == "user":
        return User.objects.get(pk=key)
    return ServiceAccount.objects.get(pk=key)


def child(kind: str, key: str, server: str, gate: int) -> str:
    who = principal(kind, key)  # opens this process's own connection
    os.read(gate, 1)  # until all are ready
    try:
        token = tokens.access_token(who, server)
    except PortalError as err:
        return type(err).__name__
    return hashlib.sha256(token.secret.reveal().encode()).hexdigest()


def main() -> None:
    count, kind, key, server = int(sys.argv[1]), *sys.argv[2:5]
    gate, opener = os.pipe()
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            os.write(1, (child(kind, key, server, gate) + "\n").encode())
            os._exit(0)
        children.append(pid)
    os.close(gate)
    os.close(opener)  # end of file for everyone: off they go
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
