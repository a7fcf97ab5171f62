"""Looks at paths that a person wrote, before a transfer hangs because of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from globus_sdk import TransferClient

from portal.globus.errors import (
    GlobusFailure,
    NotADirectory,
    NotFound,
    PortalError,
    globus_errors,
)
from transfers.folders import Asked, Folder, ask_globus, open_folder
from transfers.paths import name_of, parent
from transfers.submission import Item

#: of a batch that are looked at; each is a call to Globus unless it is kept
MOST_FOLDERS = 10
#: after which no further folder is asked for: a page has to come
LOOKING_SECONDS = 4


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


def troubles_in_folders(
    asked_in: Callable[[str], Asked], items: Sequence[Item]
) -> list[tuple[int, str]]:
    """``[(place, sentence)]`` of the items that a listing of their folder contradicts.

    The folders with most of them are looked at, one after the other, for a few seconds;
    what lies elsewhere is Globus's to judge, and ``transfers.stalls`` to explain.

    :param asked_in: who looks at a folder, by its path
    """
    by_folder: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if folder := parent(item.source_path):
            by_folder.setdefault(folder, []).append(place)
    most_first = sorted(by_folder, key=lambda path: -len(by_folder[path]))
    found: list[tuple[int, str]] = []
    until = time.monotonic() + LOOKING_SECONDS
    for path in most_first[:MOST_FOLDERS]:
        if time.monotonic() >= until:
            break
        lying_there = [(place, items[place]) for place in by_folder[path]]
        try:
            found += _troubles_in(asked_in(path), lying_there)
        except (NotFound, NotADirectory):
            continue  # said by Globus in time; the other folders still tell something
        except PortalError:
            break  # met again by the submission, which knows what to do about it
    return sorted(found)


def _troubles_in(
    asked: Asked, items: Sequence[tuple[int, Item]]
) -> list[tuple[int, str]]:
    """By a listing that is new: what was kept may be older than the file."""
    now = time.time()
    folder = open_folder(asked)
    found = _contradictions(folder, items)
    if found and folder.about.asked_at < now:
        found = _contradictions(ask_globus(asked), items)
    return found


def _contradictions(
    folder: Folder, items: Sequence[tuple[int, Item]]
) -> list[tuple[int, str]]:
    kinds = dict(folder.names(range(folder.about.count)))
    says = ((place, _trouble_of(kinds, item)) for place, item in items)
    return [(place, trouble) for place, trouble in says if trouble]


def _trouble_of(kinds: Mapping[str, bool], item: Item) -> str:
    """:param kinds: ``{name: whether it is a folder}``"""
    is_folder = kinds.get(name_of(item.source_path))
    says_folder = item.recursive or item.source_path.endswith("/")
    if is_folder is None:
        return "There is nothing at this path."
    if is_folder and item.recursive is False:
        return "This is a folder, and the line says that it is a file."
    if not is_folder and says_folder:
        return "This is a file, and the line says that it is a folder."
    return ""
