"""What work in the background needs of a person: the sentence, the mail, the way on."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from accounts import asking, notices
from accounts.models import Principal, User
from portal.globus.errors import GlobusFailure, PortalError
from transfers import queue


def sentence(principal: Principal, failure: PortalError) -> str:
    """What Globus wants of this person and why; empty where a person cannot help."""
    requirement = failure.requirement if isinstance(failure, GlobusFailure) else None
    if requirement is None or not isinstance(principal, User):
        return ""
    return asking.sentence(requirement, principal)


def tell(principal: Principal, failure: PortalError, *, says: str) -> None:
    """Mails the person once; a service account has its page among those of staff."""
    requirement = failure.requirement if isinstance(failure, GlobusFailure) else None
    if requirement is None or not isinstance(principal, User):
        return
    notice = notices.tell(principal, requirement, says)
    if notice is not None:
        queue.mail_notice(notice.pk)


def attention_link() -> str:
    page = settings.PUBLIC_BASE_URL._replace(path=reverse("transfers:attention"))
    return page.geturl()
