"""Starts runs and carries them out.

A worker claims a run by the step from Waiting to Preparing and keeps a heartbeat
while it works. Whoever executes it again, after a crash or by a second message, goes
on with the transfer and the submission id that are stored already.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.template.defaultfilters import pluralize
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import User
from portal.globus.errors import PortalError
from portal.globus.transport import WORKER
from portal.templatetags.page import size
from transfers import queue, submission
from transfers.claims import KEEP_TRYING, back_off, sweep_time
from transfers.consents import sentence_for
from transfers.jobs.following import follow
from transfers.jobs.models import Job, Run, RunStep
from transfers.jobs.states import advance
from transfers.jobs.walking import LostClaim, walk
from transfers.models import Transfer
from transfers.storable import storable, storable_text

logger = logging.getLogger(__name__)

_S = Run.State


class JobSwitchedOff(PortalError):
    title = "This job is switched off"
    advice = "The job is switched off, so it does not run. Switch it on first."
    status = 409


def run_now(job: Job, *, by: User | None, reason: str = "") -> Run:
    """Stores a run of the job as it is now; a worker takes it once that is committed.

    :raises JobSwitchedOff: and nothing was stored
    """
    if not job.enabled:
        raise JobSwitchedOff
    says = "Waits for a worker."
    with transaction.atomic():
        run = Run.objects.create(
            job=job,
            service_account=job.service_account,
            triggered_by=by,
            reason=reason[:500],
            inputs=job.inputs(),
            says=says,
        )
        RunStep.objects.create(run=run, state=_S.WAITING, says=says)
        queue.execute_run(run.pk)
    return run


def execute(run_id: UUID) -> None:
    """Carries out one run, if it waits. Safe to call at any time, any number of times.

    What goes wrong at Globus is written into the run. A mistake of our own is raised:
    the run stays claimed, and the sweep tries it again or gives it up.
    """
    run = (
        Run.objects.select_related("job__owner", "service_account", "transfer")
        .filter(pk=run_id)
        .first()
    )
    if run is None or not _claim(run):
        return
    try:
        _carry_out(run)
    except LostClaim:
        logger.warning("Run %s was taken over by another worker", run.pk)
    except PortalError as err:
        _note(run, err)


def _claim(run: Run) -> bool:
    return advance(
        run,
        _S.PREPARING,
        from_states=[_S.WAITING],
        says="A worker has taken it.",
        attempts=F("attempts") + 1,
        last_error="",
        error_code="",
        error_detail="",
    )


def _carry_out(run: Run) -> None:
    owner = run.job.owner
    if not owner.is_active:
        says = f"The owner of the job, {owner}, has been switched off."
        _fail(run, says)
    elif run.inputs["kind"] == Job.Kind.LIST:
        _list(run)
    else:
        _transfer(run)


def _list(run: Run) -> None:
    """Lists the folder, and with ``recursive`` what lies below it."""
    inputs = run.inputs
    result = walk(
        run,
        transfer_client(run.service_account, WORKER),
        UUID(inputs["source_collection"]),
        inputs["source_path"],
        recursive=inputs["recursive"],
    )
    says = (
        f"Listed {result['count']} entr{pluralize(result['count'], 'y,ies')} "
        f"({size(result['bytes'])})."
    )
    if not result["complete"]:
        says += " There is more: the listing stopped at its limit."
    advance(
        run,
        _S.SUCCEEDED,
        from_states=[_S.PREPARING],
        says=says,
        result=storable(result),
    )


def _transfer(run: Run) -> None:
    account = run.service_account
    transfer = run.transfer or submission.ask(
        account, document_of(run.inputs), asked_by=run.triggered_by, run=run
    )
    submission.send(transfer_client(account, WORKER), transfer)
    run.transfer = transfer
    if transfer.status == Transfer.Status.NEW:
        _wait(run, transfer.last_error or "Another worker is sending it.", transfer)
    else:
        follow(run)


def document_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The transfer document for a run's inputs.

    :raises PortalError: they cannot be sent
    """
    item = submission.Item(
        inputs["source_path"],
        inputs["destination_path"],
        recursive=True if inputs["recursive"] else None,
    )
    return submission.document_for(
        source_collection=UUID(inputs["source_collection"]),
        destination_collection=UUID(inputs["destination_collection"]),
        items=[item],
        label=inputs["label"] or inputs["job"],
        options=inputs["options"],
    )


def _wait(run: Run, says: str, transfer: Transfer) -> None:
    advance(
        run,
        _S.WAITING,
        from_states=[_S.PREPARING],
        says=says,
        next_try_at=transfer.next_try_at or sweep_time(),
    )


def _note(run: Run, err: PortalError) -> None:
    says = sentence_for(run.service_account, err)
    now = timezone.now()
    logger.warning(
        "Run %s did not succeed: %s %s",
        run.pk,
        type(err).__name__,
        getattr(err, "code", ""),
    )
    if not submission.may_pass(err):
        _fail(run, says, err)
    elif now - run.created_at >= KEEP_TRYING:
        _fail(run, "Globus could not be reached for a day, so it was given up.", err)
    else:
        pause = back_off(run.attempts, at_least=submission.asked_pause(err))
        advance(
            run,
            _S.WAITING,
            from_states=[_S.PREPARING],
            says=says,
            next_try_at=now + pause,
            **_errors(says, err),
        )


def _fail(run: Run, says: str, err: PortalError | None = None) -> None:
    advance(run, _S.FAILED, says=says, **_errors(says, err))


def _errors(says: str, err: PortalError | None) -> dict[str, Any]:
    return {
        "last_error": says[:500],
        "error_code": getattr(err, "code", "")[:200],
        "error_detail": storable_text(getattr(err, "detail", ""), longest=10_000),
    }


def cancel(run: Run, *, by: User) -> None:
    """Stops a run: before anything was sent at once, later by way of its task.

    While it is open whether Globus has the task, the run goes on until that is known.

    :raises GlobusFailure: Globus did not take the wish
    """
    run.refresh_from_db()
    if run.transfer is not None:
        submission.cancel(transfer_client(run.service_account), run.transfer)
        follow(run)
        return
    # A worker that prepares a transfer sends it in a moment; a list can be left.
    is_list = run.inputs["kind"] == Job.Kind.LIST
    states = [_S.WAITING, _S.PREPARING] if is_list else [_S.WAITING]
    advance(run, _S.CANCELLED, from_states=states, says=f"Stopped by {by}.")
