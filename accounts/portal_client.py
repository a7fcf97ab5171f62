"""The portal, and service accounts, as clients of Globus Auth."""

import logging

import globus_sdk
from django.conf import settings

from accounts.models import ServiceAccount, ServiceAccountSecret
from accounts.secret import Secret
from accounts.vault import CannotOpen
from portal.globus.errors import CredentialRefused
from portal.globus.transport import PAGE, retry_config, shared_transport

logger = logging.getLogger(__name__)


def portal_auth_client() -> globus_sdk.ConfidentialAppAuthClient:
    return client_for(settings.GLOBUS_CLIENT_ID, Secret(settings.GLOBUS_CLIENT_SECRET))


def auth_client(account: ServiceAccount) -> globus_sdk.ConfidentialAppAuthClient:
    """:raises CredentialRefused: no secret was entered yet"""
    secret = account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    if secret is None:
        raise CredentialRefused(
            f"The service account “{account.name}” has no active secret. "
            "An administrator can enter one."
        )
    try:
        opened = secret.open()
    except CannotOpen as err:
        logger.critical("Secret %s does not open", secret.pk)
        raise CredentialRefused(
            f"The stored secret of the service account “{account.name}” cannot be "
            "opened. An administrator must enter it again."
        ) from err
    return client_for(str(account.client_id), opened)


def client_for(client_id: str, secret: Secret) -> globus_sdk.ConfidentialAppAuthClient:
    # A renewal holds a row lock, so it is never more patient than a page.
    return globus_sdk.ConfidentialAppAuthClient(
        client_id,
        secret.reveal(),
        transport=shared_transport("auth", PAGE),
        retry_config=retry_config(PAGE),
    )
