"""Dry runs of what a person is about to send, looked up as that person by a worker,
and of the jobs that they are about to save (``transfers.jobs.drafts``).

The same trials as those of jobs (``transfers.jobs.trials``), of a transfer's document
and with the form that it came from, so that it can go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import QueryDict
from django.utils import timezone

from accounts.clients import transfer_client
from accounts.models import ServiceAccount, User
from portal.globus.errors import (
    ConsentRequired,
    GlobusFailure,
    SessionRequired,
    SignInRequired,
)
from transfers import browsing, queue
from transfers.models import Trial
from transfers.paths import parent
from transfers.storable import storable
from transfers.submission import OPTIONS

#: finished ones that a person keeps
KEPT = 5
#: what a person can do something about, at once
_WANTED_FIRST = (ConsentRequired, SessionRequired, SignInRequired)
_NOT_KEPT = ("csrfmiddlewaretoken", "do", "pending_action")

_S = Trial.State


def ask(
    user: User,
    inputs: Mapping[str, Any],
    data: QueryDict,
    *,
    account: ServiceAccount | None = None,
) -> Trial:
    """Stores a dry run; the one before, if it still goes on, is stopped.

    :param inputs: see ``inputs_of``
    :param data: of the form, to go on with it afterwards
    :param account: who looks, if it is about a job that is not saved yet
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        mine = Trial.objects.filter(user=user)
        mine.exclude(state__in=Trial.FINISHED).update(
            state=_S.CANCELLED,
            says="Another one was asked for meanwhile.",
            finished_at=timezone.now(),
            next_try_at=None,
        )
        old = mine.order_by("-created_at").values_list("pk", flat=True)[KEPT - 1 :]
        Trial.objects.filter(pk__in=[*old]).delete()
        trial = Trial.objects.create(
            user=user,
            kind=Trial.Kind.DRY_RUN,
            asked_by=user,
            service_account=account,
            inputs={**inputs, "form": _kept(data)},
            says="Waits for a worker.",
        )
        queue.execute_trial(trial.pk)
    return trial


def inputs_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """As ``Job.inputs`` has them; one path stands for itself, several are a batch."""
    items = document["DATA"]
    options = (*OPTIONS, "delete_destination_extra")
    one = items[0] if len(items) == 1 else {}
    return {
        "source_collection": document["source_endpoint"],
        "source_path": one.get("source_path", ""),
        "destination_collection": document["destination_endpoint"],
        "destination_path": one.get("destination_path", ""),
        "items": [] if one else items,
        "recursive": True,
        "options": {name: document[name] for name in options if name in document},
    }


def _kept(data: QueryDict) -> dict[str, list[str]]:
    fields = {name: values for name, values in data.lists() if name not in _NOT_KEPT}
    kept: dict[str, list[str]] = storable(fields)
    return kept


def check_access(user: User, document: Mapping[str, Any]) -> None:
    """Asks for what a worker could only fail without, while the person is there.

    :raises GlobusFailure: Globus wants a consent or a sign-in for one of the sides

    Whatever else is wrong, the dry run says in its own words.
    """
    client = transfer_client(user)
    [first, *_] = document["DATA"]
    for side in ("source", "destination"):
        path = first[f"{side}_path"]
        folder = parent(path) or path
        try:
            collection_id = UUID(document[f"{side}_endpoint"])
            browsing.listing(client, collection_id, folder, limit=1)
        except _WANTED_FIRST:
            raise
        except GlobusFailure:
            continue
