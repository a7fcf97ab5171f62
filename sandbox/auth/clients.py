"""Which client is calling the token endpoint and its neighbours."""

import base64
import binascii
import hmac
from urllib.parse import unquote

from django.http import HttpRequest

from sandbox.auth.errors import AuthFailure, oauth_error
from sandbox.auth.tokens import hashed
from sandbox.knobs import current as knobs
from sandbox.models import Client


def _refused() -> AuthFailure:
    return oauth_error("invalid_client", status=knobs.invalid_client_status)


def basic_credentials(request: HttpRequest) -> tuple[str, str] | None:
    """Id and secret of the Authorization header (RFC 6749 section 2.3.1)."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, secret = text.partition(":")
    return unquote(client_id), unquote(secret)


def confidential_client(request: HttpRequest) -> Client:
    """The client that proves itself with its secret.

    :raises AuthFailure: ``invalid_client``
    """
    credentials = basic_credentials(request)
    if credentials is None and knobs.accept_client_secret_post:
        credentials = (
            request.POST.get("client_id", ""),
            request.POST.get("client_secret", ""),
        )
    if credentials is None:
        raise _refused()
    client = Client.objects.filter(
        id=credentials[0], kind=Client.Kind.CONFIDENTIAL
    ).first()
    if client is None or not _is_secret_of(client, credentials[1]):
        raise _refused()
    return client


def _is_secret_of(client: Client, secret: str) -> bool:
    return hmac.compare_digest(client.secret_hash, hashed(secret))


def calling_client(request: HttpRequest) -> Client:
    """A confidential client with its secret, or a native one by its id alone.

    :raises AuthFailure: ``invalid_client``
    """
    has_secret = (
        basic_credentials(request) is not None or "client_secret" in request.POST
    )
    if has_secret:
        return confidential_client(request)
    client = find(request.POST.get("client_id", ""))
    if client is None or client.kind == Client.Kind.CONFIDENTIAL:
        raise _refused()
    return client


def find(client_id: str) -> Client | None:
    """The client with this id, unless it was deleted."""
    living = Client.objects.exclude(kind=Client.Kind.DELETED)
    return living.filter(id=client_id).first()
