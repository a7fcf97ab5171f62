"""Transfer, played by ``responses`` for what the sandbox never says."""

from __future__ import annotations

import base64
import json

import pytest
import redis
import responses
from django.conf import settings

from tests.transfers.played import PlayedTransfer


@pytest.fixture
def globus(stack, no_pauses):
    """A Transfer that answers what a test registers, and fails on anything else."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield PlayedTransfer(mock, stack.environment["GLOBUS_SDK_SERVICE_URL_TRANSFER"])


@pytest.fixture
def no_pauses(monkeypatch):
    """The SDK does not wait between two tries."""
    monkeypatch.setattr("globus_sdk.transport.requests.time.sleep", lambda _: None)


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
