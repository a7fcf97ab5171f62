"""Finding a collection, and the page about one."""

from __future__ import annotations

from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from transfers import collections
from transfers.policies import policies
from transfers.views.reading import whole

ROWS = 25
NAME_KEPT_SECONDS = 300
#: The tabs, in this order; the words are those of ``collections.SCOPES``.
TABS = ("all", "recently-used", "shared-with-me", "my-endpoints", "shared-by-me")


@require_safe
def search(request: SignedInRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    scope = chosen_scope(request, text)
    page = collections.search(
        transfer_client(request.user), text, scope, whole(request, "offset"), limit=ROWS
    )
    context = {
        "text": text,
        "scope": scope,
        "tabs": [(each, collections.SCOPES[each]) for each in TABS],
        "page": page,
        "before": max(0, page.offset - ROWS),
    }
    return render(request, "transfers/collections.html", context)


def chosen_scope(request: HttpRequest, text: str) -> str:
    """Without a choice: all that fit the words, or what was used of late."""
    scope = request.GET.get("scope", "")
    if scope in TABS:
        return scope
    return "all" if text else "recently-used"


@require_safe
def about(request: SignedInRequest, collection_id: UUID) -> HttpResponse:
    found = collections.collection(transfer_client(request.user), collection_id)
    context = {"collection": found, "policies": policies(found)}
    return render(request, "transfers/collection.html", context)


def name_of(user: User, collection_id: UUID) -> str:
    """What a collection is called, for this person; asked once in a few minutes.

    :raises GlobusFailure: it does not exist for them, or Globus did not say
    """
    return _facts_of(user, collection_id)[0]


def is_protected(user: User, collection_id: UUID) -> bool:
    """Whether it is of high assurance: who looks is to be asked about each time.

    :raises GlobusFailure: see ``name_of``
    """
    return _facts_of(user, collection_id)[1]


def _facts_of(user: User, collection_id: UUID) -> tuple[str, bool]:
    key = f"collection-facts:{user.pk}:{collection_id}"
    facts: tuple[str, bool] | None = cache.get(key)
    if facts is None:
        found = collections.collection(transfer_client(user), collection_id)
        facts = (str(found), found.high_assurance)
        cache.set(key, facts, NAME_KEPT_SECONDS)
    return facts
