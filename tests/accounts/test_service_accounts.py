"""Secrets of service accounts: testing them, rotating them, being reminded of them."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.conf import settings

from accounts import service_accounts, tokens
from accounts.credential_check import Folder, Verdict, check
from accounts.models import ServiceAccountSecret, Token
from accounts.service_accounts import SlotTaken, WrongSlot
from portal.globus import scopes
from portal.globus.errors import CredentialRefused
from sandbox import seed
from tests.factories import make_service_account, make_token, make_user

State = ServiceAccountSecret.State

pytestmark = pytest.mark.django_db


def active(account):
    return account.secrets.get(state=State.ACTIVE)


def states(account):
    return sorted(account.secrets.values_list("label", "state"))


# --- the test of a secret: five answers, and fine

HARVEST = Folder(UUID(seed.HARVEST), "/sensors/")


def test_a_good_secret_is_fine(sandbox):
    account = make_service_account()
    assert check(active(account)).verdict == Verdict.FINE
    assert check(active(account), HARVEST).verdict == Verdict.FINE


def test_a_bad_secret_is_said(sandbox):
    account = make_service_account(secret="no such secret")
    assert check(active(account)).verdict == Verdict.BAD_SECRET


@pytest.mark.parametrize(
    "client_id", [seed.NATIVE_CLIENT_ID, settings.GLOBUS_CLIENT_ID]
)
def test_a_client_of_another_kind_is_said(sandbox, client_id):
    account = make_service_account(client_id=client_id, secret="whatever")
    assert check(active(account)).verdict == Verdict.NOT_A_SERVICE_ACCOUNT


@pytest.mark.parametrize("reason", ["unauthorized_client", "unsupported_grant_type"])
def test_a_client_that_may_not_act_by_itself_is_said(sandbox, reason):
    sandbox.fault("/v2/oauth2/token", status=400, body={"error": reason})
    account = make_service_account()
    assert check(active(account)).verdict == Verdict.NOT_A_SERVICE_ACCOUNT


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"reset": True}])
@pytest.mark.parametrize("route", ["/v2/oauth2/token", "/ls"])
def test_no_network_is_said_and_not_blamed_on_the_secret(sandbox, fault, route):
    sandbox.fault(route, **fault)
    account = make_service_account()
    assert check(active(account), HARVEST).verdict == Verdict.NO_NETWORK


def test_a_missing_consent_is_said(sandbox):
    account = make_service_account()
    folder = Folder(UUID(seed.RESEARCH), "/")
    assert check(active(account), folder).verdict == Verdict.CONSENT_MISSING


@pytest.mark.parametrize(
    "folder",
    [Folder(UUID(seed.HARVEST), "/no/such/"), Folder(UUID(seed.GROUP_USERS), "/")],
)
def test_a_collection_that_cannot_be_read_is_said(sandbox, folder):
    account = make_service_account()
    assert check(active(account), folder).verdict == Verdict.NOT_READABLE


def test_what_does_not_open_is_said(sandbox):
    account = make_service_account()
    account.secrets.update(sealed_secret=b"\x01" + b"x" * 60)
    assert check(active(account)).verdict == Verdict.DOES_NOT_OPEN


def test_a_test_stores_nothing_but_that_it_took_place(sandbox):
    account = make_service_account()
    token = make_token(account)
    kept = {
        model: sorted(map(str, model.objects.defer("sealed_secret").values_list()))
        for model in (Token,)
    }
    row = active(account)
    before = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
    }
    check(row, HARVEST)
    row.refresh_from_db()
    changed = {
        name
        for name, value in before.items()
        if bytes_of(getattr(row, name)) != bytes_of(value)
    }
    assert changed == {"last_tested_at", "last_test_result"}
    token.refresh_from_db()
    assert kept[Token] == sorted(map(str, Token.objects.values_list()))


def bytes_of(value):
    return bytes(value) if isinstance(value, memoryview) else value


# --- two slots


def test_a_rotation_forth_and_back(sandbox):
    root = make_user()
    account = make_service_account(secret="old")
    old = active(account)
    new = service_accounts.add_secret(
        account, seed.HARVEST_CLIENT_SECRET, label="second", by=root
    )
    assert active(account) == old, "nothing uses it before it is promoted"
    assert check(new).is_fine
    token = make_token(account)

    service_accounts.promote(new)

    assert active(account) == new
    old.refresh_from_db()
    assert old.state == State.RETIRED
    assert old.retired_at is not None
    assert not Token.objects.filter(pk=token.pk).exists(), "the next use asks anew"

    service_accounts.promote(old)
    assert active(account) == old
    new.refresh_from_db()
    assert new.state == State.RETIRED

    service_accounts.promote(new)
    service_accounts.forget(old)
    assert [*account.secrets.all()] == [new]


def test_of_the_retired_secrets_the_latest_is_kept(sandbox):
    account = make_service_account(secret="1")
    for text in ("2", "3"):
        service_accounts.replace_secret(account, text, by=None)
    opened = {row.open().reveal(): row.state for row in account.secrets.all()}
    assert opened == {"2": State.RETIRED, "3": State.ACTIVE}


def test_there_is_one_new_secret_at_a_time():
    account = make_service_account()
    service_accounts.add_secret(account, "a", label="a", by=account.owner)
    with pytest.raises(SlotTaken):
        service_accounts.add_secret(account, "b", label="b", by=account.owner)


def test_replacing_at_once_leaves_the_new_slot_alone():
    account = make_service_account()
    new = service_accounts.add_secret(account, "a", label="a", by=account.owner)
    service_accounts.replace_secret(account, "b", by=None)
    new.refresh_from_db()
    assert new.state == State.NEW


def test_the_active_secret_can_neither_be_promoted_nor_taken_out():
    account = make_service_account()
    for step in (service_accounts.promote, service_accounts.forget):
        with pytest.raises(WrongSlot):
            step(active(account))
    assert active(account)


@pytest.mark.django_db(transaction=True)
def test_a_use_of_the_secret_is_noted(sandbox):
    account = make_service_account()
    assert active(account).used_at is None
    tokens.access_token(account, scopes.TRANSFER)
    assert active(account).used_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_refused_secret_was_not_used(sandbox):
    account = make_service_account(secret="wrong")
    with pytest.raises(CredentialRefused):
        tokens.access_token(account, scopes.TRANSFER)
    assert active(account).used_at is None


# --- reminders
