"""The token endpoint: one function per grant.

oauthlib reads the form and checks the PKCE verifier. Its server classes are not used:
a Globus answer holds one token per resource server with ``other_tokens`` around the
RFC's document, a refresh is per resource server, scopes are trees, the code grant
echoes ``state``, and dependent tokens come as an array. Each would mean to override
the very method that oauthlib would have contributed.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from oauthlib.common import urldecode
from oauthlib.oauth2.rfc6749.grant_types.authorization_code import (
    code_challenge_method_s256,
)

from sandbox import clock, scopes
from sandbox.answers import json_answer
from sandbox.auth import consents, id_tokens, tokens
from sandbox.auth.clients import calling_client, confidential_client
from sandbox.auth.errors import AuthFailure, auth_view, oauth_error
from sandbox.auth.tokens import Rights
from sandbox.knobs import current as knobs
from sandbox.models import (
    AuthorizationCode,
    BrowserSession,
    Client,
    Consent,
    Identity,
    Token,
)
from sandbox.scopes import BadScope, Scope

DEPENDENT = "urn:globus:auth:grant_type:dependent_token"


@dataclass(frozen=True)
class Grantee:
    """Who gets tokens: a client, for an identity, out of a session."""

    client: Client
    identity: Identity
    session: BrowserSession | None
    #: what dependent tokens stand on
    consents: tuple[Consent, ...] = ()


@auth_view("POST")
def token(request: HttpRequest) -> HttpResponse:
    """``POST /v2/oauth2/token``, RFC 6749 section 3.2."""
    grants = {
        "authorization_code": authorization_code,
        "refresh_token": refresh_token,
        "client_credentials": client_credentials,
        DEPENDENT: dependent_tokens,
    }
    check_form(request)
    grant = grants.get(request.POST.get("grant_type", ""))
    if "grant_type" not in request.POST:
        raise oauth_error("invalid_request", "grant_type is missing")
    if grant is None:
        raise oauth_error("unsupported_grant_type")
    return json_answer(
        grant(request), headers={"Cache-Control": "no-store", "Pragma": "no-cache"}
    )


def check_form(request: HttpRequest) -> None:
    """RFC 6749 section 3.2 and appendix B: well-formed, and no parameter twice.

    :raises AuthFailure: ``invalid_request``
    """
    try:
        pairs = urldecode(request.body.decode("latin-1"))
    except ValueError as err:
        raise oauth_error("invalid_request", "The form is not well-formed") from err
    names = [name for name, _ in pairs]
    if len(names) > len(set(names)):
        raise oauth_error("invalid_request", "A parameter is repeated")


def required(request: HttpRequest, name: str) -> str:
    """A field that the grant cannot do without (RFC 6749 section 5.2).

    :raises AuthFailure: ``invalid_request``; an empty field is a missing one (3.2)
    """
    if not (text := request.POST.get(name, "")):
        raise oauth_error("invalid_request", f"{name} is missing")
    return text


def invalid_grant() -> AuthFailure:
    return oauth_error("invalid_grant", status=knobs.invalid_grant_status)


def wanted_scopes(text: str) -> list[Scope]:
    """Parse and check a scope parameter.

    :raises AuthFailure: ``invalid_scope``
    """
    try:
        wanted = scopes.parse(text)
        consents.check_known(wanted)
    except BadScope as err:
        raise oauth_error("invalid_scope", str(err)) from err
    if not wanted:
        raise oauth_error("invalid_scope", "No scope was asked for")
    return wanted


def authorization_code(request: HttpRequest) -> dict[str, Any]:
    """RFC 6749 section 4.1.3, with PKCE (RFC 7636 section 4.6)."""
    client = calling_client(request)
    code = used_code(required(request, "code"))
    if code is None or code.client_id != client.pk:
        raise invalid_grant()
    if code.redirect_uri != request.POST.get("redirect_uri", ""):
        raise invalid_grant()
    if not _is_verified(code.code_challenge, request.POST.get("code_verifier", "")):
        raise invalid_grant()
    document = token_document(
        Grantee(client, code.identity, code.session),
        scopes.parse(code.scope),
        offline=code.offline,
        nonce=code.nonce,
    )
    return {**document, "state": code.state}


@transaction.atomic
def used_code(text: str) -> AuthorizationCode | None:
    """Find the code and use it up, so that of two exchanges one fails."""
    unused = AuthorizationCode.objects.filter(
        code_hash=tokens.hashed(text), used=False, expires_at__gt=clock.now()
    )
    code = unused.select_related("identity", "session").first()
    return code if code and unused.update(used=True) else None


def _is_verified(challenge: str, verifier: str) -> bool:
    """RFC 7636 section 4.6."""
    if not challenge:
        # A verifier without a challenge is a downgrade, RFC 9700 section 4.8.2.
        return not verifier
    return verifier.isascii() and code_challenge_method_s256(verifier, challenge)


def refresh_token(request: HttpRequest) -> dict[str, Any]:
    """RFC 6749 section 6: one resource server, the refresh token echoed.

    Clients of the SDK overwrite their refresh token with what this answers, so an
    answer without one would sign them out.
    """
    client = calling_client(request)
    text = required(request, "refresh_token")
    old = tokens.find(text)
    if old is None or old.kind != Token.Kind.REFRESH or old.client_id != client.pk:
        raise invalid_grant()
    names = _narrowed(request.POST.get("scope", ""), old.scope)
    grantee = Grantee(
        client,
        old.identity,
        old.session,
        tuple(Consent.objects.filter(pk__in=old.consents)),
    )
    document = _entry(grantee, old.resource_server, names)
    document["refresh_token"] = _next_refresh_token(old, text)
    document["other_tokens"] = []
    return document


def _narrowed(asked: str, granted: str) -> list[str]:
    names = asked.split() or granted.split()
    if not set(names) <= set(granted.split()):
        raise oauth_error("invalid_scope")
    return names


@transaction.atomic
def _next_refresh_token(old: Token, text: str) -> str:
    if not knobs.rotate_refresh_tokens:
        Token.objects.filter(pk=old.pk).update(
            expires_at=clock.now() + knobs.refresh_token_seconds
        )
        return text
    # Two refreshes at once: the DELETE that finds nothing has lost.
    deleted, _ = Token.objects.filter(pk=old.pk).delete()
    if not deleted:
        raise invalid_grant()
    return tokens.new_refresh_token(Rights.of(old))


def client_credentials(request: HttpRequest) -> dict[str, Any]:
    """RFC 6749 section 4.4. Nested scopes are consented to by asking for them."""
    client = confidential_client(request)
    wanted = wanted_scopes(request.POST.get("scope", ""))
    identity = Identity.objects.get(pk=client.pk)
    consents.record(client, identity, wanted, refresh=False)
    return token_document(Grantee(client, identity, None), wanted, offline=False)


def dependent_tokens(request: HttpRequest) -> list[dict[str, Any]]:
    """Tokens for what a resource server calls in its turn, as an array.

    Without ``scope`` they are for everything that hangs below the token's scopes in
    the person's consents (globus-services.md sections 2.3 and 2.4).
    """
    server = confidential_client(request)
    token = tokens.find_access_token(
        required(request, "token"), scopes.server_of(server.pk)
    )
    if token is None:
        raise invalid_grant()
    parts = Consent.objects.filter(parent__in=consents.of_token(token))
    text = request.POST.get("scope", "")
    asked = [scope.name for scope in wanted_scopes(text)] if text.strip() else None
    granted = _approved(parts, asked)
    offline = _is_offline(request)
    return [
        _entry(
            Grantee(server, token.identity, token.session, tuple(nodes)),
            name,
            sorted({node.scope_name for node in nodes}),
            seconds=knobs.dependent_token_seconds,
            offline=offline,
        )
        for name, nodes in _by_server(granted).items()
    ]


def _approved(parts: QuerySet[Consent], asked: list[str] | None) -> list[Consent]:
    """The consents among ``parts`` that are asked for.

    :raises AuthFailure: ``dependent_consent_required`` (section 2.7)
    """
    consented = set(parts.values_list("scope_name", flat=True))
    if asked is None:
        return list(parts)
    if unapproved := sorted(set(asked) - consented):
        raise oauth_error(
            "dependent_consent_required",
            status=knobs.dependent_consent_status,
            errors=[{"unapproved_scopes": unapproved}],
        )
    return list(parts.filter(scope_name__in=asked))


def _by_server(nodes: list[Consent]) -> dict[str, list[Consent]]:
    found: dict[str, list[Consent]] = {}
    for node in nodes:
        found.setdefault(scopes.resource_server(node.scope_name), []).append(node)
    return found


def _is_offline(request: HttpRequest) -> bool:
    access_type = request.POST.get("access_type", "online")
    if access_type not in ("online", "offline"):
        raise oauth_error("invalid_request", "access_type is online or offline")
    return access_type == "offline"


def token_document(
    grantee: Grantee, wanted: list[Scope], *, offline: bool, nonce: str = ""
) -> dict[str, Any]:
    """One entry per resource server; Auth's, if there is one, around the others."""
    entries = [
        _entry(grantee, server, names, offline=offline)
        for server, names in scopes.by_resource_server(wanted).items()
    ]
    document = {**entries[0], "other_tokens": entries[1:]}
    granted = set(document["scope"].split())
    if "openid" in granted:
        id_token = id_tokens.make(
            client=grantee.client,
            identity=grantee.identity,
            session=grantee.session,
            granted=granted,
            access_token=document["access_token"],
            nonce=nonce,
        )
        if id_token:
            document["id_token"] = id_token
    return document


def _entry(
    grantee: Grantee,
    server: str,
    names: list[str],
    *,
    seconds: int | None = None,
    offline: bool = False,
) -> dict[str, Any]:
    """Make the tokens for one resource server.

    :param seconds: lifetime of the access token; None is the ordinary one
    """
    lifetime = knobs.access_token_seconds if seconds is None else seconds
    rights = Rights(
        client=grantee.client,
        identity=grantee.identity,
        session=grantee.session,
        resource_server=server,
        scope=" ".join(names),
        consents=tuple(node.pk for node in grantee.consents),
    )
    entry = {
        "access_token": tokens.new_access_token(rights, lifetime),
        "scope": rights.scope,
        "expires_in": lifetime,
        "token_type": "Bearer",
        "resource_server": server,
    }
    if offline:
        entry["refresh_token"] = tokens.new_refresh_token(rights)
    return entry
