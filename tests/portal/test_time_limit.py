"""No answer holds a request for longer than its patience, however it drips (R05)."""

from __future__ import annotations

import socket
import subprocess
import sys

import globus_sdk
import pytest

from portal.globus import time_limit as module
from portal.globus.time_limit import time_limit
from portal.globus.transport import (
    GLANCE,
    ONCE,
    PAGE,
    WORKER,
    Patience,
    retry_config,
    shared_transport,
)
from sandbox import seed
from sandbox.testing import REPOSITORY
from tests.far_server import HEAD, answers, drips, far_server
from transfers.claims import CLAIM_LASTS
from transfers.templatetags.places import files_url

LS = "/endpoint/*/ls"
#: each read may take longer than the whole
SHORT = Patience(
    timeout_seconds=30,
    total_seconds=0.5,
    retries=3,
    longest_sleep_seconds=0.01,
    longest_wait_seconds=1,
)


def asks(far):
    client = globus_sdk.TransferClient(
        authorizer=globus_sdk.AccessTokenAuthorizer("token"),
        transport=shared_transport("transfer", SHORT),
        retry_config=retry_config(SHORT),
    )
    client.base_url = far.url
    return client


@pytest.mark.parametrize(
    "start",
    [
        HEAD,
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Drip: ",
        b"",
    ],
    ids=["body", "body without a length", "header", "status line"],
)
def test_r05_what_drips_is_cut_off_and_not_asked_again(start):
    with far_server(drips(start=start)) as far:
        with pytest.raises(globus_sdk.NetworkError):
            asks(far).get("/slow")
        assert far.was_cut.wait(60), "the connection is closed as well"
        assert len(far.seen) == 1


def test_an_answer_in_time_is_an_answer():
    with far_server(answers(body=b'{"is": "whole"}')) as far:
        assert asks(far).get("/quick")["is"] == "whole"


@pytest.mark.django_db
def test_r05_a_page_says_that_globus_drips_also_over_a_kept_connection(
    visit, sandbox, monkeypatch
):
    as_ada = visit("ada")
    assert as_ada.get(files_url(seed.LAPTOP, "/Documents/")).status_code == 200
    transport = shared_transport("transfer", PAGE)
    monkeypatch.setattr(transport, "total_seconds", 0.5)
    made = connections_of(transport)
    sandbox.forget_requests()
    sandbox.fault(LS, drip_seconds=0.05)
    page = as_ada.get(files_url(seed.LAPTOP, "/"))
    assert "Globus cannot be reached right now" in page.content.decode()
    assert len(sandbox.requests(LS)) == 1
    assert connections_of(transport) == made > 0


def connections_of(transport):
    pools = transport.session.get_adapter("http://").poolmanager.pools
    hosts = pools.keys()
    return sum(pools[host].num_connections for host in hosts)


def test_r05_how_long_is_waited():
    assert max(each.total_seconds for each in (PAGE, ONCE, GLANCE)) < 10
    assert WORKER.total_seconds < CLAIM_LASTS.total_seconds()


def test_a_limit_within_another_ends_no_later():
    with time_limit(1) as outer, time_limit(60) as inner:
        assert inner.ends_at == outer.ends_at
        with time_limit(0.5) as shortest:
            assert shortest.ends_at < outer.ends_at


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    theirs.settimeout(30)
    with ours, theirs:
        yield ours, theirs


def test_what_was_lifted_is_not_cut(pair):
    ours, theirs = pair
    with time_limit(60) as limit:
        limit.watch(ours)
    limit.cut()
    limit.watch(ours)
    assert not limit.is_over
    ours.sendall(b"still here")
    assert theirs.recv(100) == b"still here"


def test_what_comes_after_the_end_is_cut_at_once(pair):
    ours, theirs = pair
    with time_limit(60) as limit:
        limit.cut()
        limit.watch(ours)
        assert theirs.recv(1) == b""


def test_the_next_end_counts_and_not_the_first_that_was_set(pair):
    ours, theirs = pair
    with time_limit(60), time_limit(0.05) as limit:
        limit.watch(ours)
        assert theirs.recv(1) == b""
        assert limit.is_over


#: In a process of its own: a child of this one would tidy up the connections of both.
FORKS = """
import multiprocessing, socket, sys
from portal.globus.time_limit import time_limit

def is_cut():
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    with time_limit(0.05) as limit:
        limit.watch(ours)
        assert theirs.recv(1) == b""

is_cut()
child = multiprocessing.get_context("fork").Process(target=is_cut)
child.start()
child.join(60)
sys.exit(child.exitcode)
"""


def test_a_process_that_was_forked_has_its_own():
    done = subprocess.run([sys.executable, "-c", FORKS], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


def test_one_thread_keeps_all_limits():
    with time_limit(60), time_limit(60), time_limit(60):
        names = [each.name for each in module.threading.enumerate()]
    assert names.count("time-limits") == 1
