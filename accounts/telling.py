"""Tells people of what happens to what is theirs, each in the way they wish.

Everything goes through the outbox, which knows how mails, digests, webhooks and open
pages get it; here is only who wants to hear of what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import outbox
from accounts.models import OutboxMessage, User, Wishes


@dataclass(frozen=True)
class News:
    """
    :ivar event: of ``accounts.wishes.EVENTS``
    :ivar key: what happened to what; whoever notices it again uses the same one
    :ivar path: the page of ours to go on from
    :ivar facts: for webhooks, beside the event
    """

    user: User
    event: str
    key: str
    subject: str
    body: str
    path: str
    facts: dict[str, Any] = field(default_factory=dict)


def tell(news: Iterable[News]) -> None:
    """In the caller's transaction, which is the one that notices the event."""
    told = list(news)
    wishes = of_people({each.user.pk for each in told})
    outbox.put(
        _message(each)
        for each in told
        if each.event in wishes.get(each.user.pk, _DEFAULTS).events
    )


_DEFAULTS = Wishes()


def of_people(users: Collection[UUID]) -> dict[UUID, Wishes]:
    """Only of those that have wishes."""
    return Wishes.objects.in_bulk(list(users)) if users else {}


def of(user: User) -> Wishes:
    """Not saved, where the person never said anything."""
    return Wishes.objects.select_related("webhook").filter(user=user).first() or Wishes(
        user=user
    )


def link_to(path: str) -> str:
    """The address of a page of ours."""
    return str(settings.PUBLIC_BASE_URL._replace(path=path).geturl())


def _message(news: News) -> OutboxMessage:
    link = link_to(news.path)
    return OutboxMessage(
        key=f"{news.key}:user:{news.user.pk}",
        user=news.user,
        subject=news.subject,
        body=f"Hello {news.user},\n\n{news.body}\n\n{link}\n\n{_HOW}\n",
        path=news.path,
        payload={"event": news.event, **news.facts, "link": link},
    )


_HOW = "You choose what is mailed to you, and when, on the page “Notifications”."


def unsay(keys: Sequence[str]) -> None:
    """It was mended before anybody was told: what has not left yet does not."""
    state = OutboxMessage.State
    OutboxMessage.objects.filter(
        key__in=keys, state__in=(state.WAITING, state.HELD), attempts=0
    ).update(state=state.QUIET, shown_at=outbox.nothing_to_show())
