"""Whether a sign-in showed what was asked of it (security.md L17).

Globus Auth lets a person come back who did something else than what was asked. Asking
and not looking at the answer would be worse than not asking.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from globus_sdk import AuthClient
from globus_sdk.scopes import ScopeParser
from globus_sdk.scopes.consents import (
    ConsentParseError,
    ConsentTreeConstructionError,
)

from accounts import tokens
from accounts.clients import VaultAuthorizer
from accounts.models import User
from accounts.portal_client import portal_auth_client
from portal.globus import scopes
from portal.globus.errors import (
    PermissionDenied,
    SignInRequired,
    UnexpectedAnswer,
    globus_errors,
)
from portal.globus.requirements import Requirement
from portal.globus.transport import PAGE, retry_config, shared_transport

logger = logging.getLogger(__name__)

#: Auth's clock and ours
SKEW = timedelta(seconds=60)
MFA_CLASSES = frozenset({"https://refeds.org/profile/mfa"})

#: ``{identity id: {"auth_time", "amr", "acr", …}}`` of an introspection
Proofs = Mapping[str, Mapping[str, Any]]


def lacking(user: User, requirement: Requirement, *, since: datetime) -> str:
    """What is missing still, in a sentence; empty when all is as it was asked.

    Policies are Auth's own to judge: that there was a new sign-in is all that can be
    seen from here.

    :param since: when the person left for Auth
    :raises GlobusFailure: Auth cannot be asked right now
    """
    if requirement.wants_session:
        found = session_lacks(user, requirement, proofs_of(user), since=since)
        if found:
            return found
    if requirement.wants_consent and not has_consents(user, requirement):
        return "Not everything that was asked for was allowed at Globus."
    return ""


def session_lacks(
    user: User, requirement: Requirement, proofs: Proofs, *, since: datetime
) -> str:
    earliest = (since - SKEW).timestamp() if requirement.fresh else 0.0
    counting = {
        identity: proof
        for identity, proof in proofs.items()
        if _auth_time(proof) >= earliest
    }
    if not counting:
        return "Globus did not report a new sign-in."
    usernames = {row["sub"]: row["username"] for row in user.linked_identities}
    shown = {usernames.get(each, "").lower() for each in counting}
    missing = [
        usernames.get(wanted, wanted)
        for wanted in requirement.identities
        if wanted.lower() not in {*counting, *shown}
    ]
    if missing:
        return f"Nobody signed in as {' or '.join(missing)}."
    domains = {username.rpartition("@")[2] for username in shown}
    if requirement.domains and not domains & set(requirement.domains):
        return f"Nobody signed in with {' or '.join(requirement.domains)}."
    if requirement.mfa and not any(map(_has_mfa, counting.values())):
        return "The sign-in was without a second factor."
    return ""


def proofs_of(user: User) -> Proofs:
    """Who signed in how and when, in the session behind the person's tokens.

    https://docs.globus.org/api/auth/reference/#token-introspect
    """
    token = tokens.access_token(user, scopes.AUTH)
    with globus_errors():
        answer = portal_auth_client().oauth2_token_introspect(
            token.secret.reveal(), include="session_info"
        )
    if answer.get("active") is not True:
        raise SignInRequired(code="InactiveToken")
    try:
        found = answer["session_info"]["authentications"]
        return {str(key).lower(): dict(value) for key, value in found.items()}
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise UnexpectedAnswer(code="SessionInfo") from err


def has_consents(user: User, requirement: Requirement) -> bool:
    """Whether Auth knows the consents; where it does not say, Transfer will.

    https://docs.globus.org/api/auth/reference/#get_identity_consents
    """
    assert user.identity_id is not None
    auth_client = AuthClient(
        authorizer=VaultAuthorizer(user, scopes.AUTH),
        transport=shared_transport("auth", PAGE),
        retry_config=retry_config(PAGE),
    )
    wanted = [
        scope
        for text in requirement.consent_scopes
        for scope in ScopeParser.parse(text)
    ]
    try:
        with globus_errors():
            answer = auth_client.get_consents(user.identity_id)
            return answer.to_forest().meets_scope_requirements(wanted)
    except (ConsentParseError, ConsentTreeConstructionError) as err:
        raise UnexpectedAnswer(code="Consents") from err
    except PermissionDenied:
        logger.warning("Auth does not show the consents of %s", user.owner_key)
        return True


def _auth_time(proof: Mapping[str, Any]) -> float:
    """Seconds since 1970; a proof without a time is one of long ago."""
    value = proof.get("auth_time")
    return float(value) if isinstance(value, int | float) else 0.0


def _has_mfa(proof: Mapping[str, Any]) -> bool:
    methods = proof.get("amr")
    return (isinstance(methods, list) and "mfa" in methods) or (
        proof.get("acr") in MFA_CLASSES
    )
