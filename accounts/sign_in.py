"""Sign-in with Globus: the backend class, and the steps after it.

social-auth checks state, nonce, PKCE and the ID token (OpenID Connect Core section
3.1.3.7). What it leaves to us stands here; the ids name security.md's section 2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from social_core.backends.globus import GlobusOpenIdConnect
from social_core.exceptions import SocialAuthBaseException

from accounts import (
    attempts,
    callback,
    groups,
    id_tokens,
    metadata,
    provider,
    standing,
    tokens,
)
from accounts.attempts import Attempt
from accounts.clients import groups_client_with
from accounts.models import User
from accounts.secret import Secret
from accounts.token_answers import is_token_entry
from portal import current, sessions
from portal.globus import scopes
from portal.globus.errors import (
    AccountDisabled,
    NotAllowedIn,
    ScopeNotGranted,
    SignInConflict,
    SignInNotOurs,
    SignInUnverified,
)
from portal.globus.requirements import Requirement


class GlobusSignIn(GlobusOpenIdConnect[Any]):
    """Globus Auth as the portal uses it: code flow, PKCE S256, refresh tokens."""

    #: what Globus wants of this sign-in, beyond that there is one
    requirement = Requirement()
    #: what was begun, or what came back
    attempt: Attempt | None = None

    def get_user(self, user_id: Any) -> User | None:
        """For each request of somebody signed in, who mostly came with the session.

        Django then still holds the hash in the session against this user.
        """
        came = sessions.person_of(current.request(), user_id)
        return came or super().get_user(user_id)

    def get_scope(self) -> list[str]:
        return self.requirement.sign_in_scopes

    def auth_url(self) -> str:
        """The address of the authorize page, every value percent-encoded (L20)."""
        state = self.get_or_create_state()
        params = self.auth_params(state)
        params.update(self.get_scope_argument())
        params.update(self.auth_extra_arguments())
        if self.attempt is not None:
            attempts.remember(self.strategy.session, state, self.attempt)
            if self.attempt.fresh:
                params["prompt"] = "login"
        params.update(self.requirement.authorize_parameters())
        return f"{self.authorization_url()}?{urlencode(params)}"

    def validate_state(self) -> str:
        """First of all the state, which closes the attempt; then who answers, and what.

        The library looks at an ``error`` before it knows whose answer it is.
        """
        state: str = super().validate_state()
        self.attempt = attempts.close(self.strategy.session, state)
        if self.attempt is None:
            # Nothing tells what was asked of this sign-in, so nothing can be checked.
            raise SignInNotOurs
        callback.check_issuer(self.data, self.oidc_config())
        callback.check_no_error(self.data)
        return state

    def process_error(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Nothing yet: ``validate_state`` does it, in its turn."""

    def oidc_config(self) -> dict[str, Any]:
        return metadata.discovery()

    def request(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **unused: Any,
    ) -> provider.Answer:
        return provider.ask(method, url, headers=headers, data=data, auth=auth)

    def find_valid_key(self, id_token: str) -> dict[str, Any] | None:
        """The published key that signed; the keys are read anew if none did (L11)."""
        header = jwt.get_unverified_header(id_token)
        id_tokens.check_header(header)
        keys = metadata.signing_keys()
        found = id_tokens.key_that_signed(id_token, header, keys)
        if found is None and (keys := metadata.signing_keys_anew() or []):
            found = id_tokens.key_that_signed(id_token, header, keys)
        return found

    def decode_and_validate_id_token(
        self, id_token: str, access_token: str
    ) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = super().decode_and_validate_id_token(
                id_token, access_token
            )
        except SocialAuthBaseException:
            raise
        except (TypeError, ValueError, OverflowError, RecursionError) as err:
            # Claims of shapes that the library does not expect, such as lists.
            raise SignInUnverified from err
        return claims

    def validate_temporal_claims(self, claims: Mapping[str, Any]) -> None:
        """In place of the library's, which has no patience and trusts the types."""
        id_tokens.check_claims(claims, code=str(self.data.get("code", "")))
        if self.attempt is not None and self.attempt.fresh:
            id_tokens.verified_step_up(claims, since=self.attempt.began)

    def user_data(
        self, access_token: str, *args: Any, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Profile claims only: userinfo must not replace a token (L14)."""
        answer = self.request(
            self.userinfo_url(), headers={"Authorization": f"Bearer {access_token}"}
        )
        return check_userinfo(answer.json(), self.id_token or {})

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        """All of a sign-in is stored, or nothing of it (L22)."""
        with transaction.atomic():
            return super().pipeline(*args, **kwargs)


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
    """Claims about whom the ID token is about, and nothing else (L14)."""
    if not isinstance(data, dict) or data.get("sub") != id_token.get("sub"):
        raise SignInUnverified
    return {name: value for name, value in data.items() if name in PROFILE_CLAIMS}


# The steps of the pipeline, in the order of settings.SOCIAL_AUTH_PIPELINE


def lock_identity(uid: str, **kwargs: Any) -> dict[str, Any]:
    """One sign-in at a time for one identity (L22), and no deletion meanwhile."""
    identity_id = identity_from(uid)
    standing.hold(identity_id)
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
        identity_id=UUID(uid), defaults={"username": free_username(uid)}
    )
    if not user.is_active:
        raise AccountDisabled
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return {"user": user, "is_new": is_new}


def free_username(uid: str) -> str:
    """The identity's id, which no page shows; a local account may have taken it.

    Whoever made that one gets nothing by it: a sign-in looks at ``identity_id`` alone.
    """
    numbered = (f"{uid}-{number}" for number in count(2))
    taken = set(
        User.objects.filter(username__startswith=uid).values_list("username", flat=True)
    )
    return next(name for name in chain([uid], numbered) if name not in taken)


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


def store_tokens(user: User, response: Mapping[str, Any], **kwargs: Any) -> None:
    """Every resource server's tokens into the vault, nothing into ``extra_data``."""
    tokens.store_sign_in(user, checked_entries(response))


def apply_groups(user: User, response: Mapping[str, Any], **kwargs: Any) -> None:
    """Who may come in, and who is staff, is read anew from Globus Groups.

    :raises NotAllowedIn: the portal is for members of a group
    """
    wanted = (settings.GROUP_USERS, settings.GROUP_STAFF, settings.GROUP_ADMINS)
    if not any(wanted):
        return
    provider.seconds_left()  # so slow a sign-in does not begin with another service
    groups_client = groups_client_with(groups_token(response))
    mine = {group.id for group in groups.my_groups(groups_client)}
    users, staff, admins = (
        group is not None and str(group) in mine for group in wanted
    )
    if settings.GROUP_USERS and not (users or staff or admins):
        raise NotAllowedIn(
            group_id=str(settings.GROUP_USERS),
            group_name=groups.name_of(groups_client, settings.GROUP_USERS),
            username=user.identity_username,
            linked=other_identities(user),
        )
    standing.follow_groups(user, is_staff=staff or admins, is_superuser=admins)


def groups_token(response: Mapping[str, Any]) -> Secret:
    entries = [response, *response.get("other_tokens", [])]
    return next(
        Secret(entry["access_token"])
        for entry in entries
        if entry["resource_server"] == scopes.GROUPS
    )


def other_identities(user: User) -> tuple[str, ...]:
    names = (row["username"] for row in user.linked_identities)
    return tuple(name for name in names if name and name != user.preferred_username)


# Checks, each a function with a name


def checked_entries(
    response: Mapping[str, Any],
) -> list[Mapping[str, Any]]:
    """The token entries of an answer, if they are what was asked for (L16).

    :raises ScopeNotGranted: of what was asked for, something is missing
    """
    others = response.get("other_tokens", [])
    if not isinstance(others, list):
        raise SignInUnverified
    entries: list[Mapping[str, Any]] = [response, *others]
    if not all(is_token_entry(entry) for entry in entries):
        raise SignInUnverified
    granted = {entry["resource_server"]: entry["scope"].split() for entry in entries}
    if len(granted) < len(entries):
        raise SignInUnverified  # two tokens for one purpose
    missing = tuple(
        scope
        for server, wanted in scopes.SIGN_IN_SCOPES_BY_SERVER.items()
        for scope in wanted
        if scope not in granted.get(server, [])
    )
    if missing:
        raise ScopeNotGranted(scopes=missing)
    return entries


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
