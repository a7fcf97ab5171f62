"""Identities as documents: userinfo, claims, look-ups."""

from typing import Any

from sandbox import scopes
from sandbox.models import BrowserSession, Identity, Token

CLIENT_PROVIDER_ID = "3b843349-4d4d-4ef3-916d-2a465f9740a9"
CLIENT_PROVIDER_NAME = "Globus Auth"


def identity_set(identity: Identity) -> list[Identity]:
    """The identity with those that are linked to it, itself first."""
    linked = Identity.objects.filter(person=identity.person)
    return sorted(linked, key=lambda one: (one.pk != identity.pk, one.username))


def last_authentication(
    session: BrowserSession | None, identity: Identity
) -> int | None:
    """When this identity was used in this session, or null."""
    proof = session.authentications.get(identity.pk) if session else None
    return int(proof["auth_time"]) if proof else None


def profile(identity: Identity, session: BrowserSession | None) -> dict[str, Any]:
    """What is said of an identity in claims and in userinfo, keyed by ``sub``."""
    return {
        "sub": identity.pk,
        "name": identity.name,
        "preferred_username": identity.username,
        "email": identity.email,
        "organization": identity.organization,
        "identity_provider": identity.provider,
        "identity_provider_display_name": identity.provider_name,
        "last_authentication": last_authentication(session, identity),
    }


def claims(
    identity: Identity, session: BrowserSession | None, granted: set[str]
) -> dict[str, Any]:
    """The profile claims that the granted scopes allow."""
    known = profile(identity, session)
    allowed = {"sub", "last_authentication"}
    if "profile" in granted:
        allowed |= {
            "name",
            "preferred_username",
            "organization",
            "identity_provider",
            "identity_provider_display_name",
        }
    if "email" in granted:
        allowed.add("email")
    answer = {name: value for name, value in known.items() if name in allowed}
    if scopes.VIEW_IDENTITY_SET in granted:
        answer["identity_set"] = [
            _member(one, session) for one in identity_set(identity)
        ]
    return answer


def _member(identity: Identity, session: BrowserSession | None) -> dict[str, Any]:
    document = profile(identity, session)
    document["username"] = document.pop("preferred_username")
    return document


def document(identity: Identity) -> dict[str, Any]:
    """An entry of the identities API."""
    return {
        "id": identity.pk,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "organization": identity.organization,
        "identity_provider": identity.provider,
        "identity_type": "login",
        "status": identity.status,
    }


def session_info(token: Token) -> dict[str, Any]:
    """The session part of an introspection; a client's token has an empty one.

    ``globus session show`` reads it as an object, also for a client identity.
    """
    session = token.session
    if session is None:
        return {"session_id": None, "authentications": {}}
    return {
        "session_id": session.pk,
        "authentications": {
            identity_id: {
                "acr": proof.get("acr"),
                "amr": proof.get("amr"),
                "idp": proof.get("idp"),
                "auth_time": int(proof["auth_time"]),
                "custom_claims": {},
            }
            for identity_id, proof in session.authentications.items()
        },
    }
