"""Twenty requests a second for each identity, by all processes together."""

from __future__ import annotations

import itertools

import pytest
import redis

from accounts.clients import transfer_client
from portal.globus import budget
from portal.globus.errors import RateLimited

RATE = 20
#: what the clocks show here; how long a request takes on its way changes nothing
NOW = 1_800_000_000


@pytest.fixture
def server(stack, settings):
    settings.GLOBUS_REQUESTS_PER_SECOND = RATE
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def sent(monkeypatch):
    """The moments at which requests go out; nobody waits for them."""
    found = []
    monkeypatch.setattr(budget, "time", _Clock(found))
    asks_the_time, shown = "redis.call('TIME')", f"{{{NOW}, 0}}"
    assert asks_the_time in budget._SCRIPT
    script = budget._SCRIPT.replace(asks_the_time, shown)
    monkeypatch.setattr(budget, "_SCRIPT", script)
    budget._redis.cache_clear()
    yield found
    budget._redis.cache_clear()


class _Clock:
    def __init__(self, found):
        self.found = found

    def monotonic(self):
        return NOW

    def sleep(self, seconds):
        self.found.append(NOW + seconds)


def ask(sent, count, identity="user:1", longest_seconds=3600):
    for _ in range(count):
        before = len(sent)
        budget.wait_for_turn(identity, longest_seconds=longest_seconds)
        if len(sent) == before:
            sent.append(NOW)


def most_in_a_second(moments):
    moments = sorted(moments)
    return max(
        sum(1 for each in moments[start:] if each < moments[start] + 0.999)
        for start in range(len(moments))
    )


def test_no_second_has_more_than_twenty(server, sent):
    ask(sent, 200)
    assert most_in_a_second(sent) <= RATE
    # Nor many less: nine tenths, evenly.
    assert max(sent) - min(sent) < 200 / (RATE * 0.85)


def test_each_identity_has_its_own(server, sent):
    ask(sent, 20, "user:1")
    before = len(sent)
    ask(sent, 1, "user:2")
    assert sent[before] == NOW


def test_a_wiped_redis_allows_a_handful_more(server, sent):
    ask(sent, 40)
    server.flushall()
    server.script_flush()
    more = []
    for _ in range(5):
        before = len(sent)
        ask(sent, 1)
        more.append(sent[before] - NOW)
    assert sum(each < 0.05 for each in more) <= RATE * budget.BURST_PART + 1


def test_who_cannot_wait_so_long_is_told(server, sent):
    ask(sent, 100)
    reserved = int(server.get("budget:user:1"))
    with pytest.raises(RateLimited) as caught:
        ask(sent, 1, longest_seconds=1)
    assert caught.value.retry_after >= 1
    # nothing was reserved for the one that went away
    assert int(server.get("budget:user:1")) == reserved
    ask(sent, 1)
    assert int(server.get("budget:user:1")) > reserved


def test_without_redis_a_process_keeps_to_a_quarter(server, sent, monkeypatch):
    def broken(process):
        raise redis.ConnectionError

    broken.cache_clear = budget._redis.cache_clear
    monkeypatch.setattr(budget, "_redis", broken)
    ask(sent, 20, "user:3")
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(sent))]
    assert min(gaps) > 0.15
    with pytest.raises(RateLimited):
        ask(sent, 1, "user:3", longest_seconds=1)


def test_a_clock_that_was_put_back_blocks_nobody(server, sent):
    server.set("budget:user:4", (NOW + 86_400) * 1_000_000)
    ask(sent, 1, "user:4", longest_seconds=1)


def test_the_clients_of_a_principal_are_counted(
    server, sent, service_account, monkeypatch
):
    counted, reserve = [], budget._reserve

    def listening(identity, *limits):
        counted.append(identity)
        return reserve(identity, *limits)

    monkeypatch.setattr(budget, "_reserve", listening)
    for _ in range(8):  # a client of its own each, as pages and runs have
        transfer_client(service_account).get_submission_id()
    assert counted == [service_account.owner_key] * 8
