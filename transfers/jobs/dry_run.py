"""What a transfer would move, and what is there already: both sides are listed, and
the source is compared with the destination as the sync level would.

Two inventories, taken and settled like those of runs; nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from accounts.clients import transfer_client
from portal.globus.errors import NotADirectory, NotFound, PortalError
from portal.globus.transport import WORKER
from portal.templatetags.page import size
from transfers.jobs import settling, walking
from transfers.jobs.chunks import Row
from transfers.jobs.inventory_models import Inventory, Trial
from transfers.jobs.listing import counted
from transfers.jobs.tree_rules import Rules
from transfers.jobs.walking import Beat
from transfers.paths import name_of, parent

#: entries that a dry run lists on each side
MOST_ENTRIES = 200_000

EXISTS, SIZE, NEWER, CHECKSUM = range(4)


class CannotTry(PortalError):
    """A job that no dry run can be made of; ``advice`` says why."""

    title = "There is no dry run of this job"


def carry_out(trial: Trial, *, beat: Beat) -> str:
    """Lists both sides from wherever an earlier worker has got to, and compares.

    :returns: what would happen, in a sentence or two
    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the source cannot be read
    """
    inputs = trial.inputs
    if not inputs["destination_collection"]:
        raise CannotTry("A job that lists changes nothing, so there is nothing to try.")
    if inputs.get("items"):
        raise CannotTry(
            "There is no dry run of several paths; each of them says what it moves."
        )
    if any("{" in inputs[f"{part}_path"] for part in ("source", "destination")):
        raise CannotTry(
            "A path with fields has no dry run: what they stand for is known only when "
            "a run is due."
        )
    source = _source(trial, beat)
    destination = _destination(trial, source, beat)
    if not source.is_ready:
        settling.settle(source, beat, _seen_from(source, destination, inputs))
    return sentence(source, inputs)


def _source(trial: Trial, beat: Beat) -> Inventory:
    path = trial.inputs["source_path"]
    rules = Rules.of_transfer(trial.inputs["options"])
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


def _destination(trial: Trial, source: Inventory, beat: Beat) -> Inventory:
    path, rules = trial.inputs["destination_path"], Rules()
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


def would_overwrite(level: int | None, source: Row, there: Row) -> bool:
    """Whether a transfer with this sync level copies over what is there.

    Checksums are known to Globus only: two files of one size and moment are taken for
    the same.

    https://docs.globus.org/api/transfer/task_submit/#transfer_specific_fields
    """
    if source.type != there.type:
        return True
    if source.is_folder:
        return False
    if level == EXISTS:
        return False
    if level is None:
        return True
    if source.size != there.size:
        return True
    if level == NEWER:
        return (source.modified or 0) > (there.modified or 0)
    return level == CHECKSUM and source.modified != there.modified


def sentence(source: Inventory, inputs: Mapping[str, Any]) -> str:
    """“Would move 1.2 MB: 3 new entries, 2 over what is there. 1 entry is …”"""
    moved = size(source.bytes_new + source.bytes_changed)
    same = source.entries - source.new - source.changed
    words = (
        f"Would move {moved}: {counted(source.new, 'new entry', 'new entries')}, "
        f"{source.changed:,} over what is there. {same:,} would be left as they are."
    )
    if source.gone:
        deletes = inputs.get("delete_extra") or inputs["options"].get(
            "delete_destination_extra"
        )
        fate = "would be deleted" if deletes else "would stay"
        words += f" {source.gone:,} only at the destination {fate}."
    if not source.is_complete:
        words += " Not all of the source could be read."
    return words
