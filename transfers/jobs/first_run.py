"""The preflight of a job's first run.

A task that may not read its source, or not write to its destination, does not fail: it
stays at Globus and tries again until its deadline. So the first run of a transfer looks
first. A list needs none: its first request says all there is to say.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts import tokens
from portal.globus import scopes
from transfers.jobs import preflight
from transfers.jobs.checklist import Checklist
from transfers.jobs.inventory_models import Trial
from transfers.jobs.models import Job, Run
from transfers.jobs.trials import keep

#: how long a preflight that somebody asked for stands for that of the first run
LASTS = timedelta(hours=1)

STOPPED = "The preflight of the first run stopped it."


def in_the_way(run: Run) -> str:
    """Why the run cannot work, with what to do about it; empty if it may.

    Its checklist is kept for the job's page.

    :raises PortalError: Globus is out of reach, or refuses the credential
    """
    if not is_first(run):
        return ""
    tokens.access_token(run.service_account, scopes.TRANSFER)  # fails in its own words
    found = preflight.check_inputs(run.service_account, run.inputs)
    keep(run, found)
    return sentence(run, found) if found.blocking else ""


def is_first(run: Run) -> bool:
    """Whether nothing has been sent yet for this job with these collections.

    Somebody who repeats a run by hand has read why it was stopped, and may know better.
    """
    if run.inputs["kind"] not in Job.MOVING or run.transfer_id is not None:
        return False
    if run.trigger == Run.Trigger.RERUN:
        return False
    sent = Run.objects.filter(
        job=run.job_id,
        service_account=run.service_account_id,
        source_collection=run.source_collection,
        destination_collection=run.destination_collection,
        transfer__task_id__isnull=False,
    )
    return not (sent.exists() or _was_looked_at(run))


def _was_looked_at(run: Run) -> bool:
    trial = (
        Trial.objects.filter(
            job=run.job_id,
            kind=Trial.Kind.PREFLIGHT,
            state=Trial.State.DONE,
            finished_at__gte=timezone.now() - LASTS,
        )
        .order_by("-finished_at")
        .first()
    )
    return (
        trial is not None
        and trial.facts.get("passed") is True
        and all(run.inputs.get(name) == value for name, value in trial.inputs.items())
    )


def sentence(run: Run, found: Checklist) -> str:
    """“The preflight of the first run stopped it: The service account may not …”"""
    check = found.blocking[0]
    more = len(found.blocking) - 1
    words = f"{STOPPED} {check.says} {check.fix}"
    if check.grant:
        words = f"{words.rstrip(':.')}: {check.grant}."
    if more:
        words += f" {more} more thing{'' if more == 1 else 's'} stand in the way."
    return words
