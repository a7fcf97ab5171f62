"""What a timer's owner must have consented to, looked up anew for every run."""

from typing import Any

from sandbox import scopes
from sandbox.auth.consents import needs_data_access
from sandbox.models import Collection, Consent, Identity

_MESSAGE = "Missing required consent for this timer"


def missing(
    client_id: str, identity: Identity, body: dict[str, Any]
) -> dict[str, Any] | None:
    """The auth requirements (a GARE) that are not met, or None.

    The path of consents is ``timer → transfer:all → data_access``, rooted at the
    client that made the timer.
    """
    root = Consent.objects.filter(
        client=client_id,
        identity=identity,
        scope_name=scopes.TRANSFER_ALL,
        parent__scope_name=scopes.TIMER,
        parent__parent=None,
    )
    wanted = [
        collection.pk
        for collection in _mapped(body)
        if not has_data_access(client_id, identity.pk, collection.pk)
    ]
    if root.exists() and not wanted:
        return None
    parts = " ".join(f"*{scopes.data_access(one)}" for one in wanted)
    inner = f"{scopes.TRANSFER_ALL}{f'[{parts}]' if parts else ''}"
    return {
        "code": "ConsentRequired",
        "authorization_parameters": {
            "required_scopes": [f"{scopes.TIMER}[{inner}]"],
            "session_message": _MESSAGE,
        },
    }


def _mapped(body: dict[str, Any]) -> list[Collection]:
    names = ("source_endpoint", "destination_endpoint")
    wanted = list(dict.fromkeys(str(body.get(name)).lower() for name in names))
    found = Collection.objects.in_bulk(wanted)
    return [
        found[one] for one in wanted if one in found and needs_data_access(found[one])
    ]


def has_data_access(client_id: str, identity_id: str, collection_id: str) -> bool:
    """Whether Transfer, called by Timers for this client, may use the collection."""
    return Consent.objects.filter(
        identity=identity_id,
        client=client_id,
        scope_name=scopes.data_access(collection_id),
        parent__scope_name=scopes.TRANSFER_ALL,
        parent__parent__scope_name=scopes.TIMER,
        parent__parent__parent=None,
    ).exists()
