"""G01, G02: whole flows at DEBUG, and then a search for all that opens something."""

from __future__ import annotations

import base64
import logging
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from accounts import revocation, tokens
from accounts.models import ServiceAccountSecret, Session, Token
from portal.globus import scopes
from portal.globus.errors import GlobusFailure
from portal.logs import CleanRecord
from sandbox import seed
from tests.factories import make_job, make_service_account
from tests.flows import begin, come_back, person
from transfers.jobs import runs

#: what production keeps at INFO, and what has most to say
LOGGERS = ("", "globus_sdk", "urllib3", "requests", "social", "django", "celery")

pytestmark = pytest.mark.django_db(transaction=True)


class Kept(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append(logging.Formatter().format(record))
        self.lines.append(repr(record.__dict__))


@pytest.fixture
def listening():
    """Everything at DEBUG; ``listening(factory)`` gives what is written then."""
    before = logging.getLogRecordFactory()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    handler = Kept()

    def listen(factory):
        logging.setLogRecordFactory(factory)
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        # In front: handlers of ours clean what they are given for all that follow.
        logging.getLogger().handlers.insert(0, handler)
        return handler

    yield listen
    logging.getLogger().removeHandler(handler)
    logging.setLogRecordFactory(before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def play(sandbox):
    """Sign-in, renewal, failures, a job, a revocation; what was planted on the way."""
    planted = set()
    browser = Client()

    def callback(address):
        query = parse_qs(urlsplit(address).query)
        planted.update(query.get("code", []) + query.get("state", []))
        planted.update(query.get("code_challenge", []) + query.get("nonce", []))

    # A callback that fails at each step, then one that succeeds.
    for way in ("nonce", "aud", "expired"):
        asked = begin(browser)
        callback(asked)
        sandbox.forge_id_token(way)
        location = sandbox.approve(asked, "ada")
        callback(location)
        assert come_back(browser, location).status_code >= 400
        sandbox.forge_id_token("")
    asked = begin(browser)
    callback(asked)
    location = sandbox.approve(asked, "ada")
    callback(location)
    assert come_back(browser, location).status_code == 302
    assert come_back(browser, location).status_code >= 400, "a replay"
    log_crash(browser, "/complete/globus/?code=PlantedCodeInACrash&state=PlantedState")
    planted |= {"PlantedCodeInACrash", "PlantedState"}

    ada = person("ada")
    planted |= opened()
    row = Token.objects.get(user=ada, resource_server=scopes.TRANSFER)
    tokens.access_token(ada, scopes.TRANSFER, refused=row.generation)
    planted |= opened()
    assert browser.get("/collections/?q=tutorial").status_code == 200
    assert browser.get("/groups/").status_code == 200

    # A renewal that fails: the refresh token is dead.
    sandbox.wipe_tokens()
    row.refresh_from_db()
    with pytest.raises(GlobusFailure):
        tokens.access_token(ada, scopes.TRANSFER, refused=row.generation)

    account = make_service_account()
    job = make_job(account)
    runs.execute(runs.run_now(job, by=ada).pk)
    planted |= opened()
    bad = make_service_account(
        secret="PlantedSecretThatIsRefused", client_id=seed.ARCHIVE_CLIENT_ID
    )
    runs.execute(runs.run_now(make_job(bad), by=ada).pk)

    revocation.revoke_all(ada, by=ada)
    planted |= {secret.open().reveal() for secret in ServiceAccountSecret.objects.all()}
    planted |= set(Session.objects.values_list("session_key", flat=True))
    planted |= (
        {browser.cookies["csrftoken"].value}
        if "csrftoken" in browser.cookies
        else set()
    )
    planted |= {settings.GLOBUS_CLIENT_SECRET, settings.SECRET_KEY}
    return {each for each in planted if len(each) >= 8}


def log_crash(browser, address):
    """What an unforeseen error in a view leaves behind."""
    request = browser.get(address).wsgi_request
    try:
        code = request.GET["code"]
        raise RuntimeError(f"unforeseen: {request.get_full_path()} code={code}")
    except RuntimeError:
        logging.getLogger("django.request").exception(
            "Internal Server Error: %s", request.get_full_path(), extra={"path": "/"}
        )


def opened():
    return {
        secret.reveal()
        for token in Token.objects.all()
        for secret in (
            token.access_token() if token.sealed_access_token else None,
            token.refresh_token(),
        )
        if secret
    }


def spellings(secret):
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def leaks(handler, planted):
    text = "\n".join(handler.lines)
    return sorted(
        secret
        for secret in planted
        if any(spelling in text for spelling in spellings(secret))
    )


def test_g01_g02_no_line_of_whole_flows_holds_what_opens_something(listening, sandbox):
    handler = listening(CleanRecord)
    planted = play(sandbox)
    assert len(planted) > 20
    assert len(handler.lines) > 100
    assert leaks(handler, planted) == []


def test_the_search_finds_something_where_nothing_is_cleaned(listening, sandbox):
    """Or the test above would prove nothing."""
    handler = listening(logging.LogRecord)
    planted = play(sandbox)
    assert len(leaks(handler, planted)) >= 5
