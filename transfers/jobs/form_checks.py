"""Looks at Globus for one step of a job's form, as the job's service account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.cache import cache
from globus_sdk import TransferClient

from accounts import tokens
from accounts.clients import transfer_client
from accounts.models import ServiceAccount
from portal.globus import scopes
from portal.globus.errors import (
    ConsentRequired,
    NotFound,
    PermissionDenied,
    PortalError,
    globus_errors,
)
from portal.globus.transport import GLANCE, PAGE, Patience
from transfers import browsing, collections
from transfers.consents import sentence_for, with_own_consent
from transfers.jobs.models import Job
from transfers.paths import name_of as name_of_path
from transfers.paths import normalised, parent

#: entries that a look into a folder asks for; more are not needed to say that it works
LOOKED_AT = 200
ASKED_AGAIN_SECONDS = 300


@dataclass(frozen=True)
class Finding:
    """What a look brought: fine (``ok``), to be known (``warn``), or not (``bad``).

    :ivar copy: a text to hand on, such as the identity that needs access
    """

    tone: str
    says: str
    copy: str = ""


def account_works(account: ServiceAccount) -> Finding:
    """Whether Globus Auth gives the service account a token."""
    if not account.enabled:
        return Finding(
            "bad",
            f"“{account}” is switched off: {account.disabled_reason or 'no reason'}",
        )
    try:
        tokens.access_token(account, scopes.TRANSFER)
    except PortalError as err:
        return Finding("bad", sentence_for(account, err))
    return Finding("ok", f"“{account}” works: Globus accepts its secret.")


def name_of(
    account: ServiceAccount, collection_id: UUID, patience: Patience = PAGE
) -> str:
    """:raises PortalError: the service account cannot see it, or Globus did not say"""
    found = collections.collection(transfer_client(account, patience), collection_id)
    return found.display_name


def names_of(
    account: ServiceAccount, ids: list[UUID], known: dict[UUID, str]
) -> dict[UUID, str]:
    """What collections are called; what cannot be found out now is left as it was.

    :param ids: the two of a job
    """
    found = dict(known)
    for each in ids[:2]:
        if not found.get(each):
            try:
                found[each] = name_of(account, each)
            except PortalError:
                found[each] = ""
    return found


def name_at_a_glance(account: ServiceAccount, collection_id: UUID) -> str:
    """What a collection is called, for a form that is being filled in; empty if that
    cannot be found out quickly. Asked once in a while.
    """
    key = f"collection-name:{account.pk}:{collection_id}"
    known: str | None = cache.get(key)
    if known is None:
        try:
            known = name_of(account, collection_id, GLANCE)
        except PortalError:
            known = ""
        cache.set(key, known, ASKED_AGAIN_SECONDS)
    return known


def learn_names(job: Job) -> None:
    """Stores what the collections of a job are called, if that is not known yet.

    For jobs that were not made with the form; asked once in a while.
    """
    ids = [each for each in (job.source_collection, job.destination_collection) if each]
    known = {job.source_collection: job.source_name}
    if job.destination_collection:
        known[job.destination_collection] = job.destination_name
    if all(known.get(each) for each in ids) or not cache.add(
        f"job-names:{job.pk}", True, ASKED_AGAIN_SECONDS
    ):
        return
    found = names_of(job.service_account, ids, known)
    job.source_name = found.get(job.source_collection, "")[:255]
    if job.destination_collection:
        job.destination_name = found.get(job.destination_collection, "")[:255]
    Job.objects.filter(pk=job.pk).update(
        source_name=job.source_name, destination_name=job.destination_name
    )


def source_reads(account: ServiceAccount, collection_id: UUID, path: str) -> Finding:
    """Whether the source can be read."""
    try:
        return Finding("ok", _what_is_at(account, collection_id, path))
    except NotFound as err:
        return Finding("bad", sentence_for(account, err))
    except PortalError as err:
        return _refused(account, err)


def destination_takes(
    account: ServiceAccount, collection_id: UUID, path: str
) -> Finding:
    """Whether the destination is there, or can be made.

    Nothing is written for it: that the service account may write shows the preflight.
    """
    try:
        return Finding("ok", _what_is_at(account, collection_id, path))
    except NotFound as err:
        above = parent(path)
        if above is None:
            return Finding("bad", sentence_for(account, err))
        return Finding(
            "warn", "It is not there yet; Globus makes it with the first run."
        )
    except PortalError as err:
        return _refused(account, err)


def _what_is_at(account: ServiceAccount, collection_id: UUID, path: str) -> str:
    """:raises PortalError: it cannot be looked at"""
    client = transfer_client(account)
    name = with_own_consent(
        account, lambda: collections.collection(client, collection_id)
    )
    path = normalised(path)
    if not path.endswith("/"):
        found = with_own_consent(account, lambda: _stat(client, collection_id, path))
        if found.get("type") != "dir":
            return f"{name_in(path)} is there, on {name}."
    folder = with_own_consent(
        account,
        lambda: browsing.listing(client, collection_id, path, limit=LOOKED_AT),
    )
    return f"It can be read: {_entries(folder.total)} in {folder.path} on {name}."


def _stat(client: TransferClient, collection_id: UUID, path: str) -> dict[str, Any]:
    """https://docs.globus.org/api/transfer/file_operations/#stat"""
    with globus_errors():
        return dict(client.operation_stat(collection_id, path).data)


def name_in(path: str) -> str:
    return f"“{name_of_path(path)}”"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"


def _refused(account: ServiceAccount, err: PortalError) -> Finding:
    says = sentence_for(account, err)
    if not isinstance(err, PermissionDenied | ConsentRequired):
        return Finding("bad", says)  # to let somebody in would change nothing
    return Finding(
        "bad",
        f"{says} Access is given at the collection, to this identity:",
        copy=account.identity_username,
    )
