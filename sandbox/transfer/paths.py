# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH118
"""From a path of a collection to a path of this machine, and never past its root."""

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from sandbox.knobs import current as knobs
from sandbox.models import Collection
from sandbox.runtime import runtime
from sandbox.transfer import lazy
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import bad_request, permission_denied

#: Linux's PATH_MAX; Globus's own limit is not known
LONGEST_PATH = 4096
LONGEST_NAME = 255


@dataclass(frozen=True)
class Place:
    """``path`` is absolute in the collection, ``real`` on this machine.

    ``real`` has all links resolved but the last: its parent is inside the
    collection for certain, and so is what it names, unless that is a link.
    """

    collection: Collection
    path: str
    real: str

    @property
    def target(self) -> str:
        """``real`` with the last link resolved too.

        :raises TransferFailure: it leads out of the collection
        """
        resolved = os.path.realpath(self.real)
        _check_inside(self.collection, resolved)
        return resolved


def place(caller: Caller, collection: Collection, path: str | None) -> Place:
    """Find where ``path`` lies. It need not exist.

    :raises TransferFailure: it is no path, or a link on the way leads outside
    """
    return place_at(collection, absolute_path(caller, collection, path))


def place_at(collection: Collection, path: str) -> Place:
    """The same for an absolute path that has no ``~``, for nobody in particular."""
    absolute = posixpath.normpath(f"/{checked(path).lstrip('/')}")
    base = root(collection)
    parent, name = posixpath.split(absolute)
    if name:
        lazy.fill_way(base, parent)
    real_parent = os.path.realpath(f"{base}{parent}")
    _check_inside(collection, real_parent)
    return Place(
        collection, absolute, os.path.join(real_parent, name) if name else base
    )


def absolute_path(caller: Caller, collection: Collection, path: str | None) -> str:
    """Normal form: starts with ``/``, no ``.``, ``..``, ``//`` or ``/`` at its end.

    ``..`` stops at the root, as in a chroot.
    """
    text = path or default_directory(collection)
    checked(text)
    text = text.removeprefix("/") if text.startswith("/~") else text
    if text == "~" or text.startswith("~/"):
        text = f"{home(caller, collection)}/{text[2:]}"
    elif not text.startswith("/"):
        text = f"{home(caller, collection)}/{text}"
    return posixpath.normpath(f"/{text.lstrip('/')}")


def checked(path: str) -> str:
    """:raises TransferFailure: no operating system would take this path"""
    limit = min(knobs.longest_path or LONGEST_PATH, LONGEST_PATH)
    too_long = len(path.encode("utf-8", "surrogatepass")) > limit
    if (
        "\0" in path
        or too_long
        or any(
            len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME
            for name in path.split("/")
        )
    ):
        raise bad_request("The path is not valid", "ClientError.BadRequest.InvalidPath")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as err:
        raise bad_request(
            "The path is not valid", "ClientError.BadRequest.InvalidPath"
        ) from err
    return path


def default_directory(collection: Collection) -> str:
    return "/~/" if collection.homes else collection.default_directory


def home(caller: Caller, collection: Collection) -> str:
    """The directory that ``~`` stands for; a new account's is made here."""
    if not collection.homes:
        return collection.default_directory.rstrip("/")
    directory = f"/home/{caller.local_user}"
    Path(f"{root(collection)}{directory}").mkdir(parents=True, exist_ok=True)
    return directory


def root(collection: Collection) -> str:
    """The directory of this machine that is the collection's ``/``."""
    base = os.path.realpath(runtime.collections / collection.root)
    return base + collection.host_path.rstrip("/")


def _check_inside(collection: Collection, real: str) -> None:
    # A guest collection's own root is the boundary, not its host's.
    base = os.path.realpath(root(collection))
    if real != base and not real.startswith(f"{base}/"):
        raise permission_denied("The path leads out of the collection")
