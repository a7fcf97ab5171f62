"""What a run that lists does: walk, settle, say what was found."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from accounts.clients import transfer_client
from portal.globus.transport import WORKER
from portal.templatetags.page import size
from transfers.jobs import settling, walking
from transfers.jobs.inventory_models import Inventory
from transfers.jobs.models import Run
from transfers.jobs.tree_rules import Rules

#: inventories of a job that are kept; older ones go when a new one is ready
KEPT = 30


def take_inventory(run: Run) -> Inventory:
    """The inventory of a run, from wherever an earlier worker has got to.

    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the folder cannot be read
    """
    beat = partial(walking.heartbeat, run)
    inventory = Inventory.objects.filter(run=run).first()
    if inventory is None:
        inventory = _new(run)
        walking.start(inventory, beat)
        forget_left_behind(inventory)
    if inventory.state == Inventory.State.LISTING:
        client = transfer_client(run.service_account, WORKER)
        walking.read_tree(walking.Walk.of(inventory, client, run.service_account, beat))
    if not inventory.is_ready:
        before = inventory.compared_with = the_one_before(inventory)
        earlier = (
            settling.Earlier(
                settling.rows_in(before),
                settling.unsure_of(before),
                settling.changed_since,
            )
            if before
            else None
        )
        settling.settle(inventory, beat, earlier)
        forget_old(inventory)
    return inventory


def _new(run: Run) -> Inventory:
    return Inventory(
        job_id=run.job_id,
        run=run,
        collection=run.inputs["source_collection"],
        path=run.inputs["source_path"],
        rules=Rules.of(run.inputs).as_json(),
    )


def the_one_before(inventory: Inventory) -> Inventory | None:
    """The newest of the job that looked at the same place by the same rules."""
    return (
        Inventory.objects.filter(
            job=inventory.job_id,
            part=Inventory.Part.RUN,
            state=Inventory.State.READY,
            collection=inventory.collection,
            path=inventory.path,
            rules=inventory.rules,
            created_at__lt=inventory.created_at,
        )
        .order_by("-created_at")
        .first()
    )


def forget_left_behind(inventory: Inventory) -> None:
    """What runs of the job have left that ended before their inventory was ready."""
    Inventory.objects.filter(job=inventory.job_id, run__state__in=Run.FINISHED).exclude(
        state=Inventory.State.READY
    ).delete()


def forget_old(inventory: Inventory) -> None:
    ready = Inventory.objects.filter(
        job=inventory.job_id, part=Inventory.Part.RUN, state=Inventory.State.READY
    )
    old = [*ready.order_by("-created_at").values_list("pk", flat=True)[KEPT:]]
    with transaction.atomic():
        Inventory.objects.filter(pk__in=old).delete()


def facts(inventory: Inventory) -> dict[str, Any]:
    """What a run keeps of it, should the inventory itself be forgotten."""
    return {
        "path": inventory.path,
        "count": inventory.entries,
        "files": inventory.files,
        "folders": inventory.folders,
        "bytes": inventory.bytes,
        "complete": inventory.is_complete,
        "unread": inventory.folders_unread,
        "new": inventory.new,
        "changed": inventory.changed,
        "gone": inventory.gone,
        "compared": inventory.compared_with_id is not None,
    }


def sentence(inventory: Inventory) -> str:
    """“Listed 5 entries (1.2 KB). 2 new, 1 changed, 0 gone.”"""
    words = f"Listed {counted(inventory.entries, 'entry', 'entries')} "
    words += f"({size(inventory.bytes)})."
    if inventory.compared_with_id:
        words += (
            f" Since the inventory before: {inventory.new:,} new, "
            f"{inventory.changed:,} changed, {inventory.gone:,} gone."
        )
    if not inventory.is_complete:
        words += (
            f" It is incomplete: {counted(inventory.folders_unread, 'folder')} could "
            "not be read."
        )
    return words


def counted(number: int, word: str, words: str = "") -> str:
    return f"{number:,} {word if number == 1 else words or word + 's'}"
