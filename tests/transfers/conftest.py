"""Transfer, played by ``responses`` for what the sandbox never says."""

from __future__ import annotations

import pytest
import responses

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


@pytest.fixture(autouse=True)
def time_enough(monkeypatch):
    """What a page gives up after a few seconds is looked at on a busy machine, too."""
    monkeypatch.setattr("transfers.jobs.form_looks.PREFLIGHT_SECONDS", 60)
    monkeypatch.setattr("transfers.looking.LOOKING_SECONDS", 60)
