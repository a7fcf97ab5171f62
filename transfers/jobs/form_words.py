"""What the columns of a job are called in its form, and what is said below them."""

from __future__ import annotations

LABELS = {
    "name": "Name",
    "kind": "What it does",
    "service_account": "Service account",
    "source_collection": "Source collection’s ID",
    "source_path": "Source path",
    "recursive": "With all folders below",
    "depth": "How many levels",
    "destination_collection": "Destination collection’s ID",
    "destination_path": "Destination path",
    "label": "Label at Globus",
    "enabled": "Switched on",
    "delete_extra": "Delete what the source does not have",
    "missed_policy": "Due times that were missed",
    "missed_most": "Make up for at most",
    "missed_grace_minutes": "Still on time (minutes)",
    "overlap_policy": "When the run before has not ended",
    "retry_attempts": "Tries after a failure",
    "retry_pause_minutes": "Pause before the first try (minutes)",
    "stall_policy": "When nothing moves",
    "stall_minutes": "… for so many minutes",
    "deadline_minutes": "Longest run (minutes)",
    "long_minutes": "A run is long after (minutes)",
    "tell_owner": "Tell the owner by mail",
    "tell_groups": "Tell the groups that may run it by mail",
    "owner": "Looked after by",
}

HELP_TEXTS = {
    "name": "What it is called here and on the command line.",
    "kind": "A list keeps what is in a folder, a transfer copies, a mirror "
    "copies what differs.",
    "service_account": "It acts by itself, with the access that it was given.",
    "source_collection": "Find it by its name, or paste the ID.",
    "source_path": "A folder ends in “/”. It may hold fields, see below.",
    "recursive": "Folders with all that lies in them.",
    "depth": "1 is the folder alone. Empty: all levels.",
    "destination_collection": "Not for a list.",
    "destination_path": "Not for a list. The source arrives as this.",
    "label": "What the task is called at Globus; without one, as the job.",
    "enabled": "A job that is switched off neither is due nor can be run.",
    "delete_extra": "For a mirror only, and typed out below to confirm.",
    "missed_grace_minutes": "What starts later than this was missed.",
    "deadline_minutes": "Then it is stopped and has failed. Empty: no limit.",
    "owner": "May do everything with it, and is told first.",
}
