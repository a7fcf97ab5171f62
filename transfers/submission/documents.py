"""What may be asked of Globus: checked before it is stored as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from portal.globus.errors import PortalError
from transfers.browsing import moment
from transfers.changing import place_of
from transfers.paths import is_within, normalised
from transfers.storable import is_text, storable_text

LONGEST_LABEL = 128


class BadRequest(PortalError):
    """What was asked for cannot be sent as it is.

    :ivar field: which part of it: source, destination, items, options or deadline
    """

    title = "This cannot be sent"
    status = 400

    def __init__(self, advice: str, *, field: str = "items") -> None:
        self.field = field
        super().__init__(advice)


@dataclass(frozen=True)
class Item:
    """One thing to copy.

    :ivar recursive: whether it is a folder; nothing said, Globus finds out
    :ivar external_checksum: of the source file, for Globus to compare with
    :ivar is_listed: a listing gave the name, below folders that were checked; it goes
        to Globus unchanged, whatever is in it (security.md W03)
    """

    source_path: str
    destination_path: str
    recursive: bool | None = None
    external_checksum: str = ""
    is_listed: bool = False


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_moment(value: Any) -> bool:
    return _is_text(value) and moment(value) is not None


def _is_sync_level(value: Any) -> bool:
    return _is_number(value) and value in (0, 1, 2, 3)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_symlink_rule(value: Any) -> bool:
    return value in ("ignore", "keep", "copy")


def _are_filter_rules(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_filter_rule, value))


def _is_filter_rule(rule: Any) -> bool:
    """https://docs.globus.org/api/transfer/task_submit/#filter_rules"""
    return (
        isinstance(rule, dict)
        and _is_text(rule.get("name"))
        and rule.get("method") in (None, "exclude", "include")
        and rule.get("type") in (None, "file", "dir")
    )


#: What a transfer may be asked with, by Globus's names, and what each value must be.
OPTIONS: dict[str, Callable[[Any], bool]] = {
    "sync_level": _is_sync_level,
    "verify_checksum": _is_flag,
    "preserve_timestamp": _is_flag,
    "encrypt_data": _is_flag,
    "skip_source_errors": _is_flag,
    "fail_on_quota_errors": _is_flag,
    "store_base_path_info": _is_flag,
    "notify_on_succeeded": _is_flag,
    "notify_on_failed": _is_flag,
    "notify_on_inactive": _is_flag,
    "recursive_symlinks": _is_symlink_rule,
    "filter_rules": _are_filter_rules,
    "deadline": _is_moment,
    "source_local_user": _is_text,
    "destination_local_user": _is_text,
}


def document_for(
    *,
    source_collection: UUID,
    destination_collection: UUID,
    items: Sequence[Item],
    label: str = "",
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A transfer document with what was asked for, and nothing that was not.

    Checksums are verified unless the options say otherwise (security.md R14); what is
    left out stays as Globus has it.

    :param options: see ``OPTIONS``
    :raises BadPath: a path cannot be used
    :raises BadRequest: nothing to copy, onto itself, or an option that makes no sense

    https://docs.globus.org/api/transfer/task_submit/#document_types
    """
    if not items:
        raise BadRequest("Choose at least one file or folder.")
    same = source_collection == destination_collection
    document: dict[str, Any] = {
        "DATA_TYPE": "transfer",
        "source_endpoint": str(source_collection),
        "destination_endpoint": str(destination_collection),
        "verify_checksum": True,
        "DATA": [_item(each, same_collection=same) for each in items],
    }
    document |= checked_options(options or {})
    _check_together(document, items)
    if tidy := tidy_label(label):
        document["label"] = tidy
    return document


def _check_together(document: Mapping[str, Any], items: Sequence[Item]) -> None:
    """:raises BadRequest: an option that contradicts the rest"""
    if all(item.recursive is False for item in items):
        for name in ("filter_rules", "recursive_symlinks"):
            if document.get(name):
                says = f"The option “{name}” is about folders; these are only files."
                raise BadRequest(says, field="options")
    deadline = moment(document.get("deadline"))
    if deadline is not None and deadline <= timezone.now():
        raise BadRequest("The deadline has passed already.", field="deadline")


def deletion_for(
    *, collection: UUID, paths: Iterable[str], label: str = "", recursive: bool = False
) -> dict[str, Any]:
    """A delete document.

    :param recursive: folders too, with all that is in them
    :raises BadPath: a path cannot be used
    :raises BadRequest: nothing to delete, or a whole collection
    """
    rows = [{"DATA_TYPE": "delete_item", "path": normalised(each)} for each in paths]
    if not rows:
        raise BadRequest("Choose at least one file or folder.")
    if any(row["path"] in ("/", "/~/") for row in rows):
        raise BadRequest("The top folder itself cannot be deleted here.")
    document: dict[str, Any] = {
        "DATA_TYPE": "delete",
        "endpoint": str(collection),
        "recursive": recursive,
        "DATA": rows,
    }
    if tidy := tidy_label(label):
        document["label"] = tidy
    return document


def deletion_of_listed(
    *, collection: UUID, folder: str, names: Sequence[str], recursive: bool
) -> dict[str, Any]:
    """A delete document for entries of a folder, by the names that a listing gave.

    They go to Globus unchanged, whatever is in them (security.md W03).

    :raises BadName: a name that would lead elsewhere
    :raises BadRequest: nothing to delete, or a name that cannot be kept here
    """
    if not names:
        raise BadRequest("Choose at least one file or folder.")
    folder = normalised(folder, folder=True)
    paths = [place_of(folder, name) for name in names]
    if not all(map(is_text, paths)):
        raise BadRequest(
            "One of these has a name that is not valid text. Rename it first; then it "
            "can be deleted."
        )
    return {
        "DATA_TYPE": "delete",
        "endpoint": str(collection),
        "recursive": recursive,
        "DATA": [{"DATA_TYPE": "delete_item", "path": path} for path in paths],
    }


def tidy_label(label: str) -> str:
    """One line without outer blanks, of the length that Globus takes."""
    return storable_text(" ".join(label.split()))[:LONGEST_LABEL].strip()


def _item(item: Item, *, same_collection: bool) -> dict[str, Any]:
    source, destination = item.source_path, item.destination_path
    if not item.is_listed:
        source, destination = normalised(source), normalised(destination)
    if same_collection:
        if source.rstrip("/") == destination.rstrip("/"):
            raise BadRequest(
                f"Source and destination are the same: {source}", field="destination"
            )
        if item.recursive is not False and is_within(destination, source):
            raise BadRequest(
                f"The destination lies inside the source {source}", field="destination"
            )
    row: dict[str, Any] = {
        "DATA_TYPE": "transfer_item",
        "source_path": source,
        "destination_path": destination,
    }
    if item.recursive is not None:
        row["recursive"] = item.recursive
    if item.external_checksum:
        row["external_checksum"] = item.external_checksum
    return row


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """:raises BadRequest: an option is not in ``OPTIONS``, or has no sensible value"""
    for name, value in options.items():
        fits = OPTIONS.get(name)
        if fits is None:
            raise BadRequest(f"There is no option “{name}”.", field="options")
        if not fits(value):
            raise BadRequest(
                f"The option “{name}” cannot have this value.", field="options"
            )
    return dict(options)
