"""Sign-in with Globus: the backend class, and the steps after it.

social-auth checks state, nonce, PKCE and the ID token (OpenID Connect Core section
3.1.3.7). What it leaves to us stands here; the ids name security.md's section 2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from social_core.backends.globus import GlobusOpenIdConnect
from social_core.exceptions import AuthResponseError

from accounts import groups, tokens
from accounts.clients import groups_client_with
from accounts.models import User
from accounts.secret import Secret
from portal.globus import scopes
from portal.globus.errors import (
    AccountDisabled,
    NotAllowedIn,
    SignInConflict,
    SignInUnverified,
)

MAX_TOKEN_LENGTH = 8192
#: The endpoints of a discovery document that the portal uses.
ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
)


class GlobusSignIn(GlobusOpenIdConnect[Any]):
    """Globus Auth as the portal uses it: code flow, PKCE S256, refresh tokens."""

    #: mapped collections whose consent this sign-in asks for as well
    collection_ids: tuple[UUID, ...] = ()
    #: what this sign-in must show: ``Requirement.authorize_parameters``
    step_up: Mapping[str, str] = MappingProxyType({})

    def get_scope(self) -> list[str]:
        return scopes.sign_in_scopes(self.collection_ids)

    def auth_url(self) -> str:
        """The address of the authorize page, every value percent-encoded (L20)."""
        params = self.auth_params(self.get_or_create_state())
        params.update(self.get_scope_argument())
        params.update(self.auth_extra_arguments())
        params.update(self.step_up)
        return f"{self.authorization_url()}?{urlencode(params)}"

    def oidc_config(self) -> dict[str, Any]:
        document: dict[str, Any] = super().oidc_config()
        check_discovery(document, settings.GLOBUS_AUTH_URL)
        return document

    def user_data(
        self, access_token: str, *args: Any, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Profile claims only: userinfo must not replace a token (L14)."""
        data = super().user_data(access_token, *args, **kwargs)
        return check_userinfo(data, self.id_token or {})

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """All of a sign-in is stored, or nothing of it (L22)."""
        with transaction.atomic():
            return super().pipeline(*args, **kwargs)


def check_discovery(document: Mapping[str, Any], issuer: str) -> None:
    """Refuses a discovery document that leads away from the issuer (L07)."""
    if document.get("issuer") != issuer:
        raise SignInUnverified
    home = urlsplit(issuer)
    for name in ENDPOINTS:
        url = urlsplit(str(document.get(name, "")))
        if (url.scheme, url.netloc) != (home.scheme, home.netloc):
            raise SignInUnverified


PROFILE_CLAIMS = frozenset(
    {
        "sub",
        "name",
        "email",
        "preferred_username",
        "organization",
        "identity_provider",
        "identity_provider_display_name",
        "identity_set",
    }
)


