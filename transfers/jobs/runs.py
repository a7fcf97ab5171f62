"""Starts runs and carries them out.

A worker claims a run by the step from Waiting to Preparing and keeps a heartbeat
while it works. Whoever executes it again, after a crash or by a second message, goes
on with the transfer and the submission id that are stored already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import User
from portal.globus.errors import PortalError
from portal.globus.transport import WORKER
from portal.planned import Sql
from transfers import queue, submission
from transfers.claims import sweep_time
from transfers.jobs import claiming, first_run, line, listing
from transfers.jobs.beating import alive
from transfers.jobs.checkpoints import LostClaim, heartbeat
from transfers.jobs.clocks import NoSuchZone, zone_named
from transfers.jobs.failing import fail, note
from transfers.jobs.following import follow
from transfers.jobs.holds import Holds
from transfers.jobs.inventory_models import Inventory
from transfers.jobs.making import new_run
from transfers.jobs.models import Job, Run
from transfers.jobs.states import advance
from transfers.jobs.storing import store
from transfers.jobs.templates import BadTemplate, filled_inputs
from transfers.models import Transfer
from transfers.storable import storable_text

logger = logging.getLogger(__name__)

#: how long a worker goes on before it looks whether anything else waits for it
GO_ON_SECONDS = 1.0

_S = Run.State


class JobSwitchedOff(PortalError):
    title = "This job is switched off"
    advice = "The job is switched off, so it does not run. Switch it on first."
    status = 409


class JobArchived(JobSwitchedOff):
    title = "This job is in the archive"
    advice = (
        "The job is in the archive, so it does not run. Somebody who may change it can "
        "bring it back and switch it on."
    )


class JobDeleted(PortalError):
    title = "This job is not there any more"
    advice = "Somebody has deleted it meanwhile, so it does not run."
    status = 409


class JobHeld(PortalError):
    """The job, its service account or everything is being drained."""

    title = "Nothing new may start at the moment"
    status = 409


def run_now(job: Job, *, by: User | None, reason: str = "") -> Run:
    """Stores a run of the job as it is now; a worker takes it once that is committed.

    :raises JobSwitchedOff: and nothing was stored
    :raises JobHeld: and nothing was stored
    """
    now = timezone.now()
    run = new_run(
        job,
        now=now,
        trigger=Run.Trigger.HAND,
        triggered_by=by,
        reason=storable_text(reason, longest=500),
    )
    return start(run, now=now)


def start(run: Run, *, now: datetime) -> Run:
    """Stores a run that somebody asked for.

    :raises JobSwitchedOff: and nothing was stored
    :raises JobHeld: and nothing was stored
    :raises JobDeleted: at this moment
    """
    if run.job.archived_at:
        raise JobArchived
    if not run.job.enabled:
        raise JobSwitchedOff
    holds = Holds.in_force()
    if drained := holds.draining(run.job):
        raise JobHeld(drained)
    if paused := holds.pausing(run.job):
        run.waits_for, run.says = Run.WaitsFor.HOLD, paused[:500]
    try:
        with transaction.atomic():
            store([run], now)
    except IntegrityError as err:
        if Job.objects.filter(pk=run.job_id).exists():
            raise
        raise JobDeleted from err
    return run


def execute_next(hint: UUID) -> None:
    """Carries out the run whose turn it is, and then the next; for a worker.

    A message costs as much as half of a short run, so a worker goes on until there is
    no run or something else waits in the queue; that waits for a moment at most. Then
    it leaves the line to a new message.

    :param hint: the run that a message was about. Its turn may come later, but then
        there is another one whose turn is now.
    """
    if not Run.objects.filter(pk=hint).exists():
        return
    until = time.monotonic() + GO_ON_SECONDS
    with line.looking_after():
        while (run := claiming.take()) is not None:
            try:
                _work_on(run)
            except BaseException:
                # A mistake of ours or a worker told to stop: it is raised on, but the
                # others in the line must not wait for the next sweep.
                line.wake(at_once=True)
                raise
            if time.monotonic() > until:
                if not queue.is_free():
                    line.wake(at_once=True)
                    break
                until = time.monotonic() + GO_ON_SECONDS


def execute(run_id: UUID) -> None:
    """Carries out one run, if it waits and nothing holds it back. Safe to call at any
    time, any number of times.

    What goes wrong at Globus is written into the run. A mistake of our own is raised:
    the run stays claimed, and the sweep tries it again or gives it up.
    """
    run = claiming.take(run_id)
    if run is not None:
        _work_on(run)


def _work_on(run: Run) -> None:
    try:
        with alive(run):
            _carry_out(run)
    except LostClaim:
        logger.warning("Run %s was taken over by another worker", run.pk)
    except PortalError as err:
        note(run, err)


def _carry_out(run: Run) -> None:
    owner, account = run.job.owner, run.service_account
    if not owner.is_active:
        fail(run, f"The owner of the job, {owner}, has been switched off.")
        return
    if not account.enabled:
        because = f": {account.disabled_reason}" if account.disabled_reason else "."
        fail(run, f"The service account {account} has been switched off{because}")
        return
    if says := first_run.in_the_way(run):
        fail(run, says)
        return
    _fill_in(run)
    if run.inputs["kind"] == Job.Kind.LIST:
        _list(run)
    else:
        _transfer(run)


def _fill_in(run: Run) -> None:
    """Paths with dates in them get their dates, once, whoever goes on with the run."""
    filled = filled_inputs(run.inputs, zone_of(run))
    if filled != run.inputs:
        run.inputs = filled
        run.save(update_fields=["inputs"])


def zone_of(run: Run) -> ZoneInfo:
    """In which the dates of its paths are written."""
    name = run.schedule.zone if run.schedule else "UTC"
    try:
        return zone_named(name)
    except NoSuchZone as err:
        raise BadTemplate(f"There is no time zone “{name}” any more.") from err


def _list(run: Run) -> None:
    """Lists the folder, and with ``recursive`` what lies below it."""

    def end(inventory: Inventory) -> None:
        ended = advance(
            run,
            _S.SUCCEEDED if inventory.is_complete else _S.SUCCEEDED_WITH_SKIPS,
            from_states=[_S.PREPARING],
            only_if=Sql("claimed_at = %s", [run.claimed_at]),
            says=listing.sentence(inventory),
            result=listing.facts(inventory),
        )
        if not ended:
            raise LostClaim

    listing.take_inventory(run, end)


def _transfer(run: Run) -> None:
    account = run.service_account
    transfer = run.transfer or _ask(run)
    submission.send(transfer_client(account, WORKER), transfer)
    run.transfer = transfer
    if transfer.status == Transfer.Status.NEW:
        _wait(run, transfer.last_error or "Another worker is sending it.", transfer)
    else:
        follow(run)


def _ask(run: Run) -> Transfer:
    """Stores the transfer of a run, unless somebody has stopped that meanwhile.

    :raises LostClaim: somebody has, or another worker goes on with it
    """
    document = document_of(run.inputs)
    with transaction.atomic():
        heartbeat(run)  # whoever stops the run waits until its transfer is there
        return submission.ask(
            run.service_account, document, asked_by=run.triggered_by, run=run
        )


def document_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The transfer document for a run's inputs.

    :raises PortalError: they cannot be sent
    """
    document = submission.document_for(
        source_collection=UUID(inputs["source_collection"]),
        destination_collection=UUID(inputs["destination_collection"]),
        items=items_of(inputs),
        label=inputs["label"] or inputs["job"],
        options=inputs["options"],
    )
    if inputs.get("delete_extra"):
        document["delete_destination_extra"] = True
    return document


