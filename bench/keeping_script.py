"""Lists a tree as a script does that keeps all entries; run by bench.inventory.

    python -m bench.keeping_script PATH

Prints the most memory that it has had, in MB.
"""

from __future__ import annotations

import resource
import sys

from globus_sdk import (
    ClientCredentialsAuthorizer,
    ConfidentialAppAuthClient,
    TransferClient,
)
from globus_sdk.scopes import TransferScopes

from sandbox import seed


def main(path: str) -> None:
    auth = ConfidentialAppAuthClient(seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET)
    client = TransferClient(
        authorizer=ClientCredentialsAuthorizer(auth, TransferScopes.all)
    )
    entries, waiting = [], [path]
    while waiting:
        folder = waiting.pop()
        for entry in client.operation_ls(seed.HARVEST, path=folder):
            entries.append((folder, entry))
            if entry["type"] == "dir":
                waiting.append(f"{folder}{entry['name']}/")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    main(sys.argv[1])
