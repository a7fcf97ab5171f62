"""Fixtures for the tests of sign-in."""

from __future__ import annotations

import pytest
import responses
from django.test import Client

from accounts import metadata
from tests.accounts.fake_provider import URL, FakeProvider


@pytest.fixture
def browser():
    return Client()


@pytest.fixture
def nothing_kept():
    """No document of a provider is remembered from another test, or for the next."""
    metadata.forget()
    yield
    metadata.forget()


@pytest.fixture
def fake(settings, nothing_kept):
    """The portal signs people in at a provider that signs what it is told to."""
    settings.GLOBUS_AUTH_URL = URL
    settings.SOCIAL_AUTH_GLOBUS_OIDC_ENDPOINT = URL
    settings.SOCIAL_AUTH_GLOBUS_ID_TOKEN_ISSUER = URL
    settings.GROUP_USERS = settings.GROUP_STAFF = settings.GROUP_ADMINS = None
    provider = FakeProvider()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        provider.serve(mock)
        yield provider
