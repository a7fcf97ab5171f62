# Paths are plain text here: fast, and any bytes may be a name.
# ruff: noqa: PTH102, PTH104, PTH114, PTH211
"""File operations: ls, stat, mkdir, rename, symlink.

https://docs.globus.org/api/transfer/file_operations/
"""

import errno
import os
from typing import Any

from django.http import HttpRequest

from sandbox import clock
from sandbox.answers import json_body
from sandbox.knobs import current as knobs
from sandbox.models import Collection, CollectionUse
from sandbox.transfer import listing
from sandbox.transfer.access import (
    check_local_user,
    check_readable,
    check_writable,
    is_denied,
    usable_collection,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import (
    TransferFailure,
    bad_request,
    not_found,
    permission_denied,
    transfer_view,
)
from sandbox.transfer.paths import Place, default_directory, place
from sandbox.transfer.pauses import check_not_paused

MOST_ENTRIES = 100_000
#: digits of a number in a query; SQLite takes no more than 64 bits
LONGEST_NUMBER = 18


@transfer_view
def ls(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    collection = _usable(caller, collection_id, "ls", request.GET.get("local_user"))
    _touch(caller, collection)
    asked = request.GET.get("path") or default_directory(collection)
    where = place(caller, collection, asked)
    check_readable(caller, collection, where.path)
    passes = listing.passes(request.GET.getlist("filter"))
    found = [one for one in _listed(request, where) if passes(one)]
    orderby = request.GET.get("orderby", "")
    if orderby or knobs.ls_order == "name":
        found = listing.ordered(found, orderby)
    limit = min(number(request, "limit", MOST_ENTRIES), MOST_ENTRIES)
    offset = number(request, "offset", 0)
    shown = found[offset : offset + limit]
    return {
        "DATA_TYPE": "file_list",
        "endpoint": collection.pk,
        "path": f"{asked.rstrip('/')}/",
        "absolute_path": f"{where.path.rstrip('/')}/",
        "rename_supported": True,
        "symlink_supported": True,
        "length": len(shown),
        "total": len(found),
        "DATA": shown,
    }


def _usable(
    caller: Caller, collection_id: str, operation: str, local_user: object
) -> Collection:
    """A collection on which the operation is not paused."""
    collection = usable_collection(caller, collection_id)
    check_not_paused(caller, collection, operation)
    check_local_user(caller, collection, local_user)
    return collection


def number(request: HttpRequest, name: str, default: int) -> int:
    """A whole number of the query, not below 0.

    :raises TransferFailure: it is none
    """
    text = request.GET.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise bad_request(f"Invalid value for {name}: '{text}'")
    return int(text)


def _touch(caller: Caller, collection: Collection) -> None:
    """``last_accessed_time`` and the caller's ``recently-used``, to the minute."""
    now = clock.now()
    last = collection.last_accessed_at
    if last is None or abs(now - last) > 60:
        Collection.objects.filter(pk=collection.pk).update(last_accessed_at=now)
    use = caller.identity.pk, collection.pk
    noted = _uses.get(use)
    if noted is None or abs(now - noted) > 60:
        CollectionUse.objects.update_or_create(
            identity=caller.identity, collection=collection, defaults={"used_at": now}
        )
        _uses[use] = now


#: when this process last wrote down that an identity used a collection; a question to
#: the database for each listing would cost a tenth of it
_uses: dict[tuple[str, str], float] = {}


def forget_uses() -> None:
    """After the rows have changed otherwise."""
    _uses.clear()


def _listed(request: HttpRequest, where: Place) -> list[listing.Entry]:
    show_hidden = request.GET.get("show_hidden", "1").lower() not in ("0", "false")
    try:
        found = listing.entries(where.target, show_hidden=show_hidden)
    except FileNotFoundError as err:
        raise _missing(where) from err
    except NotADirectoryError as err:
        raise TransferFailure(
            502,
            "ExternalError.DirListingFailed.NotDirectory",
            f"Error listing directory '{where.path}': not a directory",
        ) from err
    except OSError as err:
        raise _failed("DirListingFailed", where, err) from err
    if len(found) > knobs.directory_entries:
        raise TransferFailure(
            502,
            "ExternalError.DirListingFailed.SizeLimit",
            f"Directory '{where.path}' has more than {knobs.directory_entries} entries",
        )
    return found


def _missing(where: Place) -> TransferFailure:
    return not_found(
        f"Directory '{where.path}' not found on '{where.collection.display_name}' "
        f"({where.collection.pk})"
    )


def _failed(kind: str, where: Place, err: OSError) -> TransferFailure:
    if isinstance(err, PermissionError):
        return TransferFailure(
            403,
            f"ExternalError.{kind}.PermissionDenied",
            f"Permission denied: '{where.path}'",
        )
    return TransferFailure(
        502, f"ExternalError.{kind}", f"'{where.path}': {os.strerror(err.errno or 0)}"
    )


@transfer_view
def stat(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    collection = _usable(caller, collection_id, "ls", request.GET.get("local_user"))
    where = place(caller, collection, request.GET.get("path"))
    check_readable(caller, collection, where.path)
    name = where.path.rpartition("/")[2] or "/"
    try:
        if os.path.islink(where.real):
            _ = where.target  # a link that leads outside is refused
        return listing.entry(where.real, name)
    except (FileNotFoundError, NotADirectoryError) as err:
        raise not_found(f"Path not found: '{where.path}'", "NotFound") from err
    except OSError as err:
        raise _failed("StatFailed", where, err) from err


def document_of(
    request: HttpRequest, data_type: str, *, is_typed: bool = True
) -> dict[str, Any]:
    """The request's document.

    :param is_typed: whether it has a DATA_TYPE; orders of administrators have none
    :raises TransferFailure: it is not JSON, or not of this DATA_TYPE
    """
    if 0 < knobs.document_bytes < len(request.body):
        raise TransferFailure(
            413,
            "ClientError.RequestTooLarge",
            f"The document is larger than {knobs.document_bytes} bytes",
        )
    try:
        document = json_body(request)
    except ValueError as err:
        raise bad_request(f"Invalid JSON: {err}") from err
    if is_typed and document.get("DATA_TYPE", data_type) != data_type:
        raise bad_request(f"DATA_TYPE must be '{data_type}'")
    return document


def text_of(document: dict[str, Any], name: str) -> str:
    """A required text of a document.

    :raises TransferFailure: missing or not a text
    """
    value = document.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise bad_request(f"Missing or invalid field '{name}'")
    return value


@transfer_view
def mkdir(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    document = document_of(request, "mkdir")
    collection = _usable(caller, collection_id, "mkdir", document.get("local_user"))
    where = place(caller, collection, text_of(document, "path"))
    if is_denied(collection, where.path):
        raise _failed("MkdirFailed", where, PermissionError(errno.EACCES, ""))
    check_writable(caller, collection, where.path)
    try:
        os.mkdir(where.real)
    except FileExistsError as err:
        raise TransferFailure(
            502,
            "ExternalError.MkdirFailed.Exists",
            f"Path '{where.path}' already exists",
        ) from err
    except (FileNotFoundError, NotADirectoryError) as err:
        raise _missing(where) from err
    except OSError as err:
        raise _failed("MkdirFailed", where, err) from err
    return {
        "DATA_TYPE": "mkdir_result",
        "code": "DirectoryCreated",
        "message": "The directory was created successfully",
        "HTTP_STATUS": knobs.mkdir_status,
    }


@transfer_view
def rename(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    document = document_of(request, "rename")
    collection = _usable(caller, collection_id, "rename", document.get("local_user"))
    old = place(caller, collection, text_of(document, "old_path"))
    new = place(caller, collection, text_of(document, "new_path"))
    check_writable(caller, collection, old.path)
    check_writable(caller, collection, new.path)
    if old.path == "/":
        raise permission_denied("The root of a collection cannot be renamed")
    if os.path.lexists(new.real):
        raise TransferFailure(
            502,
            "ExternalError.RenameFailed.Exists",
            f"Path '{new.path}' already exists",
        )
    if f"{new.path}/".startswith(f"{old.path}/"):
        raise bad_request("A directory cannot be moved into itself")
    try:
        os.rename(old.real, new.real)
    except (FileNotFoundError, NotADirectoryError) as err:
        raise _missing(old) from err
    except OSError as err:
        raise _failed("RenameFailed", old, err) from err
    return {
        "DATA_TYPE": "result",
        "code": "FileRenamed",
        "message": "File or directory renamed successfully",
    }


@transfer_view
def symlink(request: HttpRequest, caller: Caller, collection_id: str) -> dict[str, Any]:
    """Make a link. Where it leads is looked at when somebody follows it.

    No client that could be run sends this document: how its field is called that
    names the target is not known, and a knob.
    """
    document = document_of(request, "symlink")
    collection = _usable(caller, collection_id, "symlink", document.get("local_user"))
    where = place(caller, collection, text_of(document, "path"))
    target = text_of(document, knobs.symlink_target_field)
    check_writable(caller, collection, where.path)
    try:
        os.symlink(target, where.real)
    except FileExistsError as err:
        raise TransferFailure(
            502,
            "ExternalError.SymlinkFailed.Exists",
            f"Path '{where.path}' already exists",
        ) from err
    except (FileNotFoundError, NotADirectoryError) as err:
        raise _missing(where) from err
    except OSError as err:
        raise _failed("SymlinkFailed", where, err) from err
    return {
        "DATA_TYPE": "symlink_result",
        "code": "SymlinkCreated",
        "message": "The symlink was created successfully",
        "HTTP_STATUS": knobs.mkdir_status,
    }
