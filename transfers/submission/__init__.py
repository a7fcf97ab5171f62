"""Sends what was asked for to Globus: once, whatever dies and whenever.

A transfer is a row before Globus hears of it. The row gets its submission id, and
that is committed, before the first POST; every repeat uses the same id, and Globus
answers a repeat with the task that it has already (``Duplicate``).
https://docs.globus.org/api/transfer/task_submit/#submission_id
"""

from transfers.submission.asking import ask, lock_key, row_for
from transfers.submission.cancelling import cancel, cancel_blocker, cancel_wanted
from transfers.submission.documents import (
    LONGEST_LABEL,
    OPTIONS,
    BadRequest,
    Item,
    checked_options,
    deletion_for,
    deletion_of_listed,
    document_for,
    tidy_label,
)
from transfers.submission.outcomes import asked_pause, may_pass
from transfers.submission.resuming import resume, resume_all
from transfers.submission.sending import reserved_submission_id, send

__all__ = [
    "LONGEST_LABEL",
    "OPTIONS",
    "BadRequest",
    "Item",
    "ask",
    "asked_pause",
    "cancel",
    "cancel_blocker",
    "cancel_wanted",
    "checked_options",
    "deletion_for",
    "deletion_of_listed",
    "document_for",
    "lock_key",
    "may_pass",
    "reserved_submission_id",
    "resume",
    "resume_all",
    "row_for",
    "send",
    "tidy_label",
]
