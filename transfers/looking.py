"""Looks at paths that a person wrote, before a transfer hangs because of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import GlobusFailure, NotADirectory, NotFound, globus_errors
from transfers.paths import name_of, parent
from transfers.submission import Item


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


def one_folder_of(items: Sequence[Item]) -> str:
    """The folder in which all sources lie; empty if there are several."""
    folders = {parent(item.source_path) or "" for item in items}
    return folders.pop() if len(folders) == 1 else ""


def troubles_in(
    kinds: Mapping[str, bool], items: Sequence[Item]
) -> Iterator[tuple[int, str]]:
    """``(place, sentence)`` of each item that its folder's listing contradicts.

    :param kinds: ``{name: whether it is a folder}``
    """
    for place, item in enumerate(items):
        is_folder = kinds.get(name_of(item.source_path))
        says_folder = item.recursive or item.source_path.endswith("/")
        if is_folder is None:
            yield place, "There is nothing at this path."
        elif is_folder and item.recursive is False:
            yield place, "This is a folder, and the line says that it is a file."
        elif not is_folder and says_folder:
            yield place, "This is a file, and the line says that it is a folder."
