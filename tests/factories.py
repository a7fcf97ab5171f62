"""Rows with good defaults; what a test is about stands in the test."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from accounts.models import Principal, ServiceAccount, Token, User, owner_fields
from accounts.service_accounts import replace_secret
from portal.globus import scopes
from sandbox import seed


def make_user(**fields: Any) -> User:
    identity_id = fields.pop("identity_id", uuid.uuid4())
    return User.objects.create(
        identity_id=identity_id,
        username=str(identity_id),
        **{"name": "Emmy Noether", "preferred_username": "emmy@uni.example"} | fields,
    )


def make_service_account(
    *, secret: str = seed.HARVEST_CLIENT_SECRET, **fields: Any
) -> ServiceAccount:
    account = ServiceAccount.objects.create(
        **{
            "name": f"archive robot {uuid.uuid4().hex[:6]}",
            "client_id": seed.HARVEST_CLIENT_ID,
            "owner": fields.pop("owner", None) or make_user(),
        }
        | fields
    )
    replace_secret(account, secret, by=None)
    return account


def make_token(
    principal: Principal, *, lasts: timedelta = timedelta(hours=1), **fields: Any
) -> Token:
    token = Token(
        **owner_fields(principal),
        resource_server=fields.pop("resource_server", scopes.TRANSFER),
    )
    token.put(
        access_token=fields.pop("access_token", "AgAccess"),
        refresh_token=fields.pop("refresh_token", "AgRefresh"),
        scope="urn:globus:auth:scope:transfer.api.globus.org:all",
        expires_in=lasts,
    )
    for name, value in fields.items():
        setattr(token, name, value)
    token.save()
    return token
