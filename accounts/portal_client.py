"""The portal, and service accounts, as clients of Globus Auth."""

import globus_sdk
from django.conf import settings

from accounts.models import ServiceAccount, ServiceAccountSecret
from portal.globus.errors import CredentialRefused
from portal.globus.transport import PAGE, retry_config, shared_transport


def portal_auth_client() -> globus_sdk.ConfidentialAppAuthClient:
    return _client(settings.GLOBUS_CLIENT_ID, settings.GLOBUS_CLIENT_SECRET)


def auth_client(account: ServiceAccount) -> globus_sdk.ConfidentialAppAuthClient:
    """:raises CredentialRefused: no secret was entered yet"""
    secret = account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    if secret is None:
        raise CredentialRefused(
            f"The service account “{account.name}” has no active secret. "
            "An administrator can enter one."
        )
    return _client(str(account.client_id), secret.open().reveal())


def _client(client_id: str, secret: str) -> globus_sdk.ConfidentialAppAuthClient:
    # A renewal holds a row lock, so it is never more patient than a page.
    return globus_sdk.ConfidentialAppAuthClient(
        client_id,
        secret,
        transport=shared_transport("auth", PAGE),
        retry_config=retry_config(PAGE),
    )
