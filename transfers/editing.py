"""Changes what Globus lets one change of a task that is under way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from globus_sdk import TransferClient

from portal.globus.errors import PortalError, globus_errors
from transfers.models import Transfer


class BeingSent(PortalError):
    title = "It is being sent right now"
    advice = (
        "It is on its way to Globus as it was, so nothing was changed. "
        "Try again in a minute, when Globus has it."
    )
    status = 409


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
    :raises BeingSent: Globus may get, or have got, the document as it was
    :raises Conflict: it has ended meanwhile
    :raises GlobusFailure: Globus did not take it

    https://docs.globus.org/api/transfer/task/#update_task_by_id
    """
    values: dict[str, Any] = {"label": label}
    changes: dict[str, Any] = {"label": label or None}
    if deadline is not None:
        values["deadline"] = deadline
        changes["deadline"] = as_globus_writes(deadline)
    rows = Transfer.objects.filter(pk=transfer.pk)
    if transfer.task_id is not None:
        with globus_errors():
            client.update_task(transfer.task_id, {"DATA_TYPE": "task", **changes})
    else:
        rows = rows.filter(task_id=None, claimed_at=None, outcome_open=False)
    kept = {name: value for name, value in changes.items() if value is not None}
    document = {**transfer.document, **kept}
    if not label:
        document.pop("label", None)
    if not rows.update(document=document, **values):
        raise BeingSent
    transfer.refresh_from_db()


def as_globus_writes(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
