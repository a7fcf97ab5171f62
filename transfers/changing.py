"""Small changes in a folder: a new one in it, another name, and what deletes.

Globus does the first two at once; a deletion is a task of its own, as a transfer is.
"""

from __future__ import annotations

from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import PortalError, globus_errors
from transfers.paths import join, normalised


class BadName(PortalError):
    """A name that nothing gets from here; ``advice`` says why."""

    title = "This name cannot be used"
    status = 400


def make_folder(
    transfer_client: TransferClient, collection_id: UUID, folder: str, name: str
) -> str:
    """Makes a folder in ``folder``; its path.

    :raises BadPath: the name cannot be used
    :raises AlreadyThere: something is called like that

    https://docs.globus.org/api/transfer/file_operations/#make_directory
    """
    path = join(normalised(folder, folder=True), checked(name))
    with globus_errors():
        transfer_client.operation_mkdir(collection_id, path)
    return f"{path}/"


def rename(
    transfer_client: TransferClient,
    collection_id: UUID,
    folder: str,
    old: str,
    new: str,
) -> None:
    """Gives an entry another name in the same folder.

    :param old: as the listing has it, whatever is in it
    :raises BadPath: the new name cannot be used
    :raises AlreadyThere: something is called like that

    https://docs.globus.org/api/transfer/file_operations/#rename
    """
    folder = normalised(folder, folder=True)
    with globus_errors():
        transfer_client.operation_rename(
            collection_id, place_of(folder, old), join(folder, checked(new))
        )


def checked(name: str) -> str:
    """:raises BadName: blank, or not one name"""
    if not name.strip():
        raise BadName("Write a name.")
    if "/" in name:
        raise BadName("A name cannot hold a slash.")
    if name in (".", ".."):
        raise BadName("“.” and “..” mean folders and cannot be names.")
    return name


def place_of(folder: str, name: str) -> str:
    """The path of an entry by the name that a listing gave it (security.md W03).

    The name is not judged, since it is there; only what would lead elsewhere is.

    :raises BadName: it is not one name
    """
    if not name or "/" in name or name in (".", ".."):
        raise BadName("Nothing can be done with an entry of this name.")
    return f"{folder}{name}"
