"""Sends something again: the same, only what is left, or changed in the form.

Each is a submission of its own, with an id of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from globus_sdk import MISSING, TransferClient

from portal.globus.errors import PortalError, UnexpectedAnswer, globus_errors
from transfers.models import Transfer

#: what one transfer of the rest holds at most; the next one takes what remains
MOST_ITEMS = 1000
#: pages of a hundred that are read for it
MOST_PAGES = 10
#: copies files whose size differs: what has arrived whole is left alone
SIZE_DIFFERS = 1


class CannotRepeat(PortalError):
    title = "This cannot be sent again from here"
    advice = (
        "It was begun elsewhere, and Globus does not tell from which path to which. "
        "Send it again where it was begun, or start a new transfer."
    )
    status = 409


class NothingIsLeft(PortalError):
    title = "Nothing is left to send"
    advice = "Globus knows of nothing that failed or was left out."
    status = 409


def same(transfer: Transfer) -> dict[str, Any]:
    """The same document; a deadline of then says nothing now.

    :raises CannotRepeat: it was begun elsewhere
    """
    if not transfer.can_be_repeated:
        raise CannotRepeat
    kept = {
        name: value
        for name, value in transfer.document.items()
        if name not in ("deadline", "submission_id")
    }
    return kept | ({"label": transfer.label} if transfer.label else {})


def rest(client: TransferClient, transfer: Transfer) -> dict[str, Any]:
    """Only what failed or was left out.

    What was left out, Globus lists. Of a transfer that failed or was cancelled it
    lists nothing: the same goes again, without the files that have arrived whole.

    :raises CannotRepeat: it was begun elsewhere, or it is a deletion
    :raises NothingIsLeft: nothing failed
    """
    if transfer.kind != Transfer.Kind.TRANSFER:
        raise CannotRepeat("A deletion can only be sent again as a whole.")
    document = same(transfer)
    left_out = list(_left_out(client, transfer)) if transfer.task_id else []
    if left_out:
        return document | {"DATA": left_out}
    if transfer.status != Transfer.Status.FAILED:
        raise NothingIsLeft
    level = document.get("sync_level")
    return document | {"sync_level": SIZE_DIFFERS if level is None else level}


def _left_out(client: TransferClient, transfer: Transfer) -> Iterator[dict[str, Any]]:
    """https://docs.globus.org/api/transfer/task/#get_task_skipped_errors"""
    assert transfer.task_id is not None
    marker: str | None = None
    found = 0
    for _ in range(MOST_PAGES):
        with globus_errors():
            answer = client.task_skipped_errors(
                transfer.task_id, marker=marker or MISSING
            )
            data = answer.data if isinstance(answer.data, dict) else {}
        rows = data.get("DATA")
        if not isinstance(rows, list):
            raise UnexpectedAnswer(code="SkippedErrors")
        for row in rows:
            item = _item(row)
            if item is not None and found < MOST_ITEMS:
                found += 1
                yield item
        following = data.get("next_marker")
        if following is None:
            return
        marker = str(following)


def _item(row: Any) -> dict[str, Any] | None:
    if not isinstance(row, Mapping):
        return None
    source, destination = row.get("source_path"), row.get("destination_path")
    if not isinstance(source, str) or not isinstance(destination, str):
        return None
    item: dict[str, Any] = {
        "DATA_TYPE": "transfer_item",
        "source_path": source,
        "destination_path": destination,
    }
    if isinstance(row.get("is_directory"), bool):
        item["recursive"] = row["is_directory"]
    return item


def can_be_edited(transfer: Transfer) -> bool:
    """Whether the form can say it: ``transfers.refilling`` fills it in."""
    is_copy = transfer.kind == Transfer.Kind.TRANSFER
    return is_copy and bool(transfer.document.get("DATA"))


def original(user_transfers: Any, text: str) -> Transfer | None:
    """The transfer that a form repeats, if it is one of these."""
    try:
        pk = UUID(text)
    except ValueError:
        return None
    found: Transfer | None = user_transfers.filter(pk=pk).first()
    return found
