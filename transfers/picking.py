"""What somebody picked in a folder, as a form says it.

Entries are called by their numbers in the listing that the page shows, so that any
name can be picked, and 100,000 of them fit into a form. The listing's stamp goes with
the numbers: once the folder holds other names, they say nothing any more.

A form holds one of these, besides ``origin_id``, ``origin_path``, ``hidden``:

``pick``        a number, as often as needed; with ``stamp``
``selection``   a bit for each entry, base64; with ``stamp``
``everything``  all that the filter (``filter``, ``kind``) finds
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, QueryDict

from accounts.models import User
from portal.globus.errors import PortalError
from transfers.folders import Asked, Folder, open_folder
from transfers.storable import is_text
from transfers.viewing import View

FIELDS = ("pick", "selection", "everything")
#: bits of the longest listing, as base64, and room for more
_LONGEST_SELECTION = 40_000


class FolderChanged(PortalError):
    title = "The folder has changed"
    advice = (
        "Something was added, removed or renamed in this folder since you chose, so "
        "nothing was done. Here is what is in it now; please choose again."
    )
    status = 409


class NoneCanBeSent(FolderChanged):
    title = "None of this can be sent"
    advice = (
        "What you picked has names that are not valid text, so nothing was done. "
        "Rename it first."
    )


class NothingPicked(PortalError):
    title = "Nothing is selected"
    advice = "Select one or more entries first."
    status = 400


@dataclass(frozen=True)
class Picked:
    """Entries of one folder, in its order."""

    folder: Folder
    numbers: Sequence[int]

    @property
    def collection_id(self) -> UUID:
        return self.folder.asked.collection_id

    @property
    def path(self) -> str:
        return self.folder.path

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def folders(self) -> int:
        return sum(number < self.folder.about.folders for number in self.numbers)

    @property
    def size_bytes(self) -> int:
        """Of the files; what is in the folders is not known."""
        return self.folder.size_of(self.numbers)

    def names(self, most: int | None = None) -> list[tuple[str, bool]]:
        """``[(raw name, whether it is a folder)]``"""
        return self.folder.names(self.numbers[:most])

    def items(self) -> list[str]:
        """Paths for a transfer, with the names as they are; a folder ends in a slash.

        Left out is what cannot be stored until it is sent, and what is no name.
        """
        named = (
            (f"{self.path}{name}", is_dir)
            for name, is_dir in self.names()
            if is_text(name) and "/" not in name and name not in ("", ".", "..")
        )
        return [f"{path}/" if is_dir else path for path, is_dir in named]

    @property
    def has_odd_names(self) -> bool:
        """Names that no form can hold, so that they only go as a selection."""
        return not all(self.folder.path_of(name) for name, _ in self.names())

    @property
    def selection(self) -> str:
        return encoded(self.numbers)


def is_in(data: QueryDict) -> bool:
    return any(name in data for name in FIELDS)


def folder_in(request: HttpRequest, data: QueryDict, collection_id: UUID) -> Folder:
    """The folder that a form is about.

    :raises GlobusFailure: it had to be asked for again, in vain
    """
    assert isinstance(request.user, User)
    return open_folder(
        Asked(
            request.user,
            request.session.session_key or "",
            collection_id,
            data.get("origin_path", ""),
            data.get("hidden") == "1",
        )
    )


def picked_in(request: HttpRequest, data: QueryDict, collection_id: UUID) -> Picked:
    """
    :raises FolderChanged: the numbers are of another listing
    :raises NothingPicked: nothing, or only nonsense
    """
    folder = folder_in(request, data, collection_id)
    numbers = _numbers(folder, data)
    if not numbers:
        raise NothingPicked
    return Picked(folder, numbers)


def _numbers(folder: Folder, data: QueryDict) -> Sequence[int]:
    if data.get("everything"):
        view = View.of("name", data.get("filter", ""), data.get("kind", ""))
        return folder.found(view)
    selection = data.get("selection", "")
    if selection:
        numbers = decoded(selection)
    else:
        texts = data.getlist("pick")
        numbers = sorted({int(t) for t in texts if t.isdecimal() and len(t) < 8})
    if not numbers:
        return ()
    is_of_this = data.get("stamp", "") == folder.about.stamp
    if not is_of_this or numbers[-1] >= folder.about.count:
        raise FolderChanged
    return numbers


def encoded(numbers: Sequence[int]) -> str:
    """Bit ``n % 8`` of byte ``n // 8``, as base64 for addresses without its end."""
    bits = bytearray(numbers[-1] // 8 + 1 if numbers else 0)
    for number in numbers:
        bits[number >> 3] |= 1 << (number & 7)
    return base64.urlsafe_b64encode(bits).rstrip(b"=").decode()


def decoded(text: str) -> list[int]:
    """:raises NothingPicked: it is no selection"""
    if len(text) > _LONGEST_SELECTION:
        raise NothingPicked
    try:
        bits = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4),
            altchars=b"-_",
            validate=True,
        )
    except (binascii.Error, UnicodeEncodeError) as err:
        raise NothingPicked from err
    return [
        at * 8 + bit
        for at, byte in enumerate(bits)
        if byte
        for bit in range(8)
        if byte >> bit & 1
    ]
