"""May this caller use that collection, and what there."""

from sandbox import clock, scopes
from sandbox.auth.consents import has_data_access, needs_data_access
from sandbox.knobs import current as knobs
from sandbox.models import AccessRule, Collection, DeletedCollection, Identity
from sandbox.remembered import remembered
from sandbox.timers import consents as timers
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure, not_found, permission_denied


@remembered
def _collection(collection_id: str) -> Collection | None:
    """With its rules and roles, and those of its host."""
    return (
        Collection.objects.select_related("host", "owner")
        .prefetch_related("rules", "roles", "host__roles")
        .filter(pk=collection_id)
        .first()
    )


def get_collection(collection_id: str) -> Collection:
    """Find a collection; it is shared by requests and not to be changed.

    :raises TransferFailure: there is none with this id
    """
    collection = _collection(collection_id.lower())
    if collection is None:
        if DeletedCollection.objects.filter(pk=collection_id.lower()).exists():
            raise not_found(
                f"Endpoint '{collection_id}' has been deleted", "EndpointDeleted"
            )
        raise not_found(f"No such endpoint '{collection_id}'", "EndpointNotFound")
    return collection


def visible_collection(caller: Caller, collection_id: str) -> Collection:
    """Find a collection that the caller may know of.

    :raises TransferFailure: it does not exist, or is private
    """
    collection = get_collection(collection_id)
    if not is_visible(caller, collection):
        if knobs.private_collection_status == 404:
            raise not_found(f"No such endpoint '{collection_id}'", "EndpointNotFound")
        raise TransferFailure(
            403, "PermissionDenied", f"You may not see endpoint '{collection_id}'"
        )
    return collection


def is_visible(caller: Caller, collection: Collection) -> bool:
    return (
        collection.public
        or is_owner(caller, collection)
        or bool(rules_for(caller, collection))
        or bool(effective_roles(caller, collection))
    )


def is_owner(caller: Caller, collection: Collection) -> bool:
    return collection.owner_id in caller.identity_ids


def effective_roles(caller: Caller, collection: Collection) -> list[str]:
    """The caller's roles, ``administrator`` for the owner.

    Who manages activity on a host does so on its guests.
    """
    roles = _given_roles(caller, collection)
    if collection.host is not None:
        roles |= _given_roles(caller, collection.host) & set(ACTIVITY_ROLES)
    if is_owner(caller, collection):
        roles.add("administrator")
    return sorted(roles)


ROLES = ("administrator", "access_manager", "activity_manager", "activity_monitor")
ACTIVITY_ROLES = ("activity_manager", "activity_monitor")


def _given_roles(caller: Caller, collection: Collection) -> set[str]:
    return {
        role.role
        for role in collection.roles.all()
        if role.principal in caller.identity_ids
        or (role.principal_type == "group" and role.principal in caller.group_ids)
    }


def usable_collection(caller: Caller, collection_id: str) -> Collection:
    """Find a collection whose files the caller may touch at all.

    :raises TransferFailure: private, offline, without consent or without the
        session that it asks for
    """
    collection = visible_collection(caller, collection_id)
    _check_connected(collection)
    base = collection.host or collection
    if collection.host is None and needs_data_access(base):
        _check_data_access(caller, base)
    if collection.high_assurance:
        _check_session(caller, collection)
    return collection


def usable_files(caller: Caller, collection: Collection) -> None:
    """May the caller have files over HTTPS at all? Its own scope stands for consent.

    :raises TransferFailure: private, offline, or without the session it asks for
    """
    if not is_visible(caller, collection):
        raise TransferFailure(403, "PermissionDenied", "This collection is private")
    _check_connected(collection)
    if collection.high_assurance:
        _check_session(caller, collection)


def check_local_user(
    caller: Caller, collection: Collection, local_user: object
) -> None:
    """A mapped collection gives each person one account, named after them.

    :raises TransferFailure: another account was asked for
    """
    if local_user in (None, "") or collection.host is not None:
        return
    if local_user != caller.local_user:
        raise permission_denied(f"You may not act as local user '{local_user}'")


def _check_connected(collection: Collection) -> None:
    if collection.paused and not collection.entity_type.startswith("GCSv5"):
        raise TransferFailure(
            502,
            "ExternalError.DirListingFailed.GCPaused",
            f"The Globus Connect Personal endpoint '{collection.display_name}' "
            f"({collection.pk}) is paused",
        )
    if not collection.connected:
        raise TransferFailure(
            502,
            "ExternalError.DirListingFailed.GCDisconnected",
            f"The Globus Connect Personal endpoint '{collection.display_name}' "
            f"({collection.pk}) is not currently connected to Globus",
        )


