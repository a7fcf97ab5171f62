"""Answers of Auth's token endpoint that are none, wherever tokens are asked for."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import responses
from django.conf import settings

from accounts import credential_check, tokens
from accounts.models import Token
from portal.globus import scopes
from portal.globus.errors import UnexpectedAnswer
from tests.factories import make_service_account, make_token, make_user

pytestmark = pytest.mark.django_db(transaction=True)


MAKE_NO_SENSE = {
    "a page of a proxy": "<html>Please sign in to the network</html>",
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "no lifetime": {"expires_in": None},
    "a lifetime in words": {"expires_in": "soon"},
    "a lifetime without end": {"expires_in": 10**20},
    "a number for a token": {"access_token": 5},
    "a token that cannot be sent": {"access_token": "Ag\0Access"},
    "a number for scopes": {"scope": 7},
    "scopes that cannot be kept": {"scope": "x\0"},
    "words for other tokens": {"other_tokens": "none"},
    "no other tokens": {"other_tokens": None},
}


def answer_of(what):
    whole = {
        "access_token": "AgNew",
        "resource_server": scopes.TRANSFER,
        "scope": "urn:globus:auth:scope:transfer.api.globus.org:all",
        "token_type": "Bearer",
        "expires_in": 100,
        "other_tokens": [],
    }
    if isinstance(what, str):
        return what
    return json.dumps(whole | what)


def auth_answers(wire, what):
    wire.post(
        f"{settings.GLOBUS_AUTH_URL}/v2/oauth2/token",
        body=answer_of(what),
        content_type="application/json",
    )


@pytest.mark.parametrize("what", MAKE_NO_SENSE.values(), ids=MAKE_NO_SENSE)
def test_t10_an_answer_that_makes_no_sense_keeps_the_token_and_tries_later(what):
    """The network's own page in Auth's place is an outage, and no bare 500."""
    user = make_user()
    make_token(user, lasts=timedelta(seconds=-1), refresh_token="AgKept")
    with responses.RequestsMock() as wire:
        auth_answers(wire, what)
        with pytest.raises(UnexpectedAnswer):
            tokens.access_token(user, scopes.TRANSFER)
    row = Token.objects.get()
    assert row.state == Token.State.BACKING_OFF
    assert row.refresh_token().reveal() == "AgKept"


@pytest.mark.parametrize("what", MAKE_NO_SENSE.values(), ids=MAKE_NO_SENSE)
def test_t10_such_an_answer_ahead_of_time_bothers_nobody(what):
    user = make_user()
    make_token(user, lasts=timedelta(minutes=3), access_token="AgStill")
    with responses.RequestsMock() as wire:
        auth_answers(wire, what)
        assert tokens.access_token(user, scopes.TRANSFER).secret.reveal() == "AgStill"
    assert Token.objects.get().state == Token.State.BACKING_OFF


@pytest.mark.parametrize("what", MAKE_NO_SENSE.values(), ids=MAKE_NO_SENSE)
def test_testing_a_secret_takes_such_an_answer_for_no_answer(what):
    row = make_service_account().secrets.select_related("service_account").get()
    with responses.RequestsMock() as wire:
        auth_answers(wire, what)
        found = credential_check.check(row)
    # Of the answer a test needs the token alone.
    fine = isinstance(what, dict) and not {"access_token", "other_tokens"} & {*what}
    assert found.verdict in ("no-network", *(["fine"] if fine else []))
