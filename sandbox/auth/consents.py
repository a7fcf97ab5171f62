"""Consents: recorded per identity and client, as trees of scopes."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from sandbox import clock, scopes
from sandbox.knobs import current as knobs
from sandbox.models import Client, Collection, Consent, Identity, Token
from sandbox.remembered import remembered
from sandbox.scopes import BadScope, Scope


def check_known(wanted: Iterable[Scope]) -> None:
    """Refuse scopes that do not exist, at any depth.

    Only a mapped collection without high assurance has a ``data_access`` scope.

    :raises BadScope: names the unknown scope, in Globus's words
    """
    for scope in wanted:
        if not _exists(scope.name):
            raise BadScope(f"Unknown Scope: {scope.name}")
        check_known(scope.parts)


def _exists(name: str) -> bool:
    if name in scopes.WORDS:
        return True
    if named := scopes.collection_scope(name):
        collection = Collection.objects.filter(id=named[0]).first()
        if collection is None:
            return False
        return (
            has_https(collection)
            if named[1] == "https"
            else (needs_data_access(collection))
        )
    endpoint = scopes.endpoint_scope(name)
    return endpoint is not None and (
        Collection.objects.filter(endpoint_id=endpoint).exists()
    )


def has_https(collection: Collection) -> bool:
    """Globus Connect Server serves HTTPS, Globus Connect Personal does not."""
    return collection.entity_type.startswith("GCSv5")


def needs_data_access(collection: Collection) -> bool:
    return (
        collection.entity_type == "GCSv5_mapped_collection"
        and not collection.high_assurance
    )


def in_words(name: str) -> str:
    """What a scope allows, for the person who is asked."""
    if name in scopes.WORDS:
        return scopes.WORDS[name]
    if named := scopes.collection_scope(name):
        collection = Collection.objects.filter(id=named[0]).first()
        place = collection.display_name if collection else named[0]
        verb = "Use your files" if named[1] == "data_access" else "Download and upload"
        return f"{verb} on {place}"
    return f"Manage collections ({name})"


@transaction.atomic
def record(
    client: Client, identity: Identity, wanted: Iterable[Scope], *, refresh: bool
) -> None:
    """Store that ``identity`` lets ``client`` have these trees.

    Transactions wait for each other at their begin, so of two who ask for the same at
    the same moment one finds what the other has stored.
    """
    for scope in wanted:
        _record(client, identity, scope, None, refresh)


def _record(
    client: Client,
    identity: Identity,
    scope: Scope,
    parent: Consent | None,
    refresh: bool,
) -> None:
    now = clock.now()
    consent, is_new = Consent.objects.get_or_create(
        client=client,
        identity=identity,
        parent=parent,
        scope_name=scope.name,
        defaults={
            "atomically_revocable": scope.optional,
            "allows_refresh": refresh,
            "created_at": now,
            "updated_at": now,
            "last_used_at": now,
        },
    )
    if not is_new:
        consent.updated_at = consent.last_used_at = now
        consent.allows_refresh = consent.allows_refresh or refresh
        consent.save(update_fields=["updated_at", "last_used_at", "allows_refresh"])
    for part in scope.parts:
        _record(client, identity, part, consent, refresh)


def covers(client: Client, identity: Identity, wanted: Iterable[Scope]) -> bool:
    """Whether these trees, optional parts too, are consented to already."""
    roots = Consent.objects.filter(client=client, identity=identity, parent=None)
    return all(_covers(roots, scope) for scope in wanted)


def _covers(among: QuerySet[Consent], scope: Scope) -> bool:
    node = among.filter(scope_name=scope.name).first()
    return node is not None and all(_covers(node.parts.all(), p) for p in scope.parts)


def of_token(token: Token) -> QuerySet[Consent]:
    """The consents that a token stands on: those of its own scopes."""
    if token.consents:
        return Consent.objects.filter(pk__in=token.consents)
    return Consent.objects.filter(
        client=token.client,
        identity=token.identity,
        parent=None,
        scope_name__in=token.scope.split(),
    )


@transaction.atomic
def withdraw(found: QuerySet[Consent]) -> int:
    """Take consents back, as the person would; returns how many were asked for.

    What hangs below goes along. So does what stands above, unless the consent was an
    optional one, which alone is atomically revocable (section 2.3).
    """
    doomed = set(found.values_list("pk", flat=True))
    for consent in found.select_related("parent"):
        node: Consent | None = consent
        while node is not None and node.parent and not node.atomically_revocable:
            doomed.add(node.parent.pk)
            node = node.parent
    count = found.count()
    going = Consent.objects.filter(pk__in=doomed)
    if knobs.withdrawal_revokes_tokens:
        _revoke_tokens_of(going.filter(parent=None))
    going.delete()
    return count


def _revoke_tokens_of(roots: Iterable[Consent]) -> None:
    for root in roots:
        Token.objects.filter(
            client=root.client_id,
            identity=root.identity_id,
            resource_server=scopes.resource_server(root.scope_name),
        ).delete()


@remembered
def has_data_access(client_id: str, identity_id: str, collection_id: str) -> bool:
    """Whether Transfer, called through this client, may use the mapped collection."""
    return Consent.objects.filter(
        identity=identity_id,
        client=client_id,
        scope_name=scopes.data_access(collection_id),
        parent__scope_name=scopes.TRANSFER_ALL,
        parent__parent=None,
    ).exists()


def documents(identity: Identity, client_id: str | None) -> list[dict[str, Any]]:
    """The consents API's list; with ``client_id`` only trees rooted there."""
    consents = list(Consent.objects.filter(identity=identity).order_by("id"))
    by_id = {consent.pk: consent for consent in consents}
    return [
        _document(consent, by_id)
        for consent in consents
        if client_id is None or consent.client_id == client_id
    ]


def _document(consent: Consent, by_id: dict[int, Consent]) -> dict[str, Any]:
    path = [consent.pk]
    above = consent
    while above.parent_id is not None:
        above = by_id[above.parent_id]
        path.insert(0, above.pk)
    return {
        "id": consent.pk,
        "client": _client_of(consent, by_id),
        "scope": scopes.scope_id(consent.scope_name),
        "scope_name": consent.scope_name,
        "effective_identity": consent.identity_id,
        "dependency_path": path,
        "created": clock.iso(consent.created_at),
        "updated": clock.iso(consent.updated_at),
        "last_used": clock.iso(consent.last_used_at),
        "status": "approved",
        "allows_refresh": consent.allows_refresh,
        "auto_approved": False,
        "atomically_revocable": consent.atomically_revocable,
    }


def _client_of(consent: Consent, by_id: dict[int, Consent]) -> str:
    """A dependent consent belongs to the service that makes the next call."""
    if consent.parent_id is None:
        return consent.client_id
    server = scopes.resource_server(by_id[consent.parent_id].scope_name)
    return scopes.client_of(server)