def _check_data_access(caller: Caller, collection: Collection) -> None:
    """Looked up now, never taken from the token: a later consent counts at once."""
    given = timers.has_data_access if caller.timer_id else has_data_access
    if given(caller.client_id, caller.identity.pk, collection.pk):
        return
    message = "Missing required data_access consent"
    wanted = [f"{scopes.TRANSFER_ALL}[*{scopes.data_access(collection.pk)}]"]
    raise TransferFailure(
        403,
        "ConsentRequired",
        message,
        required_scopes=wanted,
        authorization_parameters={
            "required_scopes": wanted,
            "session_message": message,
        },
    )


def _check_session(caller: Caller, collection: Collection) -> None:
    """High assurance: a fresh enough sign-in with an identity of the domain."""
    proofs = caller.session.authentications if caller.session else {}
    oldest = clock.now() - (collection.authentication_timeout_mins or 0) * 60
    for identity_id, proof in proofs.items():
        if proof["auth_time"] < oldest and collection.authentication_timeout_mins:
            continue
        if not collection.session_domain or identity_id in _of_domain(
            caller, collection.session_domain
        ):
            return
    raise TransferFailure(
        403,
        "AuthPolicyFailed",
        "This collection needs a recent sign-in with an identity it trusts",
        authorization_parameters=_session_parameters(caller, collection),
    )


def _of_domain(caller: Caller, domain: str) -> set[str]:
    return set(
        Identity.objects.filter(
            pk__in=caller.identity_ids, username__endswith=f"@{domain}"
        ).values_list("pk", flat=True)
    )


def _session_parameters(caller: Caller, collection: Collection) -> dict[str, object]:
    message = f"{collection.display_name} asks you to sign in again"
    parameters: dict[str, object] = {"session_message": message, "prompt": "login"}
    if collection.session_domain:
        parameters["session_required_single_domain"] = [collection.session_domain]
    else:
        parameters["session_required_identities"] = [caller.identity.pk]
    return parameters


def rules_for(caller: Caller, collection: Collection) -> list[AccessRule]:
    """The rules that speak of this caller and have not expired."""
    return [
        rule
        for rule in collection.rules.all()
        if _speaks_of(caller, rule) and now_valid(rule)
    ]


def now_valid(rule: AccessRule) -> bool:
    return rule.expires_at is None or rule.expires_at > clock.now()


def _speaks_of(caller: Caller, rule: AccessRule) -> bool:
    match rule.principal_type:
        case "all_authenticated_users" | "anonymous":
            return True
        case "identity":
            return rule.principal in caller.identity_ids
        case "group":
            return rule.principal in caller.group_ids
    return False


def permissions(caller: Caller, collection: Collection, path: str) -> str:
    """``""``, ``"r"`` or ``"rw"`` at an absolute path of the collection."""
    if is_denied(collection, path):
        return ""
    if is_owner(caller, collection):
        return "rw"
    if collection.homes and path.startswith("/home/"):
        home = path.split("/")[2]
        if home == caller.local_user:
            return "rw"
        if home != "share":
            return ""
    found = [
        rule.permissions
        for rule in rules_for(caller, collection)
        if is_below(path, rule.path)
    ]
    return max(found, default="", key=len)


def is_below(path: str, base: str) -> bool:
    """Whether ``path`` is ``base`` or lies in it."""
    folder = base.rstrip("/")
    return path == folder or path.startswith(f"{folder}/")


def is_denied(collection: Collection, path: str) -> bool:
    """Whether the storage, not a rule of Globus, lets nobody in: ``denied_paths``."""
    return any(is_below(path, denied) for denied in collection.denied_paths)


def check_readable(caller: Caller, collection: Collection, path: str) -> None:
    """:raises TransferFailure: the caller may not read there"""
    if not permissions(caller, collection, path):
        raise permission_denied(f"Path not allowed: '{path}'")


def check_writable(caller: Caller, collection: Collection, path: str) -> None:
    """:raises TransferFailure: the caller may not write there"""
    if permissions(caller, collection, path) != "rw":
        raise permission_denied(f"Path not allowed for writing: '{path}'")
