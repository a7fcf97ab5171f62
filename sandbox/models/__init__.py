"""What the sandbox remembers. Moments are seconds since 1970 on the virtual clock."""

from sandbox.models.auth import (
    AuthorizationCode,
    BrowserSession,
    Client,
    Consent,
    Identity,
    Policy,
    Token,
)
from sandbox.models.base import (
    Setting,
    id_field,
)
from sandbox.models.collections import (
    AccessRule,
    Bookmark,
    Collection,
    CollectionUse,
    DeletedCollection,
    PauseRule,
    Role,
)
from sandbox.models.groups import (
    Group,
    Membership,
)
from sandbox.models.tasks import (
    AdminCancel,
    SkippedError,
    SuccessfulTransfer,
    Task,
    TaskEvent,
)
from sandbox.models.timers import (
    Timer,
    TimerRun,
)

__all__ = [
    "AccessRule",
    "AdminCancel",
    "AuthorizationCode",
    "Bookmark",
    "BrowserSession",
    "Client",
    "Collection",
    "CollectionUse",
    "Consent",
    "DeletedCollection",
    "Group",
    "Identity",
    "Membership",
    "PauseRule",
    "Policy",
    "Role",
    "Setting",
    "SkippedError",
    "SuccessfulTransfer",
    "Task",
    "TaskEvent",
    "Timer",
    "TimerRun",
    "Token",
    "id_field",
]
