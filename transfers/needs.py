"""What work in the background needs of a person: the sentence, and telling them."""

from __future__ import annotations

from django.urls import reverse

from accounts import asking, notices
from accounts.models import Principal, User
from portal.globus.errors import GlobusFailure, PortalError


def sentence(principal: Principal, failure: PortalError) -> str:
    """What Globus wants of this person and why; empty where a person cannot help."""
    requirement = failure.requirement if isinstance(failure, GlobusFailure) else None
    if requirement is None or not isinstance(principal, User):
        return ""
    return asking.sentence(requirement, principal)


def tell(principal: Principal, failure: PortalError, *, says: str) -> None:
    """Tells the person once; a service account has its page among those of staff."""
    requirement = failure.requirement if isinstance(failure, GlobusFailure) else None
    if requirement is None or not isinstance(principal, User):
        return
    path = reverse("transfers:attention")
    notices.tell(principal, requirement, says, path=path)
