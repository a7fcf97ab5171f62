"""Who is asking, and what the portal keeps to act for them."""

from accounts.models.audit import (
    AuditEvent,
    AuditSeal,
    AuditUnsealed,
)
from accounts.models.messages import (
    OutboxMessage,
    Webhook,
)
from accounts.models.pending import (
    PendingAction,
    RequirementNotice,
)
from accounts.models.people import (
    Allowance,
    PortalUserManager,
    Session,
    User,
)
from accounts.models.service_accounts import (
    CLIENT_IDENTITY_DOMAIN,
    Principal,
    Role,
    ServiceAccount,
    ServiceAccountQuerySet,
    ServiceAccountRole,
    ServiceAccountSecret,
    only_transfer,
)
from accounts.models.tokens import (
    RENEW_EARLIEST,
    RENEW_LATEST,
    Revocation,
    StaleToken,
    Token,
    TokenQuerySet,
    only_after_revocation,
    owner_fields,
)
from accounts.wishes import Wishes

__all__ = [
    "CLIENT_IDENTITY_DOMAIN",
    "RENEW_EARLIEST",
    "RENEW_LATEST",
    "Allowance",
    "AuditEvent",
    "AuditSeal",
    "AuditUnsealed",
    "OutboxMessage",
    "PendingAction",
    "PortalUserManager",
    "Principal",
    "RequirementNotice",
    "Revocation",
    "Role",
    "ServiceAccount",
    "ServiceAccountQuerySet",
    "ServiceAccountRole",
    "ServiceAccountSecret",
    "Session",
    "StaleToken",
    "Token",
    "TokenQuerySet",
    "User",
    "Webhook",
    "Wishes",
    "only_after_revocation",
    "only_transfer",
    "owner_fields",
]
