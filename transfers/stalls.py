"""Why a transfer does not get on, in a sentence, and what mends it.

Globus does not fail fast: a task with a missing file or without a permission stays
ACTIVE and tries again until its deadline (globus-services 3.10). What it says of the
cause is a code of its events, as ``nice_status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transfers.models import Transfer


class Cause(StrEnum):
    MISSING = "missing"
    FOLDER = "folder"
    NO_FOLDER = "no_folder"
    PERMISSION = "permission"
    QUOTA = "quota"
    ENDPOINT = "endpoint"
    CREDENTIALS = "credentials"
    PAUSED = "paused"
    CHANGING = "changing"
    GONE = "gone"
    OTHER = "other"


class Remedy(StrEnum):
    """What the button does."""

    SIGN_IN = "sign_in"
    LEAVE_OUT = "leave_out"
    EDIT = "edit"
    LOOK = "look"
    NONE = ""


_CODES = {
    Cause.MISSING: (
        "FILE_NOT_FOUND AMBIGUOUS_PATH INVALID_PATH_NAME INVALID_SYMLINK NOT_A_SYMLINK"
    ),
    Cause.FOLDER: "IS_A_DIRECTORY NOT_A_FILE",
    Cause.NO_FOLDER: "NOT_A_DIRECTORY IS_A_FILE",
    Cause.PERMISSION: "PERMISSION_DENIED FILE_ACCESS ACL_CHANGED",
    Cause.QUOTA: "QUOTA_EXCEEDED NO_SPACE_LEFT LIMIT_EXCEEDED",
    Cause.ENDPOINT: (
        "GC_NOT_CONNECTED CONNECT_FAILED CONNECTION_BROKEN CONNECTION_RESET "
        "ENDPOINT_ERROR ENDPOINT_TOO_BUSY TIMEOUT NO_PHYSICALS CLOCK"
    ),
    Cause.CREDENTIALS: "NO_CREDENTIALS AUTH INVALID_SERVICE_CREDENTIAL GSI_DN_MISMATCH",
    Cause.PAUSED: "PAUSED GC_PAUSED",
    Cause.CHANGING: "VERIFY_CHECKSUM FILE_SIZE_CHANGED EXTERNAL_CHECKSUM_MISMATCH",
}
_CAUSES = {code: cause for cause, text in _CODES.items() for code in text.split()}

_SAYS = {
    Cause.MISSING: "Something that it shall copy is not there.",
    Cause.FOLDER: "What is asked for as a file is a folder, or no file at all.",
    Cause.NO_FOLDER: "What is asked for as a folder is a file.",
    Cause.PERMISSION: "A collection does not let you read or write there.",
    Cause.QUOTA: "There is no room left at the destination.",
    Cause.ENDPOINT: "The server of a collection does not answer.",
    Cause.CREDENTIALS: "Globus may not act for you there any more.",
    Cause.PAUSED: "The owner of a collection has paused it.",
    Cause.CHANGING: "Files do not arrive as they are at the source.",
    Cause.GONE: "Globus does not know this task any more.",
    Cause.OTHER: "Globus meets the same fault again and again.",
}
_ADVICE = {
    Cause.MISSING: (
        "If it comes back at this path, the transfer goes on by itself. Else send it "
        "again without what is missing, or cancel it."
    ),
    Cause.FOLDER: (
        "It does not get on by itself. Change it so that the folder goes as a folder, "
        "and send it again; or cancel it."
    ),
    Cause.NO_FOLDER: (
        "It does not get on by itself. Change it so that the file goes as a file, and "
        "send it again; or cancel it."
    ),
    Cause.PERMISSION: (
        "Ask the owner of the collection for access; then it goes on by itself. Or "
        "send it again without what you may not read, or to another place."
    ),
    Cause.QUOTA: (
        "Make room, or ask for more; then it goes on by itself. Or send it to another "
        "place."
    ),
    Cause.ENDPOINT: (
        "It goes on by itself when the server is back. A personal collection is on a "
        "computer that must be on and connected; of another one ask its owner."
    ),
    Cause.CREDENTIALS: "Sign in again; then it goes on by itself.",
    Cause.PAUSED: "It goes on by itself when the pause ends. Ask the owner when.",
    Cause.CHANGING: (
        "Perhaps they are being written while they are copied. Send it again when "
        "they are at rest."
    ),
    Cause.GONE: "Look at what has arrived, and send it again if need be.",
    Cause.OTHER: "Read below what Globus says, mend the cause, or cancel it.",
}
_REMEDIES = {
    Cause.MISSING: Remedy.LEAVE_OUT,
    Cause.FOLDER: Remedy.EDIT,
    Cause.NO_FOLDER: Remedy.EDIT,
    Cause.PERMISSION: Remedy.LEAVE_OUT,
    Cause.QUOTA: Remedy.EDIT,
    Cause.ENDPOINT: Remedy.NONE,
    Cause.CREDENTIALS: Remedy.SIGN_IN,
    Cause.PAUSED: Remedy.NONE,
    Cause.CHANGING: Remedy.EDIT,
    Cause.GONE: Remedy.LOOK,
    Cause.OTHER: Remedy.NONE,
}
WORDS = {
    Remedy.SIGN_IN: "Sign in again",
    Remedy.LEAVE_OUT: "Send it again without these",
    Remedy.EDIT: "Change it and send it again",
    Remedy.LOOK: "Look at the destination",
}
LONGEST_SHOWN = 300
_NAMES_A_PATH = (Cause.MISSING, Cause.PERMISSION, Cause.FOLDER, Cause.NO_FOLDER)


@dataclass(frozen=True)
class Stall:
    """
    :ivar says: the cause in a sentence
    :ivar detail: the path, or the words of who paused it: untrusted text, may be empty
    :ivar advice: what to do about it
    :ivar remedy: what the button does; there may be none but to cancel
    """

    cause: Cause
    says: str
    detail: str
    advice: str
    remedy: Remedy
    since: datetime | None

    @property
    def button(self) -> str:
        return WORDS.get(self.remedy, "")


def stall_of(transfer: Transfer, now: datetime) -> Stall | None:
    """Nothing for a transfer that is not stalled."""
    if not transfer.is_stalled(now):
        return None
    cause = cause_of(transfer)
    remedy = _REMEDIES[cause]
    if transfer.service_account_id and remedy == Remedy.SIGN_IN:
        remedy = Remedy.NONE
    if remedy in (Remedy.LEAVE_OUT, Remedy.EDIT) and not transfer.can_be_repeated:
        remedy = Remedy.NONE
    return Stall(
        cause=cause,
        says=_SAYS[cause],
        detail=_detail(transfer, cause),
        advice=_ADVICE[cause],
        remedy=remedy,
        since=transfer.fault_since or transfer.moved_at or transfer.sent_at,
    )


def cause_of(transfer: Transfer) -> Cause:
    if transfer.status == Transfer.Status.INACTIVE:
        return Cause.CREDENTIALS
    if transfer.status == Transfer.Status.UNKNOWN:
        return Cause.GONE
    if transfer.is_paused:
        return Cause.PAUSED
    return _CAUSES.get(transfer.nice_status, Cause.OTHER)


def _detail(transfer: Transfer, cause: Cause) -> str:
    if cause == Cause.PAUSED:
        return (transfer.pause_message or transfer.error_detail)[:LONGEST_SHOWN]
    if cause in _NAMES_A_PATH:
        return path_in(transfer.error_detail)
    return ""


def path_in(details: str) -> str:
    """The path in an event's details, whose lines are ``Name: value``; or nothing."""
    for line in details.splitlines():
        name, separator, value = line.partition(":")
        if separator and name.strip().lower() in ("path", "file", "file name"):
            return value.strip()[:LONGEST_SHOWN]
    return ""
