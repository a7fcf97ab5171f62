"""Folders of a tree that cannot be read, while the rest of it can."""

from __future__ import annotations

from accounts.models import User
from portal.globus.errors import (
    CollectionUnavailable,
    NotADirectory,
    NotFound,
    PermissionDenied,
    PortalError,
    Refused,
    UnexpectedAnswer,
)
from transfers.browsing import listing
from transfers.jobs.inventory_models import Inventory, InventoryFolder
from transfers.jobs.reading import Reader
from transfers.paths import BadPath

#: A folder that its server fails to list this often, while the top works, is left out.
MOST_ATTEMPTS = 3


def why_unread(
    inventory: Inventory, reader: Reader, folder: InventoryFolder, err: PortalError
) -> str:
    """A sentence if the folder is left out and the walk goes on; else empty."""
    if folder.depth == 0:
        return ""
    if "SizeLimit" in getattr(err, "code", ""):
        return "It holds more entries than Globus lists, which is 100,000."
    if isinstance(err, PermissionDenied):
        is_person = isinstance(reader.principal, User)
        return f"{'You' if is_person else 'The service account'} may not read it."
    for kind, sentence in _LEFT_OUT.items():
        if isinstance(err, kind):
            return sentence
    if isinstance(err, CollectionUnavailable | UnexpectedAnswer):
        return _unless_all_fails(inventory, reader, folder)
    return ""


_LEFT_OUT: dict[type[PortalError], str] = {
    NotFound: "It was gone, or hidden, when it was to be read.",
    NotADirectory: "It was no folder any more when it was to be read.",
    Refused: "Globus did not accept its path.",
    BadPath: "Its path cannot be sent to Globus.",
}


def _unless_all_fails(
    inventory: Inventory, reader: Reader, folder: InventoryFolder
) -> str:
    """Whether it is the folder or the whole collection that does not work."""
    folder.attempts += 1
    InventoryFolder.objects.filter(pk=folder.pk).update(attempts=folder.attempts)
    if folder.attempts < MOST_ATTEMPTS:
        return ""
    listing(reader.transfer_client, reader.collection, inventory.path, limit=1)
    return "Three times the collection's server could not list it."