def check_userinfo(data: object, id_token: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(data, dict) or data.get("sub") != id_token.get("sub"):
        raise SignInUnverified
    return {name: value for name, value in data.items() if name in PROFILE_CLAIMS}


# The steps of the pipeline, in the order of settings.SOCIAL_AUTH_PIPELINE


def lock_identity(uid: str, **kwargs: Any) -> dict[str, Any]:
    """One first sign-in at a time for one identity (L22)."""
    identity_id = identity_from(uid)
    key = int.from_bytes(identity_id.bytes[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
    return {"uid": str(identity_id)}


def identity_from(subject: object) -> UUID:
    """The ``sub`` claim; Globus's are UUIDs, in canonical spelling (L13)."""
    try:
        identity_id = UUID(str(subject))
    except ValueError as err:
        raise SignInUnverified from err
    if str(identity_id) != subject:
        raise SignInUnverified
    return identity_id


def refuse_second_identity(backend: GlobusSignIn, uid: str, **kwargs: Any) -> None:
    """Somebody is signed in, and another identity comes back: stop (L21)."""
    request: HttpRequest = backend.strategy.request
    user = request.user
    if isinstance(user, User) and str(user.identity_id) != uid:
        raise SignInConflict


def find_or_create_user(uid: str, **kwargs: Any) -> dict[str, Any]:
    user, is_new = User.objects.get_or_create(
        identity_id=UUID(uid), defaults={"username": uid}
    )
    if not user.is_active:
        raise AccountDisabled
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return {"user": user, "is_new": is_new}


def remember_profile(user: User, response: Mapping[str, Any], **kwargs: Any) -> None:
    """What Globus says of the person; staff rights never come from here (L24)."""
    user.name = profile_text(response.get("name"))
    user.preferred_username = profile_text(response.get("preferred_username"))
    user.email = profile_text(response.get("email"))
    user.organization = profile_text(response.get("organization"))
    user.identity_provider_name = profile_text(
        response.get("identity_provider_display_name")
    )
    user.linked_identities = linked_identities(response.get("identity_set"))
    user.save(
        update_fields=[
            "name",
            "preferred_username",
            "email",
            "organization",
            "identity_provider_name",
            "linked_identities",
        ]
    )


def store_tokens(
    backend: GlobusSignIn, user: User, response: Mapping[str, Any], **kwargs: Any
) -> None:
    """Every resource server's tokens into the vault, nothing into ``extra_data``."""
    entries = checked_entries(backend, response)
    tokens.store_sign_in(user, entries)


def apply_groups(user: User, response: Mapping[str, Any], **kwargs: Any) -> None:
    """Who may come in, and who is staff, is read anew from Globus Groups.

    :raises NotAllowedIn: the portal is for members of a group
    """
    wanted = (settings.GROUP_USERS, settings.GROUP_STAFF, settings.GROUP_ADMINS)
    if not any(wanted):
        return
    mine = {
        group.id
        for group in groups.my_groups(groups_client_with(groups_token(response)))
    }
    users, staff, admins = (
        group is not None and str(group) in mine for group in wanted
    )
    if settings.GROUP_USERS and not (users or staff or admins):
        raise NotAllowedIn(group_id=str(settings.GROUP_USERS))
    user.is_staff = staff or admins
    user.is_superuser = admins
    user.save(update_fields=["is_staff", "is_superuser"])


def groups_token(response: Mapping[str, Any]) -> Secret:
    entries = [response, *response.get("other_tokens", [])]
    return next(
        Secret(entry["access_token"])
        for entry in entries
        if entry["resource_server"] == scopes.GROUPS
    )


# Checks, each a function with a name


def checked_entries(
    backend: GlobusSignIn, response: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The token entries of an answer, if they are what was asked for (L16)."""
    others = response.get("other_tokens", [])
    if not isinstance(others, list):
        raise AuthResponseError(backend, code="malformed_response")
    entries: list[Mapping[str, Any]] = [response, *others]
    for entry in entries:
        if not is_token_entry(entry):
            raise AuthResponseError(backend, code="malformed_response")
    granted = {scope for entry in entries for scope in entry["scope"].split()}
    missing = set(scopes.SIGN_IN_SCOPES) - granted
    if missing:
        raise AuthResponseError(backend, code="missing_claim", claim="scope")
    return entries


def is_token_entry(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and str(entry.get("token_type", "")).lower() == "bearer"
        and is_token_text(entry.get("access_token"))
        and is_token_text(entry.get("refresh_token"))
        and isinstance(entry.get("resource_server"), str)
        and isinstance(entry.get("scope"), str)
        and isinstance(entry.get("expires_in"), int)
    )


def is_token_text(value: object) -> bool:
    """Visible ASCII, as RFC 6749 appendix A.12 has it, and of a sane length."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_TOKEN_LENGTH
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def profile_text(value: object, longest: int = 255) -> str:
    """A claim as text for our columns: nothing invisible, not too long (L15)."""
    if not isinstance(value, str):
        return ""
    shown = (char for char in value if unicodedata.category(char)[0] != "C")
    return "".join(shown).strip()[:longest]


def linked_identities(value: object) -> list[dict[str, str]]:
    """The identity set as ``{"sub", "username", "name", "organization"}`` rows."""
    if not isinstance(value, list):
        return []
    rows: Iterable[Any] = (each for each in value if isinstance(each, dict))
    return [
        {
            name: profile_text(row.get(name))
            for name in ("sub", "username", "name", "organization")
        }
        for row in rows
    ][:50]
