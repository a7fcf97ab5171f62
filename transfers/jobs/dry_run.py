"""What a transfer would move, and what is there already: both sides are listed, and
the source is compared with the destination as the sync level would.

Two inventories, taken and settled like those of runs; nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from accounts.clients import transfer_client
from portal.globus.errors import NotADirectory, NotFound, PortalError
from portal.globus.transport import WORKER
from transfers.jobs import dry_run_batch, settling, walking
from transfers.jobs.clocks import zone_named
from transfers.jobs.dry_run_words import sentence, would_overwrite
from transfers.jobs.inventory_models import Inventory, Trial
from transfers.jobs.templates import filled_inputs
from transfers.jobs.tree_rules import Rules
from transfers.jobs.walking import Beat
from transfers.paths import name_of, parent

#: entries that a dry run lists on each side
MOST_ENTRIES = 200_000


class CannotTry(PortalError):
    """A job that no dry run can be made of; ``advice`` says why."""

    title = "There is no dry run of this job"


def carry_out(trial: Trial, *, beat: Beat) -> str:
    """Lists both sides from wherever an earlier worker has got to, and compares.

    :returns: what would happen, in a sentence or two
    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the source cannot be read
    """
    if not trial.inputs["destination_collection"]:
        raise CannotTry("A job that lists changes nothing, so there is nothing to try.")
    inputs = as_if_due(trial)
    if inputs.get("items"):
        says = dry_run_batch.compare(trial, inputs, beat)
    else:
        says = _compare(trial, inputs, beat)
    if inputs.get("is_filled"):
        says += " The fields of its paths are filled in as if it were due now."
    return says


def as_if_due(trial: Trial) -> dict[str, Any]:
    """The inputs with the fields of their paths, as of when the dry run was asked for.

    :raises BadTemplate: a field has no value yet
    """
    job = trial.job
    if job is not None:
        watermark = job.watermark.isoformat() if job.watermark else ""
        schedule = job.schedules.order_by("created_at").first()
        zone = zone_named(schedule.zone) if schedule else ZoneInfo("UTC")
    elif trial.service_account is not None:
        watermark = trial.inputs["watermark"]
        zone = zone_named(trial.inputs["zone"])
    else:
        return {**trial.inputs}  # a person's paths have no fields
    due = {"scheduled_for": trial.created_at.isoformat(), "watermark": watermark}
    return filled_inputs({**trial.inputs, **due}, zone)


def _compare(trial: Trial, inputs: Mapping[str, Any], beat: Beat) -> str:
    source = _source(trial, inputs, beat)
    destination = _destination(trial, inputs, source, beat)
    if not source.is_ready:
        settling.settle(source, beat, _seen_from(source, destination, inputs))
    return sentence(source, inputs)


def _source(trial: Trial, inputs: Mapping[str, Any], beat: Beat) -> Inventory:
    path = inputs["source_path"]
    rules = Rules.of_transfer(inputs["options"])
    source = _started(trial, Inventory.Part.SOURCE, path, rules, beat)
    try:
        _read(trial, source, beat)
    except NotADirectory:
        source.delete()
        rules = Rules.of_one_file(name_of(path))
        folder = parent(path) or path
        source = _started(trial, Inventory.Part.SOURCE, folder, rules, beat)
        _read(trial, source, beat)
    return source


def _destination(
    trial: Trial, inputs: Mapping[str, Any], source: Inventory, beat: Beat
) -> Inventory:
    path, rules = inputs["destination_path"], Rules()
    if _is_one_file(source):
        # What lies beside the file is of no concern.
        path, rules = parent(path) or path, Rules.of_one_file(name_of(path))
    destination = _started(trial, Inventory.Part.DESTINATION, path, rules, beat)
    try:
        _read(trial, destination, beat)
    except NotFound as err:
        if "Endpoint" in err.code:
            raise
        destination.tree.all().delete()  # it comes into being with the transfer
    if not destination.is_ready:
        settling.settle(destination, beat, None)
    return destination


def _is_one_file(source: Inventory) -> bool:
    return not Rules.from_json(source.rules).folders


def _started(
    trial: Trial, part: Inventory.Part, path: str, rules: Rules, beat: Beat
) -> Inventory:
    inventory = Inventory.objects.filter(trial=trial, part=part).first()
    if inventory is None:
        inventory = Inventory(
            job_id=trial.job_id,
            trial=trial,
            part=part,
            collection=trial.inputs[f"{part}_collection"],
            path=path,
            rules=rules.as_json(),
        )
        walking.start(inventory, beat)
    return inventory


def _read(trial: Trial, inventory: Inventory, beat: Beat) -> None:
    if inventory.state != Inventory.State.LISTING:
        return
    who = trial.principal
    client = transfer_client(who, WORKER)
    walking.read_tree(
        walking.Walk.of(inventory, client, who, beat, most_entries=MOST_ENTRIES)
    )


# --- comparing


def _seen_from(
    source: Inventory, destination: Inventory, inputs: Mapping[str, Any]
) -> settling.Earlier:
    """The destination, as if it lay where the source lies."""
    top = f"{source.path.rstrip('/')}/"
    skip = len(f"{destination.path.rstrip('/')}/")
    name = name_of(inputs["source_path"]) if _is_one_file(source) else ""
    rows = (
        row._replace(folder=top + row.folder[skip:], name=name or row.name)
        for row in settling.rows_in(destination)
    )
    unsure = (top + folder[skip:] for folder in settling.unsure_of(destination))
    level = inputs["options"].get("sync_level")
    return settling.Earlier(rows, unsure, partial(would_overwrite, level))
