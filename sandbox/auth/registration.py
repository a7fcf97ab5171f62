"""Clients that register themselves, as ``globus login`` does for each machine.

globus-services.md section 2.8; the documents are those of the SDK's fixtures.
"""

import secrets
import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from sandbox import clock
from sandbox.answers import json_answer, json_body
from sandbox.auth import clients
from sandbox.auth.errors import api_error, auth_view, forbidden, not_found
from sandbox.auth.identities import CLIENT_PROVIDER_ID, CLIENT_PROVIDER_NAME
from sandbox.auth.tokens import hashed
from sandbox.knobs import current as knobs
from sandbox.models import AuthorizationCode, Client, Consent, Identity, Token

LONGEST_NAME = 255


@auth_view("POST")
def register(request: HttpRequest) -> HttpResponse:
    """``POST /v2/api/clients``: an instance of a template, asked for by nobody.

    Clients of a project, which a developer makes, are not served.
    """
    wish = _wish(request)
    template = clients.find(_text(wish, "template_id"))
    if template is None or template.kind == Client.Kind.CONFIDENTIAL:
        raise forbidden("The template does not exist or may not be instantiated")
    name = _text(wish, "name")
    if not 0 < len(name) <= LONGEST_NAME:
        raise _invalid(f"name must have 1 to {LONGEST_NAME} characters")
    secret = secrets.token_urlsafe(32)
    client = create(name, template, secret)
    credential = {
        "id": str(uuid.uuid4()),
        "name": "Auto-created at client creation",
        "client": client.pk,
        "secret": secret,
        "created": clock.iso(clock.now()),
    }
    return json_answer(
        {"client": document(client), "included": {"client_credential": credential}},
        knobs.register_status,
    )


def _wish(request: HttpRequest) -> dict[str, Any]:
    try:
        wish = json_body(request).get("client")
    except ValueError as err:
        raise _invalid(str(err)) from err
    if not isinstance(wish, dict):
        raise _invalid("client must be an object")
    return wish


def _text(wish: dict[str, Any], name: str) -> str:
    value = wish.get(name)
    if not isinstance(value, str):
        raise _invalid(f"{name} must be a string")
    return value


def _invalid(detail: str) -> Exception:
    return api_error(400, "INVALID_PARAMETERS", "Bad Request", detail)


@transaction.atomic
def create(name: str, template: Client, secret: str) -> Client:
    """A confidential client with an identity of its own."""
    new_id = str(uuid.uuid4())
    Identity.objects.create(
        id=new_id,
        person=new_id,
        username=f"{new_id}@clients.auth.globus.org",
        name=name,
        provider=CLIENT_PROVIDER_ID,
        provider_name=CLIENT_PROVIDER_NAME,
        is_client=True,
    )
    return Client.objects.create(
        id=new_id,
        name=name,
        kind=Client.Kind.CONFIDENTIAL,
        secret_hash=hashed(secret),
        template_id=template.pk,
    )


@auth_view("DELETE")
def delete(request: HttpRequest, client_id: str) -> HttpResponse:
    """``DELETE /v2/api/clients/<id>``: a client that registered itself goes.

    Its consents and tokens go along.
    """
    caller = clients.confidential_client(request)
    client = clients.find(client_id)
    if client is None:
        raise not_found(f"No client {client_id}")
    if client.pk != caller.pk or not client.template_id:
        raise forbidden()
    answer = document(client)
    _delete(client)
    return json_answer({"client": answer})


@transaction.atomic
def _delete(client: Client) -> None:
    """The row stays, since tasks and timers name it."""
    Client.objects.filter(pk=client.pk).update(kind=Client.Kind.DELETED)
    for model in (Token, Consent, AuthorizationCode):
        model._default_manager.filter(client=client).delete()


def document(client: Client) -> dict[str, Any]:
    return {
        "id": client.pk,
        "name": client.name,
        "public_client": client.kind == Client.Kind.NATIVE,
        "client_type": "confidential_client",
        "parent_client": client.template_id or None,
        "project": None,
        "visibility": "private",
        "redirect_uris": client.redirect_uris,
        "scopes": [],
        "fqdns": [],
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "links": {"privacy_policy": None, "terms_and_conditions": None},
        "required_idp": None,
        "preselect_idp": None,
        "prompt_for_named_grant": False,
        "userinfo_from_effective_identity": True,
    }
