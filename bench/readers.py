"""Reads people's tokens without a pause until standard input ends; run by bench.token.

    python -m bench.readers SEED

Prints ``ready``, and at the end how many reads there were and how many failed.
"""

import json
import random
import sys
import threading

from portal.startup import django_or_exit

django_or_exit()

from accounts import tokens  # noqa: E402 - needs the settings
from accounts.models import User  # noqa: E402
from accounts.vault import CannotOpen  # noqa: E402
from portal.globus import scopes  # noqa: E402
from portal.globus.errors import PortalError  # noqa: E402


def main(seed: int) -> None:
    over = threading.Event()
    people = [*User.objects.filter(username__contains="-").order_by("?")[:5_000]]
    chooser = random.Random(seed)
    threading.Thread(target=wait_for_the_end, args=[over], daemon=True).start()
    print("ready", flush=True)
    reads = failed = 0
    while not over.is_set():
        user = chooser.choice(people)
        reads += 1
        try:
            token = tokens.access_token(user, scopes.TRANSFER)
        except (PortalError, CannotOpen):
            failed += 1
        else:
            failed += token.secret.reveal() != f"Access {user.pk}"
    print(json.dumps({"reads": reads, "failed": failed}))


def wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main(int(sys.argv[1]))
