"""What of a job people can be told of. Imports nothing, so that models may."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """:ivar words: what is told, for lists: “… hears of failures”"""

    label: str
    words: str
    subject: str


EVENTS = {
    "failed": Event("A run fails", "failures", "The job “{job}” has failed"),
    "recovered": Event("It works again", "recoveries", "The job “{job}” works again"),
    "missed": Event(
        "A due time is skipped", "skipped runs", "The job “{job}” was skipped"
    ),
    "stalled": Event(
        "A run stalls", "stalled runs", "A run of the job “{job}” does not move"
    ),
    "long": Event(
        "A run takes long", "long runs", "A run of the job “{job}” takes long"
    ),
}
