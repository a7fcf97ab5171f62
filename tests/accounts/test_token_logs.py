"""T12, T13: what the SDK answers is neither trusted nor printed."""

from __future__ import annotations

import ast
import io
import logging
from datetime import timedelta
from pathlib import Path

import pytest
import responses
from django.conf import settings

from accounts import clients, revocation, tasks, tokens
from accounts.models import Revocation, Token
from accounts.service_accounts import replace_secret
from portal.globus import scopes
from portal.globus.errors import GlobusFailure, SignInRequired
from portal.logs import NoSecrets
from sandbox import seed
from tests.accounts.test_tokens import TOKEN_ROUTE, expire
from tests.factories import make_token, make_user
from tests.flows import person

OURS = ("accounts", "portal", "transfers")
#: the loggers that settings.LOGGING keeps at INFO; here they may say everything
TALKATIVE = ("", "globus_sdk", "urllib3", "requests", "social", "django", "celery")


def our_modules():
    root = Path(settings.BASE_DIR)
    for app in OURS:
        for path in (root / app).rglob("*.py"):
            yield path, ast.parse(path.read_text())


def test_t12_nothing_verifies_an_id_token_with_the_sdk():
    used = [
        f"{path.name}:{node.lineno}"
        for path, tree in our_modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("decode_id_token", "get_jwk", "id_token_decoder")
    ]
    assert used == []


#: what the SDK's token answers are called in this code base, and how they are made
ANSWERS = {
    "oauth2_refresh_token",
    "oauth2_client_credentials_tokens",
    "oauth2_exchange_code_for_tokens",
    "oauth2_get_dependent_tokens",
    "oauth2_token",
}


def test_t13_token_answers_are_made_in_one_module_only():
    """So that the tests below see all of them."""
    callers = {
        path.name
        for path, tree in our_modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ANSWERS
    }
    assert callers <= {"tokens.py", "credential_check.py"}


@pytest.mark.parametrize("module", ["tokens.py", "credential_check.py"])
def test_t13_no_token_answer_is_printed_or_logged(module):
    """Nothing but text and ids is put into a text."""
    path = Path(settings.BASE_DIR) / "accounts" / module
    named = {"answer", "entry", "body"}
    for node in ast.walk(ast.parse(path.read_text())):
        parts = []
        if isinstance(node, ast.JoinedStr):
            parts = [each.value for each in node.values if hasattr(each, "value")]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger"):
            parts = node.args
        printed = {each.id for each in parts if isinstance(each, ast.Name)}
        assert not printed & named, ast.unparse(node)


@pytest.fixture
def everything_logged(monkeypatch):
    """``everything_logged()``: all that was logged, at DEBUG, as it is written out."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(NoSecrets())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    levels = {name: logging.getLogger(name).level for name in TALKATIVE}
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield written.getvalue
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def secrets_of(principal):
    for row in Token.objects.held_for(principal).exclude(state=Token.State.REVOKED):
        yield row.access_token().reveal()
        if row.sealed_refresh_token:
            yield row.refresh_token().reveal()


@pytest.mark.django_db(transaction=True)
def test_t13_no_token_is_logged_on_any_way_through(
    sandbox, visit, service_account, everything_logged
):
    visit("ada")
    ada = person("ada")
    canaries = {settings.GLOBUS_CLIENT_SECRET, seed.HARVEST_CLIENT_SECRET}
    canaries |= {*secrets_of(ada)}
    # renewed, renewed after a 401, put off, died, revoked in vain, revoked
    sandbox.set(rotate_refresh_tokens=True)
    expire(ada)
    tokens.access_token(ada, scopes.TRANSFER)
    canaries |= {*secrets_of(ada)}
    sandbox.wipe_tokens(kind="access")
    clients.transfer_client(ada).task_list()
    tokens.access_token(service_account, scopes.TRANSFER)
    canaries |= {*secrets_of(ada), *secrets_of(service_account)}
    expire(ada)
    sandbox.fault(TOKEN_ROUTE, status=503, retry_after=0)
    with pytest.raises(GlobusFailure) as caught:
        tokens.access_token(ada, scopes.TRANSFER)
    logging.getLogger("portal").error("with its traceback", exc_info=caught.value)
    sandbox.clear_faults()
    sandbox.wipe_tokens(kind="refresh")
    Token.objects.update(next_try_at=None)
    with pytest.raises(SignInRequired) as caught:
        tokens.access_token(ada, scopes.TRANSFER)
    logging.getLogger("portal").error("with its traceback", exc_info=caught.value)
    replace_secret(service_account, "a-wrong-secret-canary", by=None)
    canaries.add("a-wrong-secret-canary")
    with pytest.raises(GlobusFailure) as caught:
        tokens.access_token(service_account, scopes.TRANSFER)
    logging.getLogger("portal").error("with its traceback", exc_info=caught.value)
    sandbox.fault("/token/revoke", status=500, retry_after=0)
    revocation.revoke_all(ada, by=ada)
    for row in Revocation.objects.all():
        tasks.revoke_token(str(row.pk))
    sandbox.clear_faults()
    for row in Revocation.objects.all():
        tasks.revoke_token(str(row.pk))

    said = everything_logged()

    assert "POST to /v2/oauth2/token" in said, "the SDK was heard at DEBUG"
    assert [canary for canary in canaries if canary in said] == []
    # Nor a part of one that the filter left over.
    assert [canary for canary in canaries if canary[-20:] in said] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_t13_an_answer_that_makes_no_sense_is_not_logged(status, everything_logged):
    """Tokens in an error's body, or for somebody else: its traceback names none."""
    user = make_user()
    make_token(user, lasts=timedelta(seconds=-1), refresh_token="AgKept")
    canary = "Ag" + "c4n4ry" * 8
    body = {
        "access_token": canary,
        "refresh_token": canary,
        "expires_in": 10,
        "token_type": "Bearer",
        "scope": "x",
        "resource_server": "elsewhere",
        "other_tokens": [],
        "message": f"for {canary}",
        "error": f"made up {canary}",
    }
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        wire.post(
            f"{settings.GLOBUS_AUTH_URL}/v2/oauth2/token", json=body, status=status
        )
        with pytest.raises(GlobusFailure) as caught:
            tokens.access_token(user, scopes.TRANSFER)
    logging.getLogger("portal").error("with its traceback", exc_info=caught.value)

    assert "with its traceback" in everything_logged()
    assert canary not in everything_logged()
    row = Token.objects.get(user=user)
    assert canary not in row.last_error
