"""Fixtures for every test; ``tests.stack`` says what runs below them."""

from __future__ import annotations

import base64
import json
import os
import socket

import hypothesis
import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.guarded import LeftTheMachine, check
from tests.stack import Stack

STACK = pytest.StashKey[Stack]()

# A busy machine must not decide a test: no deadline, and no check for slow examples.
# Nor must chance: the examples are the same each time, unless somebody looks for new
# ones by night.
hypothesis.settings.register_profile(
    "causeway",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
hypothesis.settings.load_profile("causeway")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers before Django reads its settings."""
    if config.getoption("tx", None) and not hasattr(config, "workerinput"):
        return  # only hands out work (pytest -n); each of its workers has a stack
    stack = config.stash[STACK] = Stack()
    stack.start()
    # Reads them; pytest-django then sets Django up.
    assert settings.DATABASES


def pytest_unconfigure(config: pytest.Config) -> None:
    stack = config.stash.get(STACK, None)
    if stack is not None:
        stack.stop()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Lets tests with transactions empty the audit, which the database refuses."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("accounts_auditevent", "accounts_auditseal"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_truncate")


@pytest.fixture(scope="session")
def stack(pytestconfig):
    return pytestconfig.stash[STACK]


@pytest.fixture(autouse=True)
def no_egress(monkeypatch):
    """Check 68: nothing in this process connects to another machine.

    ``tests.guarded`` says so to the programs that tests start.
    """
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            check(address[0])
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    return LeftTheMachine


@pytest.fixture
def sandbox(stack):
    """The stand-in of Globus, as seeded, with every knob off."""
    stack.sandbox.reset()
    return stack.sandbox


@pytest.fixture
def visit(client, sandbox):
    """``visit("ada")``: a browser in which she has signed in over the sandbox."""
    from tests.flows import sign_in

    def as_person(username, **options):
        browser = client.__class__()
        answer = sign_in(browser, sandbox, username, **options)
        assert answer.status_code == 302, answer.content.decode()
        return browser

    return as_person


@pytest.fixture
def ada(db, visit):
    """The researcher, signed in once; her tokens are in the vault."""
    from tests.flows import person

    visit("ada")
    return person("ada")


@pytest.fixture
def service_account(db, sandbox):
    from tests.factories import make_service_account

    return make_service_account(for_all_staff=True)


@pytest.fixture
def messages(transactional_db):
    """``messages()``: what lies in the queue, as ``(worker function, *arguments)``.

    The queue is Redis's own; it is empty when the test begins.
    """
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()

    def read():
        return [_message(raw) for raw in reversed(client.lrange("celery", 0, -1))]

    yield read
    client.flushdb()
    client.close()


def _message(raw):
    envelope = json.loads(raw)
    arguments, _, _ = json.loads(base64.b64decode(envelope["body"]))
    return (envelope["headers"]["task"].rpartition(".")[2], *arguments)


@pytest.fixture
def nothing_kept():
    """No document of a provider is remembered from another test, or for the next."""
    from accounts import metadata

    metadata.forget()
    yield
    metadata.forget()


@pytest.fixture
def fake(settings, nothing_kept):
    """The portal signs people in at a provider that signs what it is told to."""
    import responses

    from tests.fake_provider import URL, FakeProvider

    settings.GLOBUS_AUTH_URL = URL
    settings.SOCIAL_AUTH_GLOBUS_OIDC_ENDPOINT = URL
    settings.SOCIAL_AUTH_GLOBUS_ID_TOKEN_ISSUER = URL
    settings.GROUP_USERS = settings.GROUP_STAFF = settings.GROUP_ADMINS = None
    provider = FakeProvider()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        provider.serve(mock)
        yield provider


@pytest.fixture
def browser():
    from django.test import Client

    return Client()
