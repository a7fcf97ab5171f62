"""A form that says what a transfer was, to send it again with changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.utils import timezone

from transfers import batch, filters, options
from transfers.browsing import moment
from transfers.filters import Rule
from transfers.models import Transfer
from transfers.options import MAILS
from transfers.paths import name_of, parent
from transfers.repeating import CannotRepeat, can_be_edited
from transfers.send_options import BOXES, TEXTS

#: more than these become lines of a batch
MOST_ITEMS = 60

Data = dict[str, list[str]]


def form_data(transfer: Transfer) -> Data:
    """What the form of a new transfer holds to send this one again.

    Everything is carried over but a deadline that has passed, and what is typed to
    confirm that something is deleted.

    :raises CannotRepeat: it was begun elsewhere, or it is a deletion
    """
    if not can_be_edited(transfer):
        raise CannotRepeat
    data = {
        "form": ["transfer"],
        "origin_id": [str(transfer.source_id)],
        "destination_id": [str(transfer.destination_id)],
        "label": [transfer.label],
        "again_of": [str(transfer.pk)],
    }
    if transfer.cancel_if_stalled:
        data["cancel_if_stalled"] = ["on"]
    return data | _what(transfer.document) | of_options(transfer.document)


def _what(document: Mapping[str, Any]) -> Data:
    items = document["DATA"]
    folder = destination_folder(document)
    if folder is None or len(items) > MOST_ITEMS or _has_checksums(items):
        return {"mode": ["text"], "batch_text": [batch.written(items)]}
    sources = [_as_picked(each) for each in items]
    name = "origin_path" if len(sources) == 1 else "item"
    return {"destination_path": [folder], name: sources}


def _has_checksums(items: list[Mapping[str, Any]]) -> bool:
    return any(item.get("external_checksum") for item in items)


def destination_folder(document: Mapping[str, Any]) -> str | None:
    """Where everything arrives under its own name, if it is one folder."""
    folders = set()
    for each in document["DATA"]:
        source, destination = each["source_path"], each["destination_path"]
        if name_of(source) in ("", "~"):
            folders.add(destination)
        elif name_of(source) != name_of(destination):
            return None
        else:
            folders.add(parent(destination))
    return folders.pop() if len(folders) == 1 else None


def _as_picked(item: Mapping[str, Any]) -> str:
    """A folder ends in a slash."""
    path = str(item["source_path"])
    return f"{path.rstrip('/')}/" if item.get("recursive") else path


def of_options(document: Mapping[str, Any]) -> Data:
    """The options of a document as fields of the form."""
    values = options.initial(document, mails=MAILS)
    rules = [Rule.of_globus(rule) for rule in document.get("filter_rules") or ()]
    data = {
        "sync_level": [values["sync_level"]],
        "recursive_symlinks": [values["recursive_symlinks"]],
        "globus_mail": values["globus_mail"],
        filters.WHAT: [rule.what for rule in rules],
        filters.NAME: [rule.name for rule in rules],
    }
    data |= {name: [str(document[name])] for name in TEXTS if document.get(name)}
    data |= {name: ["on"] for name in BOXES if {**document, **values}.get(name) is True}
    until = moment(document.get("deadline"))
    if until is not None and until > timezone.now():
        data["deadline"] = [f"{until.astimezone(UTC):%Y-%m-%dT%H:%M}"]
        data["deadline_zone"] = ["UTC"]
    return data
