"""T08–T10: one renewal per expiry, and what a failure leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
import responses
from django.db import connection, transaction
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts import clients, tokens
from accounts.models import ServiceAccountSecret, StaleToken, Token
from accounts.service_accounts import replace_secret
from portal.globus import scopes
from portal.globus.errors import (
    AccountDisabled,
    CredentialRefused,
    GlobusUnreachable,
    PortalError,
    SignInRequired,
    UnexpectedAnswer,
    globus_errors,
)
from portal.globus.transport import GLANCE, ONCE, PAGE, WORKER
from tests.factories import make_token, make_user
from tests.stack import database_url

PROCESSES = 40
TOKEN_ROUTE = "/auth/v2/oauth2/token"


def token_requests(sandbox):
    return [each for each in sandbox.requests(TOKEN_ROUTE) if each["method"] == "POST"]


def expire(principal, *, in_seconds=-1, server=scopes.TRANSFER):
    rows = Token.objects.held_for(principal).filter(resource_server=server)
    rows.update(expires_at=timezone.now() + timedelta(seconds=in_seconds))


def at_once(kind, principal, *, count=PROCESSES, server=scopes.TRANSFER):
    """What ``count`` processes got that asked at the same moment."""
    environment = os.environ | {"DATABASE_URL": database_url()}
    command = [sys.executable, "-m", "tests.accounts.forty"]
    done = subprocess.run(
        [*command, str(count), kind, str(principal.pk), server],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rotating", [False, True])
def test_t08_forty_processes_renew_an_expired_token_once(sandbox, visit, rotating):
    from tests.flows import person

    visit("ada")
    ada = person("ada")
    sandbox.set(rotate_refresh_tokens=rotating)
    expire(ada)
    before = len(token_requests(sandbox))

    got = at_once("user", ada)

    assert len(got) == PROCESSES
    assert len(set(got)) == 1, got
    assert len(got[0]) == 64, got
    assert len(token_requests(sandbox)) - before == 1


@pytest.mark.django_db(transaction=True)
def test_t08_forty_processes_share_one_token_of_a_service_account(
    sandbox, service_account
):
    got = at_once("account", service_account)

    assert len(set(got)) == 1, got
    assert len(got[0]) == 64, got
    assert len(token_requests(sandbox)) == 1


@pytest.mark.django_db(transaction=True)
def test_t08_nobody_waits_for_a_renewal_ahead_of_time(sandbox, ada):
    """While one renews, the others go on with the token that still works."""
    expire(ada, in_seconds=120)
    old = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    before = len(token_requests(sandbox))
    holding, done = threading.Event(), threading.Event()

    def hold_the_row():
        with transaction.atomic():
            Token.objects.select_for_update().get(pk=old.pk)
            holding.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=hold_the_row)
    thread.start()
    try:
        assert holding.wait(30)
        got = tokens.access_token(ada, scopes.TRANSFER)
    finally:
        done.set()
        thread.join()

    assert got.generation == old.generation
    assert len(token_requests(sandbox)) == before


@pytest.mark.django_db(transaction=True)
def test_t11_a_token_is_renewed_before_it_expires(sandbox, ada):
    expire(ada, in_seconds=299)
    before = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)

    got = tokens.access_token(ada, scopes.TRANSFER)

    assert got.generation == before.generation + 1
    assert got.secret != before.access_token()


@pytest.mark.django_db(transaction=True)
def test_a_token_that_lasts_costs_one_query_and_no_request(
    sandbox, ada, django_assert_num_queries
):
    tokens.access_token(ada, scopes.TRANSFER)  # writes down that it is used
    before = len(token_requests(sandbox))
    with django_assert_num_queries(1):
        tokens.access_token(ada, scopes.TRANSFER)
    assert len(token_requests(sandbox)) == before


@pytest.mark.django_db(transaction=True)
def test_t09_a_token_that_came_meanwhile_is_not_renewed_again(sandbox, ada):
    """What a caller saw before a newer sign-in does not bring the old state back."""
    expire(ada)
    seen = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    newer = Token.objects.get(pk=seen.pk)
    newer.put(
        access_token="AgNewer",
        refresh_token="AgNewerRefresh",
        scope=newer.scope,
        expires_in=timedelta(hours=1),
    )
    newer.store()
    before = len(token_requests(sandbox))

    row = tokens.renew(ada, seen)

    assert row.access_token().reveal() == "AgNewer"
    assert len(token_requests(sandbox)) == before


@pytest.mark.django_db
def test_t09_an_old_object_saved_late_does_not_bring_back_a_spent_token():
    row = make_token(make_user(), refresh_token="AgSpent")
    late = Token.objects.get(pk=row.pk)
    answer = {"scope": row.scope, "expires_in": timedelta(hours=1)}
    row.put(access_token="AgNew", refresh_token="AgNewRefresh", **answer)
    row.store()

    late.put(access_token="AgLate", refresh_token=None, **answer)
    with pytest.raises(StaleToken):
        late.store()

    stored = Token.objects.get(pk=row.pk)
    assert stored.refresh_token().reveal() == "AgNewRefresh"
    assert stored.access_token().reveal() == "AgNew"


@pytest.mark.django_db(transaction=True)
def test_t10_a_dead_refresh_token_asks_for_a_sign_in_once(sandbox, ada):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    sandbox.wipe_tokens()
    expire(ada)
    before = len(token_requests(sandbox))

    for _ in range(3):
        with pytest.raises(SignInRequired):
            tokens.access_token(ada, scopes.TRANSFER)

    row.refresh_from_db()
    assert row.state == Token.State.NEEDS_SIGN_IN
    assert len(token_requests(sandbox)) - before == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_t10_an_outage_keeps_the_token_and_tries_later(sandbox, ada, status):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    refresh_token = row.refresh_token()
    expire(ada)
    sandbox.fault(TOKEN_ROUTE, status=status, retry_after=0)

    with pytest.raises(GlobusUnreachable):
        tokens.access_token(ada, scopes.TRANSFER)

    row.refresh_from_db()
    assert row.state == Token.State.BACKING_OFF
    assert row.refresh_token() == refresh_token
    requests_so_far = len(token_requests(sandbox))
    with pytest.raises(GlobusUnreachable):
        tokens.access_token(ada, scopes.TRANSFER)
    assert len(token_requests(sandbox)) == requests_so_far, "it must back off"

    sandbox.clear_faults()
    Token.objects.filter(pk=row.pk).update(next_try_at=timezone.now())
    assert tokens.access_token(ada, scopes.TRANSFER).secret
    row.refresh_from_db()
    assert row.state == Token.State.OK


@pytest.mark.django_db(transaction=True)
def test_t10_an_outage_ahead_of_time_bothers_nobody(sandbox, ada):
    expire(ada, in_seconds=200)
    sandbox.fault(TOKEN_ROUTE, status=503, retry_after=0)
    assert tokens.access_token(ada, scopes.TRANSFER).secret


def fake_auth(**entry):
    """The token endpoint as a fake, for answers that the sandbox never gives."""
    from django.conf import settings

    body = {
        "access_token": "AgFromTheFake",
        "scope": "urn:globus:auth:scope:transfer.api.globus.org:all",
        "expires_in": 172800,
        "token_type": "Bearer",
        "resource_server": scopes.TRANSFER,
        "other_tokens": [],
    } | entry
    wire = responses.RequestsMock()
    wire.post(f"{settings.GLOBUS_AUTH_URL}/v2/oauth2/token", json=body)
    return wire


@pytest.mark.django_db(transaction=True)
def test_t10_an_answer_without_a_refresh_token_keeps_the_old_one():
    user = make_user()
    row = make_token(user, lasts=timedelta(seconds=-1), refresh_token="AgKept")
    with fake_auth():
        tokens.access_token(user, scopes.TRANSFER)
    row.refresh_from_db()
    kept = row.refresh_token()
    assert kept is not None
    assert kept.reveal() == "AgKept"
    assert row.access_token().reveal() == "AgFromTheFake"


@pytest.mark.django_db(transaction=True)
def test_an_answer_for_another_resource_server_is_not_stored():
    user = make_user()
    row = make_token(user, lasts=timedelta(seconds=-1), access_token="AgOld")
    with fake_auth(resource_server=scopes.GROUPS), pytest.raises(UnexpectedAnswer):
        tokens.access_token(user, scopes.TRANSFER)
    row.refresh_from_db()
    assert row.access_token().reveal() == "AgOld"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("patience", [PAGE, ONCE, GLANCE, WORKER])
def test_a_refused_token_is_renewed_once_and_the_call_goes_on(sandbox, ada, patience):
    """A 401 on a data call: one renewal, then the answer."""
    sandbox.wipe_tokens(kind="access")
    before = len(token_requests(sandbox))

    with globus_errors():
        answer = clients.transfer_client(ada, patience).task_list()

    assert answer.http_status == 200
    assert len(token_requests(sandbox)) - before == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("patience", [ONCE, GLANCE])
@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 429}, {"reset": True}])
def test_what_is_to_be_sent_once_is_sent_once(sandbox, ada, patience, fault):
    sandbox.fault("/task_list", **fault)
    before = len(sandbox.requests("/task_list"))

    with pytest.raises(PortalError), globus_errors():
        clients.transfer_client(ada, patience).task_list()

    assert len(sandbox.requests("/task_list")) - before == 1


@pytest.mark.django_db
def test_the_lazy_user_of_a_request_gets_a_renewed_token(sandbox, ada):
    expire(ada)
    of_a_request = SimpleLazyObject(lambda: ada)
    assert tokens.access_token(of_a_request, scopes.TRANSFER).generation > 1


@pytest.mark.django_db
def test_somebody_who_never_signed_in_has_no_token(sandbox):
    with pytest.raises(SignInRequired):
        tokens.access_token(make_user(), scopes.TRANSFER)


@pytest.mark.django_db
def test_l25_nobody_acts_for_somebody_who_was_switched_off(sandbox):
    user = make_user(is_active=False)
    make_token(user)
    with pytest.raises(AccountDisabled):
        tokens.access_token(user, scopes.TRANSFER)


@pytest.mark.django_db(transaction=True)
def test_a_wrong_secret_is_named(sandbox, service_account):
    replace_secret(service_account, "wrong", by=None)
    with pytest.raises(CredentialRefused, match="refused the client id and secret"):
        tokens.access_token(service_account, scopes.TRANSFER)
    row = Token.objects.held_for(service_account).get()
    assert row.state == Token.State.BACKING_OFF


@pytest.mark.django_db(transaction=True)
def test_a_new_secret_works_at_once(sandbox, service_account):
    from sandbox import seed

    replace_secret(service_account, "wrong", by=None)
    with pytest.raises(CredentialRefused):
        tokens.access_token(service_account, scopes.TRANSFER)
    replace_secret(service_account, seed.HARVEST_CLIENT_SECRET, by=None)
    assert tokens.access_token(service_account, scopes.TRANSFER).secret


@pytest.mark.django_db
def test_a_disabled_service_account_says_why(sandbox, service_account):
    service_account.enabled = False
    service_account.disabled_reason = "The project ended."
    with pytest.raises(CredentialRefused, match="The project ended"):
        tokens.access_token(service_account, scopes.TRANSFER)


@pytest.mark.django_db
def test_a_service_account_without_a_secret_says_so(sandbox, service_account):
    service_account.secrets.all().delete()
    with pytest.raises(CredentialRefused, match="no active secret"):
        tokens.access_token(service_account, scopes.TRANSFER)


@pytest.mark.django_db
def test_a_retired_secret_is_kept_apart(service_account):
    replace_secret(service_account, "second", by=None)
    states = [each.state for each in service_account.secrets.all()]
    assert sorted(states) == [
        ServiceAccountSecret.State.ACTIVE,
        ServiceAccountSecret.State.RETIRED,
    ]


@pytest.mark.django_db(transaction=True)
def test_a_renewal_inside_a_transaction_is_refused(sandbox, ada):
    """It could be rolled back, and a rotated refresh token would be lost."""
    expire(ada)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        tokens.access_token(ada, scopes.TRANSFER)


@pytest.mark.django_db(transaction=True)
def test_processes_share_connections_but_not_headers(sandbox, ada, service_account):
    """One transport per service; who asks is decided per request."""
    hers = clients.transfer_client(ada)
    its = clients.transfer_client(service_account)
    assert hers.transport is its.transport
    with globus_errors():
        hers.task_list()
        its.task_list()
        hers.task_list()
    hers.close()
    with globus_errors():
        assert its.task_list().http_status == 200


def damage(row, *columns):
    """Flips a bit of what is sealed, as a broken disk or a stranger would."""
    for column in columns:
        sealed = bytearray(getattr(row, column))
        sealed[-1] ^= 1
        setattr(row, column, bytes(sealed))
    row.save(update_fields=columns)


@pytest.mark.django_db(transaction=True)
def test_t04_a_damaged_access_token_is_renewed(sandbox, ada):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    damage(row, "sealed_access_token")
    got = tokens.access_token(ada, scopes.TRANSFER)
    assert got.generation == row.generation + 1


@pytest.mark.django_db(transaction=True)
def test_t04_a_damaged_refresh_token_asks_for_a_sign_in(sandbox, ada):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    damage(row, "sealed_access_token", "sealed_refresh_token")
    for _ in range(2):
        with pytest.raises(SignInRequired):
            tokens.access_token(ada, scopes.TRANSFER)
    row.refresh_from_db()
    assert row.state == Token.State.NEEDS_SIGN_IN


@pytest.mark.django_db(transaction=True)
def test_t04_a_damaged_secret_is_named(sandbox, service_account):
    damage(service_account.secrets.get(), "sealed_secret")
    with pytest.raises(CredentialRefused, match="cannot be opened"):
        tokens.access_token(service_account, scopes.TRANSFER)
