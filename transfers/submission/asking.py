"""Stores what is to be sent, once for each form, run or repeat that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Principal, User
from transfers import queue
from transfers.jobs.models import Run
from transfers.models import Transfer


def ask(
    principal: Principal,
    document: Mapping[str, Any],
    *,
    asked_by: User | None,
    run: Run | None = None,
    source_name: str = "",
    destination_name: str = "",
    transfer_id: UUID | None = None,
    again_of: Transfer | None = None,
    cancel_if_stalled: bool = False,
) -> Transfer:
    """Stores what is to be sent; a worker sends it once that is committed.

    :param transfer_id: made with the form, so that a form that is sent twice is one
        transfer; sent again with other content, it is another

    With a run there is one transfer, however often this is called, and the worker that
    executes the run sends it.

    :param document: of ``document_for`` or ``deletion_for``
    :param again_of: what it repeats
    """
    with transaction.atomic():
        if run is not None:
            locked = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
            if locked.transfer is not None:
                run.transfer = locked.transfer
                return locked.transfer
        transfer = row_for(document)
        if transfer_id is not None:
            lock_key(transfer_id)
            earlier = Transfer.objects.filter(pk=transfer_id).first()
            if earlier is None:
                transfer.pk = transfer_id
            elif (
                earlier.principal == principal and earlier.document == transfer.document
            ):
                return earlier
        transfer.source_name = source_name[:255]
        transfer.destination_name = destination_name[:255]
        transfer.principal = principal
        transfer.asked_by = asked_by
        transfer.again_of = again_of
        transfer.cancel_if_stalled = cancel_if_stalled
        if run is not None:
            transfer.origin = Transfer.Origin.JOB
            transfer.next_try_at = None  # the run's own times count
        transfer.save(force_insert=True)
        if run is None:
            queue.send_transfer(transfer.pk)
        else:
            Run.objects.filter(pk=run.pk).update(transfer=transfer)
            run.transfer = transfer
    return transfer


def lock_key(key: UUID) -> None:
    """One at a time for this key, until the transaction ends."""
    number = int.from_bytes(key.bytes[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def row_for(document: Mapping[str, Any]) -> Transfer:
    """A row, not saved, that tells pages what a document asks for."""
    items = document["DATA"]
    row = Transfer(
        document={
            key: value for key, value in document.items() if key != "submission_id"
        },
        label=document.get("label", ""),
        items_count=len(items),
    )
    if document["DATA_TYPE"] == "delete":
        row.kind = Transfer.Kind.DELETE
        row.source_id = UUID(document["endpoint"])
        row.source_path = items[0]["path"]
    else:
        row.source_id = UUID(document["source_endpoint"])
        row.source_path = items[0]["source_path"]
        row.destination_id = UUID(document["destination_endpoint"])
        row.destination_path = items[0]["destination_path"]
    return row
