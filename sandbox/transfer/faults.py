"""What can go wrong while a task runs, in the words of its events."""

import errno
import os

from sandbox.transfer.errors import TransferFailure

#: what skip_source_errors may skip
SKIPPABLE = frozenset({"PERMISSION_DENIED", "FILE_NOT_FOUND", "AMBIGUOUS_PATH"})

_BY_ERRNO = {
    errno.ENOENT: "FILE_NOT_FOUND",
    errno.EACCES: "PERMISSION_DENIED",
    errno.EPERM: "PERMISSION_DENIED",
    errno.ENOTDIR: "NOT_A_DIRECTORY",
    errno.EISDIR: "IS_A_DIRECTORY",
    errno.ENOSPC: "NO_SPACE_LEFT",
    errno.EDQUOT: "QUOTA_EXCEEDED",
    errno.ENAMETOOLONG: "INVALID_PATH_NAME",
    errno.ELOOP: "INVALID_SYMLINK",
}
_BY_CODE = {
    "EndpointPermissionDenied": "PERMISSION_DENIED",
    "PermissionDenied": "PERMISSION_DENIED",
    "AuthPolicyFailed": "PERMISSION_DENIED",
    "EndpointNotFound": "ENDPOINT_ERROR",
    "EndpointDeleted": "ENDPOINT_ERROR",
    "ExternalError.DirListingFailed.GCDisconnected": "GC_NOT_CONNECTED",
    "ExternalError.DirListingFailed.GCPaused": "GC_PAUSED",
    "ClientError.BadRequest.InvalidPath": "INVALID_PATH_NAME",
}


class Stopped(Exception):
    """The task was cancelled, or the sandbox ends."""


class CredentialsExpired(Exception):
    """A consent or a session ran out: the task waits for its owner."""

    def __init__(self, failure: TransferFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


#: refusals that the owner can put right by signing in again
RENEWABLE = frozenset({"ConsentRequired", "AuthPolicyFailed"})
#: what fail_on_quota_errors does not try again
QUOTA = frozenset({"QUOTA_EXCEEDED", "NO_SPACE_LEFT"})


class Fault(Exception):
    """Something the task tries again until its deadline.

    :ivar code: an event code
    :ivar at_source: whether skip_source_errors may apply
    """

    def __init__(self, code: str, details: str, *, at_source: bool = False) -> None:
        self.code = code
        self.details = details
        self.at_source = at_source
        super().__init__(f"{code}: {details}")

    @property
    def is_skippable(self) -> bool:
        return self.at_source and self.code in SKIPPABLE


class Fatal(Exception):
    """Something that no repetition can put right."""

    def __init__(self, code: str, description: str) -> None:
        self.code = code
        self.description = description
        super().__init__(f"{code}: {description}")


def of_os_error(err: OSError, path: str, *, at_source: bool = False) -> Fault:
    code = _BY_ERRNO.get(err.errno or 0, "ENDPOINT_ERROR")
    reason = os.strerror(err.errno or 0)
    return Fault(code, f"Path: {path}\nError: {reason}", at_source=at_source)


def of_failure(failure: TransferFailure, *, at_source: bool) -> Fault:
    """A refusal of the API's own checks, met while the task runs."""
    code = _BY_CODE.get(failure.code, "ENDPOINT_ERROR")
    return Fault(code, failure.message, at_source=at_source)
