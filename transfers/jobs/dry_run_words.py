"""What a transfer would do with what is there, and that in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.templatetags.page import size
from transfers.jobs.chunks import Row
from transfers.jobs.inventory_models import Inventory
from transfers.jobs.listing import counted

EXISTS, SIZE, NEWER, CHECKSUM = range(4)


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
