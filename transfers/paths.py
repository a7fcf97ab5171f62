"""Paths in a collection, as people write them and as Globus wants them.

A collection path starts with ``/`` or with ``/~/``, the home of whoever asks. It is
text for Globus and never touches a file system of ours (security.md W03).
"""

import unicodedata

from portal.globus.errors import PortalError

LONGEST_PATH_BYTES = 4096
HOME = "/~/"


class BadPath(PortalError):
    """A path that is not sent to Globus; ``advice`` says why."""

    title = "This path cannot be used"
    status = 400


def normalised(path: str, *, folder: bool = False) -> str:
    """The path as the portal keeps and sends it.

    ``~`` becomes ``/~/``; repeated slashes and ``.`` segments go; names stay as they
    are, down to their blanks and their Unicode form.

    :param folder: the path names a folder, so it ends in ``/``
    :raises BadPath: with a sentence for whoever wrote it
    """
    _check_characters(path)
    if path == "~" or path.startswith("~/"):
        path = f"/{path}"
    if not path.startswith("/"):
        raise BadPath("Start the path with / or with /~/ for the home folder.")
    segments = [each for each in path.split("/") if each not in ("", ".")]
    if ".." in segments:
        raise BadPath("“..” is not allowed in a path; write the folder itself.")
    ends_as_folder = folder or path.endswith(("/", "/.")) or segments == ["~"]
    result = "/" + "/".join(segments)
    if ends_as_folder and not result.endswith("/"):
        result += "/"
    _check_length(result)
    return result


def _check_characters(path: str) -> None:
    if not path:
        raise BadPath("Enter a path.")
    _check_length(path)
    if path.isascii() and path.isprintable():
        return  # nearly every path, at a tenth of the time
    for character in path:
        category = unicodedata.category(character)
        if category == "Cs":
            raise BadPath("The path holds a character that is not valid text.")
        if category == "Cc":
            raise BadPath("The path holds a control character or a line break.")


def _check_length(path: str) -> None:
    if len(path) * 4 <= LONGEST_PATH_BYTES:
        return  # no character has more than four bytes
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH_BYTES:
        raise BadPath(f"The path is longer than {LONGEST_PATH_BYTES} bytes.")


def join(folder: str, name: str) -> str:
    """The path of an entry of a folder.

    :param name: one name as a listing gave it, not a path
    :raises BadPath: there is a slash in the name, or it means another folder
    """
    if "/" in name or name in ("", ".", ".."):
        raise BadPath("A name must not be empty, “.” or “..”, or hold a slash.")
    return normalised(f"{folder}/{name}")


def parent(path: str) -> str | None:
    """The folder above, ending in ``/``; nothing above ``/`` and above ``/~/``."""
    segments = _segments(path)
    if not segments or segments == ["~"]:
        return None
    return "/" + "".join(f"{each}/" for each in segments[:-1])


def name_of(path: str) -> str:
    """The last segment; empty for the root."""
    segments = _segments(path)
    return segments[-1] if segments else ""


def parents(path: str) -> list[tuple[str, str]]:
    """``(name, path)`` from the root down to the folder itself, for breadcrumbs.

    The home stands first in a path under ``/~/``, since what is above it is not known.
    """
    segments = _segments(path)
    if segments[:1] == ["~"]:
        crumbs, folder, segments = [("~", HOME)], HOME, segments[1:]
    else:
        crumbs, folder = [("/", "/")], "/"
    for each in segments:
        folder = f"{folder}{each}/"
        crumbs.append((each, folder))
    return crumbs


def is_within(path: str, folder: str) -> bool:
    """Whether ``path`` is the folder or lies in it, by segment and not by letter."""
    inner, outer = _segments(path), _segments(folder)
    return inner[: len(outer)] == outer


def _segments(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]
