"""Changes what Globus lets one change of a task that is under way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from globus_sdk import TransferClient

from portal.globus.errors import globus_errors
from transfers.models import Transfer


def change(
    client: TransferClient,
    transfer: Transfer,
    *,
    label: str,
    deadline: datetime | None,
) -> None:
    """Gives an unfinished transfer another label and deadline.

    What was not sent yet is changed here; the rest at Globus first.

    :param deadline: nothing leaves it as it is
    :raises Conflict: it has ended meanwhile
    :raises GlobusFailure: Globus did not take it

    https://docs.globus.org/api/transfer/task/#update_task_by_id
    """
    values: dict[str, Any] = {"label": label}
    changes: dict[str, Any] = {"label": label or None}
    if deadline is not None:
        values["deadline"] = deadline
        changes["deadline"] = as_globus_writes(deadline)
    if transfer.task_id is not None:
        with globus_errors():
            client.update_task(transfer.task_id, {"DATA_TYPE": "task", **changes})
    kept = {name: value for name, value in changes.items() if value is not None}
    document = {**transfer.document, **kept}
    if not label:
        document.pop("label", None)
    Transfer.objects.filter(pk=transfer.pk).update(document=document, **values)
    transfer.refresh_from_db()


def as_globus_writes(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
