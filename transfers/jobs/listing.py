"""What a run that lists does: walk, settle, say what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from accounts.clients import transfer_client
from portal.globus.transport import WORKER
from portal.prepared import Prepared
from portal.templatetags.page import size
from transfers.jobs import checkpoints, settling, walking
from transfers.jobs.inventory_models import Inventory
from transfers.jobs.models import Run
from transfers.jobs.settling import End
from transfers.jobs.tree_rules import Rules

#: inventories of a job that are kept
KEPT = 30
#: so many more, before the old ones go together
SPARE = 10


def take_inventory(run: Run, end: End) -> None:
    """Makes the inventory of a run, from wherever an earlier worker has got to.

    :param end: called in the transaction that makes it ready
    :raises LostClaim: somebody else goes on with it
    :raises PortalError: Globus is out of reach, or the folder cannot be read
    """
    beat = partial(checkpoints.heartbeat, run)
    client = transfer_client(run.service_account, WORKER)
    known = None
    # The first to have it begins; most lists are one answer and need no checkpoint.
    is_new = run.attempts == 1
    inventory = None if is_new else Inventory.objects.filter(run=run).first()
    if inventory is None:
        inventory = _new(run)
        walk = walking.Walk.of(inventory, client, run.service_account, beat)
        first = walk.reader.part(checkpoints.top_of(inventory), 0, 0)
        known = Known.of(run.job_id)
        known.forget()
        if first.is_all:
            earlier = _earlier(inventory, known)
            settling.settle_at_once(inventory, first.rows, earlier, end)
            return
        top = checkpoints.start(inventory, beat)
        walking.read_folder(walk, top, lambda: first)
    if inventory.state == Inventory.State.LISTING:
        walking.read_tree(walking.Walk.of(inventory, client, run.service_account, beat))
    if not inventory.is_ready:
        known = known or Known.of(run.job_id)
        settling.settle(inventory, beat, _earlier(inventory, known), end)


def _new(run: Run) -> Inventory:
    return Inventory(
        job_id=run.job_id,
        run=run,
        collection=UUID(run.inputs["source_collection"]),
        path=run.inputs["source_path"],
        rules=Rules.of(run.inputs).as_json(),
    )


def _earlier(inventory: Inventory, known: Known) -> settling.Earlier | None:
    before = inventory.compared_with = known.before(inventory)
    if before is None:
        return None
    return settling.Earlier(
        settling.rows_in(before), settling.unsure_of(before), settling.changed_since
    )


class _Earlier(NamedTuple):
    """An inventory of the job, as far as it is looked at."""

    pk: UUID
    state: str
    run_state: str
    collection: UUID
    path: str
    rules: dict[str, Any]
    created_at: datetime
    entries: int
    gone: int
    folders_unread: int

    @property
    def is_ready(self) -> bool:
        return self.state == Inventory.State.READY


_OF_JOB = Prepared[tuple[Any, ...]](
    lambda job: (
        Inventory.objects.filter(job=job, part=Inventory.Part.RUN)
        .order_by("-created_at")
        .values_list(*(name.replace("run_", "run__") for name in _Earlier._fields))
    ),
    UUID,
)


@dataclass(frozen=True)
class Known:
    """The inventories of a job that there are, the newest first; read once a run."""

    inventories: list[_Earlier]

    @classmethod
    def of(cls, job_id: UUID) -> Known:
        return cls([_Earlier(*row) for row in _OF_JOB.rows(job_id)])

    def before(self, inventory: Inventory) -> Inventory | None:
        """The newest that looked at the same place by the same rules."""
        place = inventory.collection, inventory.path, inventory.rules
        for each in self.inventories:
            if (
                each.is_ready
                and each.created_at < inventory.created_at
                and (each.collection, each.path, each.rules) == place
            ):
                return Inventory(
                    pk=each.pk,
                    state=each.state,
                    entries=each.entries,
                    gone=each.gone,
                    folders_unread=each.folders_unread,
                )
        return None

    def forget(self) -> None:
        """Old ones, and what runs have left that ended before theirs was ready."""
        ready = [each.pk for each in self.inventories if each.is_ready]
        gone = [
            each.pk
            for each in self.inventories
            if not each.is_ready and each.run_state in Run.FINISHED
        ]
        if len(ready) >= KEPT + SPARE:
            gone += ready[KEPT - 1 :]
        if gone:
            with transaction.atomic():
                Inventory.objects.filter(pk__in=gone).delete()


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
