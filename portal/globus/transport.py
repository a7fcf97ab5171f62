"""One pool of connections per process, service and degree of patience.

Building a TLS context from the certificate bundle costs about 40 ms of CPU and a new
connection two or three round trips, whereas an SDK client on a given transport costs
18 µs (``make bench ONLY=listing``). So every SDK client gets its transport from here,
and the authorizer, which belongs to one principal, adds the header for each request.
"""

import os
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from globus_sdk import config
from globus_sdk.exc import convert_request_exception
from globus_sdk.transport import (
    RequestsTransport,
    RetryCheckResult,
    RetryConfig,
    RetryContext,
)
from requests import ReadTimeout, Response
from requests.utils import get_environ_proxies

from portal.globus.representation import be_patient
from portal.globus.time_limit import InTimeAdapter, time_is_over, time_limit

#: connections kept per host; more threads than this wait for one
POOL_SIZE = 64


@dataclass(frozen=True)
class Patience:
    """How long to wait for Globus, and how often to try again.

    :ivar timeout_seconds: for connecting, and between two bytes of an answer
    :ivar total_seconds: for all tries of a request, its turns and pauses included
    :ivar longest_wait_seconds: for the turn of its identity (``budget``)
    """

    timeout_seconds: float
    total_seconds: float
    retries: int
    longest_sleep_seconds: float
    longest_wait_seconds: float


#: someone is looking at a browser: 10 s in all at the worst (security.md R05)
PAGE = Patience(
    timeout_seconds=4.5,
    total_seconds=9.5,
    retries=1,
    longest_sleep_seconds=1,
    longest_wait_seconds=2,
)
#: someone is looking, and what is sent must not arrive twice: the SDK would repeat a
#: request whose answer was lost
ONCE = Patience(
    timeout_seconds=9,
    total_seconds=9.5,
    retries=0,
    longest_sleep_seconds=0,
    longest_wait_seconds=2,
)
#: one of several looks that one page takes: a page of them waits 10 s in all, too
GLANCE = Patience(
    timeout_seconds=4,
    total_seconds=4.5,
    retries=0,
    longest_sleep_seconds=0,
    longest_wait_seconds=1,
)
#: a worker, within the deadline of its run, and before what it claimed runs out
WORKER = Patience(
    timeout_seconds=20,
    total_seconds=110,
    retries=3,
    longest_sleep_seconds=10,
    longest_wait_seconds=30,
)


class TimedTransport(RequestsTransport):
    """Ends each request in time, however many tries it is and however they drip.

    :ivar total_seconds: how long one may take
    """

    def __init__(self, patience: Patience) -> None:
        super().__init__(http_timeout=patience.timeout_seconds)
        self.total_seconds = patience.total_seconds

    def request(self, *args: Any, **kwargs: Any) -> Response:
        with time_limit(self.total_seconds) as limit:
            response = super().request(*args, **kwargs)
        if limit.is_over:
            # What came of a body reads like a whole one where its length is not said.
            raise convert_request_exception(ReadTimeout())
        return response


_lock = threading.Lock()
_transports: dict[tuple[int, str, Patience], TimedTransport] = {}


def shared_transport(service: str, patience: Patience) -> TimedTransport:
    """The transport of this process for a service; never close it.

    Keyed by process id, since a connection must not be used on both sides of a fork.
    """
    key = (os.getpid(), service, patience)
    transport = _transports.get(key)
    if transport is None:
        with _lock:
            transport = _transports.get(key)
            if transport is None:
                transport = _transports[key] = _new_transport(service, patience)
    return transport


def retry_config(patience: Patience) -> RetryConfig:
    """A token that Globus refuses is renewed and the request sent again, also where
    nothing else is tried twice: what a 401 answers has not been done.
    """
    config = RetryConfig(
        max_retries=patience.retries or 1, max_sleep=patience.longest_sleep_seconds
    )
    if not patience.retries:
        config.checks.register_check(_only_a_refused_token)
    config.checks.register_check(_only_in_time)
    return config


def _only_in_time(ctx: RetryContext) -> RetryCheckResult:
    over = time_is_over()
    return RetryCheckResult.do_not_retry if over else RetryCheckResult.no_decision


def _only_a_refused_token(ctx: RetryContext) -> RetryCheckResult:
    """Stands before the SDK's own checks, of which it leaves one."""
    if ctx.response is not None and ctx.response.status_code == HTTPStatus.UNAUTHORIZED:
        return RetryCheckResult.no_decision
    return RetryCheckResult.do_not_retry


def _new_transport(service: str, patience: Patience) -> TimedTransport:
    transport = TimedTransport(patience)
    transport.user_agent = "Causeway"
    be_patient(transport)
    session = transport.session
    adapter = InTimeAdapter(pool_connections=4, pool_maxsize=POOL_SIZE, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # The proxy of a service is looked up once; per request it costs 0.4 ms.
    session.proxies = get_environ_proxies(config.get_service_url(service))
    session.trust_env = False
    # Cookies of one person's answer must not go out with another's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return transport
