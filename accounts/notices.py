"""Tells people once what work in the background needs of them."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import asking, pending, telling
from accounts.models import RequirementNotice, User
from portal.globus.requirements import Requirement


def tell(
    user: User, requirement: Requirement, says: str, *, path: str
) -> RequirementNotice | None:
    """Notes what is needed of ``user``; nothing if they were told of it already.

    However much waits for it and whoever notices, there is one open notice for one
    requirement, and its message is put into the outbox with it.

    :param says: of ``asking.sentence``
    :param path: of the page that has the button
    """
    if not settings.MAIL_WHEN_NEEDED:
        return None
    with transaction.atomic():
        notice, is_new = RequirementNotice.objects.get_or_create(
            user=user,
            fingerprint=pending.fingerprint(requirement),
            settled_at=None,
            defaults={"says": f"{asking.TITLES[requirement.kind]}.\n\n{says}"},
        )
        if not is_new:
            return None
        telling.tell([_news(notice, path)])
    return notice


def settle(user: User) -> None:
    """The person signed in: whatever is needed from now on is told anew."""
    open_ones = RequirementNotice.objects.filter(user=user, settled_at=None)
    found = list(open_ones.values_list("pk", flat=True))
    if found:
        open_ones.filter(pk__in=found).update(settled_at=timezone.now())
        telling.unsay([f"{_key(pk)}:user:{user.pk}" for pk in found])


def _key(pk: UUID) -> str:
    return f"requirement:{pk}"


def _news(notice: RequirementNotice, path: str) -> telling.News:
    return telling.News(
        user=notice.user,
        event="waits",
        key=_key(notice.pk),
        subject="Something of yours waits for you in Causeway",
        body=(
            "work that you asked for goes on once you have done this:\n\n"
            f"{notice.says}\n\n"
            "You are told once for this, however much waits for it. Sign in and press "
            "the button here:"
        ),
        path=path,
        facts={"says": notice.says},
    )
