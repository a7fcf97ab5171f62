"""Whether a job can work: a checklist, with a way on beside whatever fails.

It asks Globus as the service account would, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts import tokens
from accounts.clients import transfer_client
from accounts.models import ServiceAccount
from portal.globus import scopes
from portal.globus.errors import GlobusFailure
from portal.globus.transport import WORKER, Patience
from transfers.consents import sentence_for
from transfers.jobs.checklist import BAD, OK, UNKNOWN, Checklist
from transfers.jobs.models import Job
from transfers.jobs.preflight_access import NO_LIMIT, Access, Limit, TooSlow
from transfers.jobs.preflight_rules import Collections
from transfers.paths import is_within

#: paths of a batch that are looked at
MOST_PATHS = 5


def check(job: Job) -> Checklist:
    """Of a job as it is now. Takes some seconds: it asks Globus about ten times.

    :raises GlobusUnreachable: Globus cannot say anything at the moment
    """
    return check_inputs(job.service_account, job.inputs())


def check_inputs(
    account: ServiceAccount,
    inputs: Mapping[str, Any],
    *,
    patience: Patience = WORKER,
    limit: Limit = NO_LIMIT,
) -> Checklist:
    """
    :param inputs: as ``Job.inputs`` gives them
    :param limit: what is not asked by then is not asked, which the list says
    """
    found = Checklist()
    if not _credential(found, account):
        return found
    client = transfer_client(account, patience)
    try:
        _look(
            Collections(found, account, client),
            Access(found, account, client, limit),
            inputs,
        )
    except TooSlow:
        found.add(
            "time",
            "The rest of the list",
            UNKNOWN,
            "Globus answers slowly at the moment, so not everything was asked.",
            fix="Save the job and open its preflight, which has more time.",
        )
    _apart(found, inputs)
    return found


def _look(collections: Collections, access: Access, inputs: Mapping[str, Any]) -> None:
    """:raises TooSlow:"""
    access.limit.keep()
    source = collections.side("source", inputs["source_collection"])
    if source is not None:
        for path in paths_of(inputs, "source"):
            access.limit.keep()
            access.readable(
                source, path, must=not inputs["options"].get("skip_source_errors")
            )
    if not inputs.get("destination_collection"):
        return
    access.limit.keep()
    destination = collections.side("destination", inputs["destination_collection"])
    if destination is None:
        return
    for path in paths_of(inputs, "destination"):
        access.limit.keep()
        access.writable(destination, path)
    collections.space()


def paths_of(inputs: Mapping[str, Any], side: str) -> list[str]:
    """What to look at on one side: of a batch the first few paths, and of a path with
    fields, such as a date, the folder above the first of them.
    """
    items = inputs.get("items") or [inputs]
    found = (_before_fields(item[f"{side}_path"]) for item in items)
    return [*dict.fromkeys(found)][:MOST_PATHS]


def _before_fields(path: str) -> str:
    fixed, brace, _ = path.partition("{")
    return f"{fixed.rpartition('/')[0]}/" if brace else path


def _credential(found: Checklist, account: ServiceAccount) -> bool:
    title = "The service account's credential"
    try:
        tokens.access_token(account, scopes.TRANSFER)
    except GlobusFailure as err:
        if err.passing:
            raise
        fix = "An administrator can test it, and enter a new secret, in the admin."
        found.add("credential", title, BAD, sentence_for(account, err), fix=fix)
        return False
    says = f"“{account.name}” is switched on, and Globus gives it a token."
    found.add("credential", title, OK, says)
    return True


def _apart(found: Checklist, inputs: Mapping[str, Any]) -> None:
    if inputs["source_collection"] == inputs["destination_collection"] and is_within(
        inputs["destination_path"], inputs["source_path"]
    ):
        found.add(
            "apart",
            "Source and destination",
            BAD,
            "The destination lies inside the source.",
            fix="Choose a destination outside of it.",
        )
