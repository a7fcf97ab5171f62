"""What forty processes do that each renew for themselves, with the plain SDK.

    python -m bench.forty_without_lock COUNT REFRESH_TOKEN

Prints ``ok`` or the name of the failure, one line per process.
"""

import os
import sys

from globus_sdk import ConfidentialAppAuthClient, GlobusError, RefreshTokenAuthorizer


def child(refresh_token: str, gate: int) -> str:
    client = ConfidentialAppAuthClient(
        os.environ["GLOBUS_CLIENT_ID"], os.environ["GLOBUS_CLIENT_SECRET"]
    )
    os.read(gate, 1)  # until all are ready
    try:
        # Without an access token it asks at once, as with one that has expired.
        RefreshTokenAuthorizer(refresh_token, client)
    except GlobusError as err:
        return type(err).__name__
    return "ok"


def main() -> None:
    count, refresh_token = int(sys.argv[1]), sys.argv[2]
    gate, opener = os.pipe()
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            os.write(1, (child(refresh_token, gate) + "\n").encode())
            os._exit(0)
        children.append(pid)
    os.close(gate)
    os.close(opener)  # end of file for everyone: off they go
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
