"""Takes a document in as a new job: checked here and at Globus, stored switched off."""

from __future__ import annotations

from accounts.models import ServiceAccount, User
from portal.globus.errors import NotFound, PermissionDenied, PortalError
from transfers.jobs import form_checks, incoming, saving
from transfers.jobs.models import Job
from transfers.jobs.permissions import accounts_open_to
from transfers.jobs.schedules import BadSchedule


def take_in(text: str | bytes, *, by: User, name: str = "") -> Job:
    """Stores the job that the document describes; nothing of it runs by itself yet.

    :raises CannotImport: everything that is wrong, each as a sentence
    """
    parts = incoming.read(
        incoming.parsed(text),
        owner=by,
        name=name,
        accounts=lambda: accounts_open_to(by),
    )
    job = parts.job
    problems = _unknown_collections(job, job.service_account)
    if problems:
        raise incoming.CannotImport(problems)
    job.enabled = False
    try:
        return saving.store(parts, by=by)
    except BadSchedule as err:
        raise incoming.CannotImport([*err.problems.values()]) from err


def _unknown_collections(job: Job, account: ServiceAccount) -> list[str]:
    """Asks Globus for the two of them; their names are taken along.

    Globus out of reach is no reason against a job that is switched off anyway.
    """
    problems = []
    for side in ("source", "destination"):
        collection_id = getattr(job, f"{side}_collection")
        if collection_id is None:
            continue
        try:
            setattr(
                job,
                f"{side}_name",
                form_checks.name_of(account, collection_id)[:255],
            )
        except (NotFound, PermissionDenied):
            problems.append(
                f"There is no {side} collection {collection_id} that the service "
                f"account “{account}” can see. Put another ID into the document, or "
                f"give access to {account.identity_username}."
            )
        except PortalError:
            continue
    return problems
