"""Auth's other routes: discovery, keys, revocation, introspection, identities."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox import scopes
from sandbox.answers import bearer_token, json_answer
from sandbox.auth import consents, identities, keys, tokens
from sandbox.auth.clients import (
    basic_credentials,
    calling_client,
    confidential_client,
)
from sandbox.auth.errors import (
    api_error,
    auth_view,
    forbidden,
    not_found,
    unauthorized,
)
from sandbox.knobs import current as knobs
from sandbox.models import Client, Identity, Token
from sandbox.runtime import runtime
from sandbox.wire import UNEXPECTED


@auth_view("GET")
def discovery(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Discovery 1.0 section 4, with the keys that Globus has."""
    base = runtime.auth_url
    return json_answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/v2/oauth2/authorize",
            "token_endpoint": f"{base}/v2/oauth2/token",
            "userinfo_endpoint": f"{base}/v2/oauth2/userinfo",
            "revocation_endpoint": f"{base}/v2/oauth2/token/revoke",
            "jwks_uri": f"{base}/jwk.json",
            "response_types_supported": [
                "code",
                "token",
                "token id_token",
                "id_token",
            ],
            "id_token_signing_alg_values_supported": [keys.ALGORITHM],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "scopes_supported": ["openid", "email", "profile"],
            "claims_supported": [
                "at_hash",
                "aud",
                "email",
                "exp",
                "name",
                "nonce",
                "preferred_username",
                "iat",
                "iss",
                "sub",
            ],
        }
    )


@auth_view("GET")
def jwk(request: HttpRequest) -> HttpResponse:
    return json_answer(keys.jwks())


@auth_view("POST")
def revoke(request: HttpRequest) -> HttpResponse:
    """RFC 7009; an unknown token is as good as revoked.

    Globus answers ``{"active": false}``. The CLI calls this without a token, and
    with the id of its template client.
    """
    client = calling_client(request)
    token = tokens.find(request.POST.get("token", ""))
    if token is not None and _may_revoke(client, token):
        tokens.revoke(token)
    return json_answer({"active": False})


def _may_revoke(client: Client, token: Token) -> bool:
    return token.client_id == client.pk or client.kind == Client.Kind.TEMPLATE


@auth_view("POST")
def validate(request: HttpRequest) -> HttpResponse:
    """Undocumented; ``globus`` asks it whether its refresh token still lives."""
    client = confidential_client(request)
    token = tokens.find(request.POST.get("token", ""))
    is_active = token is not None and token.client_id == client.pk
    return json_answer({"active": is_active})


@auth_view("POST")
def introspect(request: HttpRequest) -> HttpResponse:
    """RFC 7662, for the client of the token or its resource server."""
    client = confidential_client(request)
    token = tokens.find(request.POST.get("token", ""))
    if token is None or not _may_introspect(client, token):
        return json_answer({"active": False})
    include = request.POST.get("include", "").split(",")
    return json_answer(_introspection(token, include))


def _may_introspect(client: Client, token: Token) -> bool:
    """Those in ``aud``: the client, and the resource server that the token is for."""
    if not knobs.introspect_only_audience:
        return True
    server = scopes.server_of(client.pk)
    return client.pk == token.client_id or server == token.resource_server


def _introspection(token: Token, include: list[str]) -> dict[str, Any]:
    identity = token.identity
    document: dict[str, Any] = {
        "active": True,
        "token_type": "Bearer",
        "scope": token.scope,
        "client_id": token.client_id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "exp": int(token.expires_at),
        "iat": int(token.issued_at),
        "nbf": int(token.issued_at),
        "sub": identity.pk,
        "aud": [token.resource_server, token.client_id],
        "iss": runtime.auth_url,
    }
    if "identity_set" in include:
        document["identity_set"] = [one.pk for one in identities.identity_set(identity)]
    if "session_info" in include:
        document["session_info"] = identities.session_info(token)
    return document


@auth_view("GET", "POST")
def userinfo(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Core section 5.3."""
    token = _auth_token(request)
    granted = set(token.scope.split())
    if "openid" not in granted:
        raise forbidden()
    return json_answer(identities.claims(token.identity, token.session, granted))


def _auth_token(request: HttpRequest) -> Token:
    token = tokens.find_access_token(bearer_token(request), scopes.AUTH)
    if token is None:
        raise unauthorized()
    return token


@auth_view("GET")
def identities_list(request: HttpRequest) -> HttpResponse:
    """Look up by ``ids`` or ``usernames``; the unknown are simply missing."""
    if basic_credentials(request) is not None:
        confidential_client(request)
    elif tokens.find(bearer_token(request)) is None:
        raise unauthorized()
    ids = _values(request.GET.get("ids", ""))
    usernames = _values(request.GET.get("usernames", ""))
    if bool(ids) == bool(usernames):
        raise api_error(
            400, "INVALID_PARAMETERS", "Bad Request", "Give either ids or usernames"
        )
    found = list(Identity.objects.filter(pk__in=ids)) + list(
        Identity.objects.filter(username__in=usernames)
    )
    if request.GET.get("provision", "").lower() == "true":
        missing = set(usernames) - {one.username for one in found}
        found += [one for name in sorted(missing) if (one := _provisioned(name))]
    return json_answer({"identities": [identities.document(one) for one in found]})


def _values(text: str) -> list[str]:
    return [value.strip() for value in text.split(",") if value.strip()]


def _provisioned(username: str) -> Identity | None:
    """An identity that nobody has used yet, when its domain is a known one."""
    neighbour = Identity.objects.filter(
        username__endswith=f"@{username.rpartition('@')[2]}", is_client=False
    ).first()
    if "@" not in username or neighbour is None:
        return None
    new_id = str(uuid.uuid4())
    return Identity.objects.create(
        id=new_id,
        person=new_id,
        username=username,
        provider=neighbour.provider,
        provider_name=neighbour.provider_name,
        status="unused",
    )


@auth_view("GET")
def consents_list(request: HttpRequest, identity_id: str) -> HttpResponse:
    """``all=False`` shows only what is rooted at the calling client."""
    token = _auth_token(request)
    owners = {one.pk: one for one in identities.identity_set(token.identity)}
    if identity_id not in owners:
        raise forbidden()
    wants_all = request.GET.get("all", "False").lower() == "true"
    if wants_all and scopes.VIEW_CONSENTS not in token.scope.split():
        raise forbidden(f"The scope {scopes.VIEW_CONSENTS} is needed")
    root = None if wants_all else token.client_id
    return json_answer({"consents": consents.documents(owners[identity_id], root)})


def unknown(request: HttpRequest) -> HttpResponse:
    request.META[UNEXPECTED] = True
    failure = not_found(f"No route {request.method} {request.path}")
    return json_answer(failure.document, failure.status)
