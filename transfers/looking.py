"""Looks at a path that a person wrote, before a transfer hangs because of it."""

from __future__ import annotations

from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import GlobusFailure, NotADirectory, NotFound, globus_errors
from transfers.paths import name_of


def trouble_with(client: TransferClient, collection_id: UUID, path: str) -> str:
    """What is wrong with a source path, in a sentence; empty if nothing is known.

    Whatever else Globus says here, e.g. that it wants a consent, is met again by the
    submission, which knows what to do about it.

    https://docs.globus.org/api/transfer/file_operations/#stat
    """
    if name_of(path) in ("", "~"):
        return ""
    try:
        with globus_errors():
            data = client.operation_stat(collection_id, path.rstrip("/")).data
    except (NotFound, NotADirectory):
        return "There is nothing at this path. Check it, or pick it in its folder."
    except GlobusFailure:
        return ""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "dir" and not path.endswith("/"):
        return "This is a folder. Write a “/” at its end, so that all in it goes along."
    if kind == "file" and path.endswith("/"):
        return "This is a file, not a folder. Leave the “/” at its end away."
    return ""
