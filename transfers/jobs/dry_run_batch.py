"""The dry run of a batch: its lines are looked up at both sides and compared.

What lies beside a line's file is no concern of it, so the folders of the lines are the
tops of one inventory, and its rules name what is wanted in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from os.path import commonpath
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.clients import transfer_client
from portal.globus.errors import NotADirectory, NotFound, PermissionDenied
from portal.globus.transport import WORKER
from transfers.browsing import listing
from transfers.consents import with_own_consent
from transfers.jobs import settling, walking
from transfers.jobs.checkpoints import digest
from transfers.jobs.chunks import Row, by_place
from transfers.jobs.dry_run_words import sentence, would_overwrite
from transfers.jobs.inventory_models import Inventory, InventoryFolder, Trial
from transfers.jobs.listing import counted
from transfers.jobs.reading import raw
from transfers.jobs.tree_rules import Rules
from transfers.jobs.walking import Beat

#: entries that are looked at on each side: those of the destination are sorted in
#: memory, some 20 MB of them
MOST_ENTRIES = 50_000
SHOWN = 3

Item = Mapping[str, Any]


def compare(trial: Trial, inputs: Mapping[str, Any], beat: Beat) -> str:
    """As ``dry_run.carry_out``, with a batch whose fields are filled in."""
    items: Sequence[Item] = inputs["items"]
    part = Inventory.Part
    rules = Rules.of_transfer(inputs["options"])
    source = _listed(trial, part.SOURCE, items, rules, beat)
    destination = _listed(trial, part.DESTINATION, items, Rules(), beat)
    if not destination.is_ready:
        settling.settle(destination, beat, None)
    if not source.is_ready:
        level = inputs["options"].get("sync_level")
        settling.settle(source, beat, _earlier(items, destination, level))
    return sentence(source, inputs) + _missing(items, source) + _repeated(items)


# --- listing


def _listed(
    trial: Trial, part: Inventory.Part, items: Sequence[Item], rules: Rules, beat: Beat
) -> Inventory:
    """One side, from wherever an earlier worker has got to."""
    who = trial.principal
    client = transfer_client(who, WORKER)
    inventory = Inventory.objects.filter(trial=trial, part=part).first()
    if inventory is None:
        wanted = [*dict.fromkeys(_wanted(item, part) for item in items)]
        inventory = Inventory(
            job_id=trial.job_id,
            trial=trial,
            part=part,
            collection=trial.inputs[f"{part}_collection"],
            path=f"{commonpath([_top(item, part) for item in items]).rstrip('/')}/",
            rules={**rules.as_json(), "wanted": wanted},
        )
        tops = [*dict.fromkeys(_top(item, part) for item in items)]
        if part == Inventory.Part.DESTINATION:
            there = partial(_is_there, trial, client, inventory.collection)
            tops = [top for top in tops if there(top, beat)]
        _start(inventory, tops, beat)
    if inventory.state == Inventory.State.LISTING:
        walk = walking.Walk.of(inventory, client, who, beat, most_entries=MOST_ENTRIES)
        walking.read_tree(walk)
    return inventory


def _bare(item: Item, part: Inventory.Part) -> str:
    path: str = item[f"{part}_path"]
    return path.rstrip("/")


def _is_folder(item: Item) -> bool:
    return bool(item.get("recursive")) or item["source_path"].endswith("/")


def _wanted(item: Item, part: Inventory.Part) -> str:
    return f"{_bare(item, part)}/" if _is_folder(item) else _bare(item, part)


def _top(item: Item, part: Inventory.Part) -> str:
    """The folder that is listed for a line. Only of the source is it known whether a
    line is about a folder; nothing said, it is looked up where it lies.
    """
    bare = _bare(item, part)
    return f"{bare}/" if _is_folder(item) else f"{bare.rpartition('/')[0]}/"


def _is_there(
    trial: Trial, client: Any, collection_id: UUID | str, top: str, beat: Beat
) -> bool:
    """What is not there yet comes into being with the transfer."""
    beat()
    ask = partial(listing, client, UUID(str(collection_id)), top, limit=1)
    try:
        with_own_consent(trial.principal, ask)
    except PermissionDenied:
        return True  # that it cannot be read is told of by the listing
    except NotADirectory:
        return False
    except NotFound as err:
        if "Endpoint" in err.code:
            raise
        return False
    return True


def _start(inventory: Inventory, tops: Sequence[str], beat: Beat) -> None:
    """Not at depth 0: a line that cannot be read is left out and said."""
    with transaction.atomic():
        beat()
        inventory.save(force_insert=True)
        InventoryFolder.objects.bulk_create(
            InventoryFolder(
                inventory=inventory, path=raw(top), digest=digest(top), depth=1
            )
            for top in tops
        )


# --- comparing


def _earlier(
    items: Sequence[Item], destination: Inventory, level: int | None
) -> settling.Earlier:
    """What goes to several places is there already if it is at all of them."""
    there: dict[str, list[Row]] = {}
    for row in _moved(items, settling.rows_in(destination)):
        there.setdefault(row.path, []).append(row)
    unsure = sorted(_unsure(items, settling.unsure_of(destination)))
    lines = _lines_of(items)

    def would_move(now: Row, _: Row) -> bool:
        found = there[now.path]
        if any(would_overwrite(level, now, each) for each in found):
            return True
        is_known = not any(now.folder.startswith(folder) for folder in unsure)
        return not now.is_folder and is_known and len(found) < _places(now.path, lines)

    rows = sorted((rows[0] for rows in there.values()), key=by_place)
    return settling.Earlier(rows, unsure, would_move)


def _lines_of(items: Sequence[Item]) -> Counter[str]:
    """How many lines take each source."""
    return Counter(_bare(each, Inventory.Part.SOURCE) for each in items)


def _places(path: str, lines: Mapping[str, int]) -> int:
    """To how many places the lines take something, with what it lies in."""
    count = 0
    while path:
        count += lines.get(path, 0)
        path = path.rpartition("/")[0]
    return count


def _repeated(items: Sequence[Item]) -> str:
    several = sum(count > 1 for count in _lines_of(items).values())
    if not several:
        return ""
    goes, is_ = ("goes", "is") if several == 1 else ("go", "are")
    return (
        f" {counted(several, 'source')} {goes} to more than one place, {is_} compared "
        "with all of them, and counted once."
    )


def _moved(items: Sequence[Item], rows: Iterator[Row]) -> Iterator[Row]:
    """What is at the destination, as if it lay where its line takes it from."""
    sources = _sources(items)
    for row in rows:
        path = _source_of(row.path, sources)
        if path:
            folder, _, name = path.rpartition("/")
            yield row._replace(folder=f"{folder}/", name=name)


def _sources(items: Sequence[Item]) -> dict[str, str]:
    part = Inventory.Part
    return {_bare(each, part.DESTINATION): _bare(each, part.SOURCE) for each in items}


def _source_of(path: str, sources: Mapping[str, str]) -> str:
    """Empty if no line goes there."""
    top = path
    while top and top not in sources:
        top = top.rpartition("/")[0]
    return sources[top] + path[len(top) :] if top in sources else ""


def _unsure(items: Sequence[Item], folders: Iterator[str]) -> set[str]:
    """Folders of the source that go where not everything is known."""
    sources = _sources(items)
    found = set()
    for folder in folders:
        if path := _source_of(folder.rstrip("/"), sources):
            found.add(f"{path}/")
        found |= {
            f"{source.rpartition('/')[0]}/"
            for goal, source in sources.items()
            if goal.startswith(folder)
        }
    return found


def _missing(items: Sequence[Item], source: Inventory) -> str:
    """“ 2 lines name nothing that is there, such as /a/b.”"""
    part = Inventory.Part.SOURCE
    wanted = {
        _bare(each, part): number
        for number, each in enumerate(items, start=1)
        if not _is_folder(each)
    }
    for folder in settling.unsure_of(source):
        wanted = {path: n for path, n in wanted.items() if not path.startswith(folder)}
    for row in settling.rows_in(source):
        wanted.pop(row.path, None)
    if not wanted:
        return ""
    some = ", ".join(f"{path} (item {n})" for path, n in [*wanted.items()][:SHOWN])
    name = "names" if len(wanted) == 1 else "name"
    return f" {counted(len(wanted), 'line')} {name} nothing that is there: {some}" + (
        " and more." if len(wanted) > SHOWN else "."
    )
