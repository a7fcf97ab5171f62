"""L27: what is taken back is dead here at once, and at Globus as soon as it answers."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
import responses
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import revocation, tasks, tokens, upkeep, vault
from accounts.models import (
    AuditEvent,
    Revocation,
    ServiceAccount,
    ServiceAccountSecret,
    Token,
    User,
)
from accounts.portal_client import auth_client, portal_auth_client
from accounts.service_accounts import add_secret, promote, replace_secret
from portal.globus import scopes
from portal.globus.errors import CredentialRefused, SignInRequired
from sandbox import seed
from tests.factories import make_service_account, make_token, make_user
from tests.portal.processes import eventually
from tests.stack import database_url

pytestmark = pytest.mark.django_db(transaction=True)

REVOKE_ROUTE = "/auth/v2/oauth2/token/revoke"
NOBODY = Q(pk=None)


def revoke_requests(sandbox):
    return [each for each in sandbox.requests(REVOKE_ROUTE) if each["method"] == "POST"]


def texts_of(principal):
    """Every access and refresh token that the vault holds for somebody."""
    found = []
    for row in Token.objects.held_for(principal):
        found += [row.access_token().reveal(), row.refresh_token().reveal()]
    return found


def lives(text):
    """Whether Globus Auth still honours a token."""
    return portal_auth_client().oauth2_token_introspect(text)["active"]


def work_off(messages):
    """What the workers do with the queue."""
    for name, *arguments in messages():
        getattr(tasks, name)(*arguments)


def make_due():
    Revocation.objects.update(next_try_at=timezone.now())


def test_l27_disconnecting_revokes_every_token_of_every_resource_server(
    sandbox, ada, messages
):
    texts = texts_of(ada)
    assert len(texts) == 6
    assert all(lives(text) for text in texts)

    assert revocation.revoke_all(ada, by=ada) == 6

    assert {row.state for row in Token.objects.held_for(ada)} == {"revoked"}
    assert revocation.pending(ada) == 6
    work_off(messages)
    assert revocation.pending(ada) == 0
    assert [each["status"] for each in revoke_requests(sandbox)] == [200] * 6
    assert not any(lives(text) for text in texts)


def test_l27_nobody_can_use_a_token_before_globus_has_answered(sandbox, ada):
    sandbox.fault(REVOKE_ROUTE, status=503)
    revocation.revoke_all(ada, by=None)
    with pytest.raises(SignInRequired):
        tokens.access_token(ada, scopes.TRANSFER)
    for row in Token.objects.held_for(ada):
        assert row.sealed_access_token is None
        assert row.sealed_refresh_token is None


def test_l27_it_is_tried_until_globus_answers_and_only_then_forgotten(
    sandbox, ada, messages
):
    texts = texts_of(ada)
    revocation.revoke_all(ada, by=None)
    sandbox.fault(REVOKE_ROUTE, status=503, retry_after=0)
    work_off(messages)
    assert revocation.pending(ada) == 6
    rows = Revocation.objects.filter(owner_key=ada.owner_key)
    assert {row.attempts for row in rows} == {1}
    assert {row.last_error for row in rows} == {"GlobusUnreachable ServiceUnavailable"}
    kept = {
        vault.open_sealed(row.sealed_token, row.binding_of("sealed_token")).reveal()
        for row in rows
    }
    assert kept == set(texts)
    sandbox.clear_faults()

    make_due()
    upkeep.queue_due(working=NOBODY)
    work_off(messages)

    assert not Revocation.objects.exists()
    assert not any(lives(text) for text in texts)
    done = AuditEvent.objects.filter(kind="token:globus:revoke", outcome="ok")
    assert done.count() == 6
    assert {event.owner_key for event in done} == {ada.owner_key}


def test_l27_the_pauses_between_tries_grow_to_an_hour(sandbox, ada):
    sandbox.fault(REVOKE_ROUTE, status=503, retry_after=0)
    revocation.revoke_all(ada, by=None)
    pk = Revocation.objects.first().pk
    pauses = []
    for attempts in (0, 3, 50):
        Revocation.objects.filter(pk=pk).update(attempts=attempts)
        before = timezone.now()
        revocation.carry_out(pk)
        due, after = Revocation.objects.get(pk=pk).next_try_at, timezone.now()
        pauses.append([(due - each).total_seconds() for each in (before, after)])
    (_, first), (at_least, at_most), (at_last, longest) = pauses
    assert first <= 5 < 150 <= at_least
    assert at_most <= 300 < 1800 <= at_last
    assert longest <= 3600


def test_l27_the_portals_client_shows_itself_by_basic(ada):
    revocation.revoke_all(ada, by=None)
    with responses.RequestsMock() as wire:
        wire.post(f"{settings.GLOBUS_AUTH_URL}/v2/oauth2/token/revoke", json={})
        for row in Revocation.objects.all():
            revocation.carry_out(row.pk)
        sent = [call.request for call in wire.calls]
    pair = f"{settings.GLOBUS_CLIENT_ID}:{settings.GLOBUS_CLIENT_SECRET}".encode()
    basic = f"Basic {base64.b64encode(pair).decode()}"
    assert {each.headers["Authorization"] for each in sent} == {basic}
    forms = [parse_qs(each.body) for each in sent]
    assert {tuple(sorted(form)) for form in forms} == {("token", "token_type_hint")}
    hints = sorted(form["token_type_hint"][0] for form in forms)
    assert hints == ["access_token"] * 3 + ["refresh_token"] * 3


def test_l27_a_service_accounts_tokens_are_revoked_with_its_own_secret(
    sandbox, service_account, messages
):
    text = tokens.access_token(service_account, scopes.TRANSFER).secret.reveal()
    revocation.revoke_all(service_account, by=None)
    (row,) = Revocation.objects.all()
    assert str(row.client_id) == seed.HARVEST_CLIENT_ID
    work_off(messages)
    assert [each["status"] for each in revoke_requests(sandbox)] == [200]
    assert not Revocation.objects.exists()
    # Its secret still works, and it was not switched off.
    again = tokens.access_token(service_account, scopes.TRANSFER).secret.reveal()
    assert again != text


def test_l27_a_service_account_that_is_gone_is_revoked_all_the_same(
    sandbox, service_account, messages
):
    tokens.access_token(service_account, scopes.TRANSFER)
    revocation.revoke_all(service_account, by=None)
    service_account.delete()
    work_off(messages)
    assert [each["status"] for each in revoke_requests(sandbox)] == [200]
    assert not Revocation.objects.exists()


def test_l27_a_secret_that_was_replaced_meanwhile_is_the_one_to_use(
    sandbox, service_account, messages
):
    replace_secret(service_account, "wrong", by=None)
    make_token(service_account)
    revocation.revoke_all(service_account, by=None)
    work_off(messages)
    assert Revocation.objects.count() == 2
    replace_secret(service_account, seed.HARVEST_CLIENT_SECRET, by=None)
    for row in Revocation.objects.all():
        revocation.carry_out(row.pk)
    assert not Revocation.objects.exists()


def test_l27_an_account_without_any_secret_is_tried_until_its_token_lapses(sandbox):
    account = make_service_account()
    make_token(account, refresh_token=None)
    ServiceAccountSecret.objects.all().delete()
    revocation.revoke_all(account, by=None)
    (row,) = Revocation.objects.all()
    revocation.carry_out(row.pk)
    row.refresh_from_db()
    assert row.last_error == "CredentialRefused NoSecret"

    Revocation.objects.update(lapses_at=timezone.now())
    revocation.carry_out(row.pk)

    assert not Revocation.objects.exists()
    event = AuditEvent.objects.get(kind="token:globus:revoke")
    assert (event.outcome, event.detail["code"]) == ("failed", "lapsed")
    assert revoke_requests(sandbox) == []


@pytest.mark.parametrize("kind", ["user", "service-account"])
def test_l27_switching_somebody_off_in_whatever_way_leads_here(
    sandbox, ada, service_account, messages, kind
):
    if kind == "user":
        who = ada
        User.objects.filter(pk=ada.pk).update(is_active=False)
    else:
        who = service_account
        tokens.access_token(who, scopes.TRANSFER)
        ServiceAccount.objects.update(enabled=False, disabled_reason="Leaked.")
    upkeep.queue_due(working=NOBODY)
    work_off(messages)  # revokes them here
    assert {row.state for row in Token.objects.held_for(who)} == {"revoked"}
    make_due()
    upkeep.queue_due(working=NOBODY)
    work_off(messages)
    assert not Revocation.objects.exists()
    expected = 6 if kind == "user" else 1
    assert len({each["at"] for each in revoke_requests(sandbox)}) >= expected


def test_l27_nobody_else_is_touched(sandbox, ada, messages):
    other = make_token(make_user())
    User.objects.filter(pk=ada.pk).update(is_active=False)
    upkeep.queue_due(working=NOBODY)
    work_off(messages)
    other.refresh_from_db()
    assert other.state == Token.State.OK


def test_a_switch_that_was_turned_on_again_revokes_nothing(ada):
    tasks.revoke_switched_off("user", str(ada.pk))
    assert {row.state for row in Token.objects.held_for(ada)} == {"ok"}


@pytest.mark.parametrize("make", [make_user, make_service_account])
def test_l27_nobody_is_deleted_with_tokens_that_live(make):
    who = make()
    make_token(who)
    with pytest.raises(models.ProtectedError, match="Token"):
        who.delete()
    revocation.revoke_all(who, by=None)
    who.delete()
    assert not Token.objects.exists()
    assert Revocation.objects.count() == 2, "Globus is told all the same"


def test_l27_deleting_a_person_revokes_at_globus(sandbox, ada, messages):
    texts = texts_of(ada)
    revocation.revoke_all(ada, by=ada, reason="deletes the account")
    ada.delete()
    work_off(messages)
    assert not any(lives(text) for text in texts)
    event = AuditEvent.objects.get(kind="token:all:revoke")
    assert event.owner_key.startswith("user:")
    assert event.detail["reason"] == "deletes the account"


def test_l27_a_new_sign_in_meanwhile_keeps_its_own_tokens(
    sandbox, ada, visit, messages
):
    old = texts_of(ada)
    revocation.revoke_all(ada, by=ada)
    visit("ada")
    work_off(messages)
    assert not any(lives(text) for text in old)
    new = texts_of(ada)
    assert all(lives(text) for text in new)
    assert tokens.access_token(ada, scopes.TRANSFER).secret.reveal() in new


def test_l27_a_second_time_there_is_nothing_to_revoke(ada):
    assert revocation.revoke_all(ada, by=None) == 6
    assert revocation.revoke_all(ada, by=None) == 0
    assert AuditEvent.objects.filter(kind="token:all:revoke").count() == 1


def test_l27_who_asks_for_it_is_noted_also_when_nothing_is_held(ada):
    root = make_user()
    assert revocation.revoke_all(ada, by=root, reason="lost laptop") == 6
    assert revocation.revoke_all(ada, by=root, reason="lost phone") == 0
    first, second = AuditEvent.objects.filter(kind="token:all:revoke").order_by("pk")
    assert len(first.detail["resource_servers"]) == 3
    assert second.detail["resource_servers"] == []
    assert (second.actor_id, second.detail["reason"]) == (root.pk, "lost phone")


def _replaced(account):
    replace_secret(account, seed.HARVEST_CLIENT_SECRET, by=None)


def _promoted(account):
    row = add_secret(account, seed.HARVEST_CLIENT_SECRET, label="2", by=account.owner)
    promote(row)


@pytest.mark.parametrize("change", [_replaced, _promoted])
def test_l27_what_the_secret_before_brought_is_revoked(sandbox, messages, change):
    account = make_service_account(
        client_id=seed.HARVEST_CLIENT_ID, secret=seed.HARVEST_CLIENT_SECRET
    )
    old = tokens.access_token(account, scopes.TRANSFER).secret.reveal()

    change(account)

    assert not Token.objects.held_for(account).exists(), "the next use asks anew"
    assert revocation.pending(account) == 1
    work_off(messages)
    assert revocation.pending(account) == 0
    assert not lives_with(account, old)
    new = tokens.access_token(account, scopes.TRANSFER).secret.reveal()
    assert new != old
    assert lives_with(account, new)


def lives_with(account, text):
    return auth_client(account).oauth2_token_introspect(text)["active"]


def test_l27_a_token_that_needs_a_sign_in_is_revoked_too(ada):
    Token.objects.update(state=Token.State.NEEDS_SIGN_IN)
    assert revocation.revoke_all(ada, by=None) == 6


def test_l27_a_renewal_that_was_on_its_way_brings_nothing_back(ada):
    """T09: what it read is not what is stored any more."""
    late = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    late.put(
        access_token="AgLate",
        refresh_token="AgLateRefresh",
        scope="",
        expires_in=timedelta(days=2),
    )
    revocation.revoke_all(ada, by=None)
    with pytest.raises(Exception, match=r"^$") as caught:
        late.store()
    assert type(caught.value).__name__ == "StaleToken"
    assert Token.objects.get(pk=late.pk).state == Token.State.REVOKED


def test_l27_what_does_not_open_is_kept_sealed_and_unusable():
    user = make_user()
    row = make_token(user)
    Token.objects.update(sealed_refresh_token=b"\x01" * 60)
    assert revocation.revoke_all(user, by=None) == 0
    row.refresh_from_db()
    assert row.state == Token.State.REVOKED
    assert bytes(row.sealed_refresh_token) == b"\x01" * 60
    with pytest.raises(SignInRequired):
        tokens.access_token(user, scopes.TRANSFER)


def test_a_revocation_that_does_not_open_waits_for_a_person(sandbox, ada):
    revocation.revoke_all(ada, by=None)
    row = Revocation.objects.first()
    Revocation.objects.filter(pk=row.pk).update(sealed_token=b"\x01" * 60)
    revocation.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.next_try_at, row.last_error) == (None, "CannotOpen")
    assert revoke_requests(sandbox) == []


def test_l27_a_worker_killed_on_the_way_is_replaced(sandbox, ada, messages):
    """The request has reached Auth; the worker dies before the answer."""
    texts = texts_of(ada)
    revocation.revoke_all(ada, by=None)
    row = Revocation.objects.filter(kind="refresh_token").first()
    sandbox.fault(REVOKE_ROUTE, drip_seconds=1, times=1)
    program = (
        "import sys, uuid\n"
        "from portal.startup import django_or_exit\n"
        "django_or_exit()\n"
        "from accounts import revocation\n"
        "revocation.carry_out(uuid.UUID(sys.argv[1]))\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program, str(row.pk)],
        env=os.environ | {"DATABASE_URL": database_url()},
    )
    token = vault.open_sealed(row.sealed_token, row.binding_of("sealed_token")).reveal()
    assert eventually(lambda: not lives(token))
    worker.kill()
    worker.wait()
    assert Revocation.objects.filter(pk=row.pk).exists()

    make_due()
    upkeep.queue_due(working=NOBODY)
    work_off(messages)

    assert not Revocation.objects.exists()
    assert not any(lives(text) for text in texts)


def test_l25_a_worker_with_an_old_object_gets_no_new_token(sandbox, service_account):
    """Switched off and revoked while a worker holds the account in its hands."""
    tokens.access_token(service_account, scopes.TRANSFER)
    held = ServiceAccount.objects.get(pk=service_account.pk)
    ServiceAccount.objects.update(enabled=False, disabled_reason="Leaked.")
    revocation.revoke_all(service_account, by=None)
    with pytest.raises(CredentialRefused, match="Leaked"):
        tokens.access_token(held, scopes.TRANSFER)
