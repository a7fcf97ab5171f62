"""Finding a collection, and the page about one."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from globus_sdk import TransferClient

from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import NotFound, PermissionDenied
from transfers import collections, sharing
from transfers.policies import policies
from transfers.views.choosing import Choosing
from transfers.views.reading import whole

ROWS = 25
NAME_KEPT_SECONDS = 300
#: at most so many names are asked for at once, and so many for one page
AT_ONCE = 8
MOST_NAMES = 100


@require_safe
def search(request: SignedInRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    scope = chosen_scope(request, text)
    kind = request.GET.get("kind", "")
    page = collections.search(
        transfer_client(request.user),
        text,
        scope,
        whole(request, "offset"),
        kind=kind,
        limit=ROWS,
    )
    choosing = Choosing.of(request)
    context = {
        "choosing": choosing,
        "found": [
            (each, choosing.to(each.id) if choosing else "")
            for each in page.collections
        ],
        "text": text,
        "scope": scope,
        "tabs": collections.SCOPES,
        "wants_words": scope in collections.WANT_WORDS,
        "kinds": collections.KINDS,
        "kind": kind,
        "page": page,
        "before": max(0, page.offset - ROWS),
    }
    return render(request, "transfers/collections.html", context)


def chosen_scope(request: HttpRequest, text: str) -> str:
    """Without a choice: all that fit the words, or what was used of late."""
    scope = request.GET.get("scope", "")
    if scope in collections.SCOPES:
        return scope
    return "hide-no-permissions" if text else "recently-used"


@require_safe
def about(request: SignedInRequest, collection_id: UUID) -> HttpResponse:
    found = collections.collection(transfer_client(request.user), collection_id)
    context = {
        "collection": found,
        "policies": policies(found),
        "can_share": sharing.can_share(found),
    }
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


#: what a collection is called, and whether it is of high assurance
Facts = tuple[str, bool]


def _facts_of(user: User, collection_id: UUID) -> Facts:
    key = _facts_key(user, collection_id)
    facts: Facts | None = cache.get(key)
    if facts is None:
        facts = _facts(collections.collection(transfer_client(user), collection_id))
        cache.set(key, facts, NAME_KEPT_SECONDS)
    return facts


def _facts(found: collections.Collection) -> Facts:
    return str(found), found.high_assurance


def _facts_key(user: User, collection_id: UUID) -> str:
    return f"collection-facts:{user.pk}:{collection_id}"


def names_of(user: User, collection_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What many are called; there is no request for more than one at Globus.

    Those that Globus does not show, and what is beyond ``MOST_NAMES``, are left out.
    """
    wanted = list(dict.fromkeys(collection_ids))[:MOST_NAMES]
    keys = {_facts_key(user, each): each for each in wanted}
    known: dict[UUID, str] = {
        keys[key]: facts[0] for key, facts in cache.get_many(keys).items()
    }
    missing = [each for each in wanted if each not in known]
    if missing:
        client = transfer_client(user)
        # Brings the token, before threads that have no connection to the database.
        found = {missing[0]: _facts_or_nothing(client, missing[0])}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            facts = pool.map(partial(_facts_or_nothing, client), missing[1:])
        found |= dict(zip(missing[1:], facts, strict=True))
        fresh = {each: facts for each, facts in found.items() if facts}
        cache.set_many(
            {_facts_key(user, each): facts for each, facts in fresh.items()},
            NAME_KEPT_SECONDS,
        )
        known |= {each: name for each, (name, _) in fresh.items()}
    return known


def _facts_or_nothing(client: TransferClient, collection_id: UUID) -> Facts | None:
    try:
        return _facts(collections.collection(client, collection_id))
    except (NotFound, PermissionDenied):
        return None