def items_of(inputs: Mapping[str, Any]) -> list[submission.Item]:
    """The batch of a run, or its one pair of paths."""
    batch = inputs.get("items")
    if batch:
        return [submission.Item(**item) for item in batch]
    is_folder = inputs["recursive"] or inputs["kind"] == Job.Kind.MIRROR
    return [
        submission.Item(
            inputs["source_path"],
            inputs["destination_path"],
            recursive=True if is_folder else None,
        )
    ]


def _wait(run: Run, says: str, transfer: Transfer) -> None:
    advance(
        run,
        _S.WAITING,
        from_states=[_S.PREPARING],
        says=says,
        waits_for=Run.WaitsFor.RETRY,
        ready_at=transfer.next_try_at or sweep_time(),
        next_try_at=transfer.next_try_at or sweep_time(),
    )


def cancel(run: Run, *, by: User) -> None:
    """Stops a run: before anything was sent at once, later by way of its task.

    While it is open whether Globus has the task, the run goes on until that is known.

    :raises GlobusFailure: Globus did not take the wish
    """
    # A worker that prepares it sees that it has lost it, before it sends anything.
    advance(
        run,
        _S.CANCELLED,
        from_states=[_S.WAITING, _S.PREPARING],
        only_if=Sql("transfer_id IS NULL"),
        says=f"Stopped by {by}.",
    )
    run.refresh_from_db()
    if run.transfer is not None:
        submission.cancel(transfer_client(run.service_account), run.transfer)
        follow(run)
