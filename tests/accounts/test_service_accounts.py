"""Secrets of service accounts: testing them, rotating them, being reminded of them."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts import reminders, service_accounts, tokens
from accounts.credential_check import Folder, Verdict, check
from accounts.models import AuditEvent, ServiceAccountSecret, Token
from accounts.service_accounts import SlotTaken, WrongSlot
from portal.globus import scopes
from portal.globus.errors import CredentialRefused
from sandbox import seed
from tests.factories import make_job, make_service_account, make_token, make_user

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


def test_the_button_says_it_and_the_audit_keeps_it(client, sandbox):
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    account = make_service_account(secret="no such secret")
    make_job(account, source_path="/sensors/")
    page = reverse("admin:accounts_serviceaccount_secrets", args=[account.pk])
    assert seed.HARVEST in client.get(page).content.decode(), "filled in from its job"

    answer = client.post(
        page, {"do": "test", "secret": str(active(account).pk)}, follow=True
    )

    assert "Globus Auth does not accept this secret" in answer.content.decode()
    event = AuditEvent.objects.get(kind="service-account:secret:test")
    assert event.outcome == "failed"
    assert event.detail["result"] == "bad-secret"
    assert event.credential_id == active(account).pk
    assert client.get(page).status_code == 200
    assert not Token.objects.exists()


def test_a_test_is_a_post(client, sandbox):
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    account = make_service_account()
    page = reverse("admin:accounts_serviceaccount_secrets", args=[account.pk])
    sandbox.forget_requests()
    client.get(page, {"do": "test", "secret": str(active(account).pk)})
    assert sandbox.requests() == []


def test_each_slot_has_fields_of_its_own_and_the_folder_stays_in_them(client, sandbox):
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    account = make_service_account()
    other = service_accounts.add_secret(account, "x", label="x", by=root)
    page = reverse("admin:accounts_serviceaccount_secrets", args=[account.pk])
    fields = {"do": "test", "secret": str(active(account).pk)}
    folder = {"collection": seed.HARVEST, "path": "/sensors/"}

    shown = client.post(page, fields | folder, follow=True).content.decode()
    assert shown.count(f'value="{seed.HARVEST}"') == 2
    assert shown.count('value="/sensors/"') == 2
    ids = re.findall(r' id="([^"]+)"', shown)
    assert len(ids) == len(set(ids)), ids

    shown = client.post(page, fields | {"collection": "x"}).content.decode()
    assert shown.count("Enter a valid UUID.") == 1
    assert f'for="id_{other.pk}_collection"' in shown


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


def test_a_secret_that_somebody_took_out_meanwhile_is_not_promoted():
    """Both had the page open; the page of the second one was older."""
    account = make_service_account()
    row = service_accounts.add_secret(account, "x", label="x", by=account.owner)
    service_accounts.forget(ServiceAccountSecret.objects.get(pk=row.pk))
    with pytest.raises(service_accounts.WrongSlot):
        service_accounts.promote(row)
    assert [*account.secrets.all()] == [active(account)]


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


def test_the_page_leads_through_a_rotation(client, sandbox):
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    account = make_service_account()
    old = active(account)
    page = reverse("admin:accounts_serviceaccount_secrets", args=[account.pk])

    client.post(
        page, {"do": "add", "label": "2027", "secret": seed.HARVEST_CLIENT_SECRET}
    )
    new = account.secrets.get(state=State.NEW)
    client.post(page, {"do": "test", "secret": str(new.pk)})
    client.post(page, {"do": "promote", "secret": str(new.pk)})
    assert "Go back to this one" in client.get(page).content.decode()
    client.post(page, {"do": "promote", "secret": str(old.pk)})
    assert active(account) == old
    client.post(page, {"do": "forget", "secret": str(new.pk)})
    assert account.secrets.count() == 1

    steps = AuditEvent.objects.filter(kind__startswith="service-account:secret:")
    assert [*steps.order_by("pk").values_list("kind", "credential_id")] == [
        ("service-account:secret:add", new.pk),
        ("service-account:secret:test", new.pk),
        ("service-account:secret:promote", new.pk),
        ("service-account:secret:promote", old.pk),
        ("service-account:secret:forget", new.pk),
    ]


def test_a_secret_of_another_account_is_not_found(client, sandbox):
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    one = make_service_account()
    other = make_service_account(client_id=seed.ARCHIVE_CLIENT_ID)
    page = reverse("admin:accounts_serviceaccount_secrets", args=[one.pk])
    secret = str(active(other).pk)
    assert client.post(page, {"do": "forget", "secret": secret}).status_code == 404
    assert client.post(page, {"do": "promote", "secret": "x"}).status_code == 403
    assert client.post(page, {"do": "explode", "secret": secret}).status_code == 404


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


@pytest.fixture
def old_secret():
    owner = make_user(email="owner@uni.example")
    make_user(email="root@uni.example", is_superuser=True)
    make_user(email="gone@uni.example", is_superuser=True, is_active=False)
    account = make_service_account(owner=owner, name="harvest robot")
    then = timezone.now() - timedelta(days=91)
    account.secrets.update(created_at=then, promoted_at=then)
    return active(account)


def test_a07_the_owner_is_reminded_once_of_an_unused_secret(old_secret):
    assert reminders.send_due() == 1
    (sent,) = mail.outbox
    assert sent.to == ["owner@uni.example", "root@uni.example"]
    assert "harvest robot" in sent.subject
    assert "Nothing has used it for 91 days" in sent.body
    assert f"{settings.PUBLIC_BASE_URL.geturl()}/admin/" in sent.body
    assert seed.HARVEST_CLIENT_SECRET not in sent.body
    assert reminders.send_due() == 0


def test_a_secret_that_was_used_and_forgotten_again_is_a_new_matter(old_secret):
    now = timezone.now()
    reminders.send_due(now=now)
    ServiceAccountSecret.objects.update(used_at=now + timedelta(days=1))
    assert reminders.send_due(now=now + timedelta(days=90)) == 0
    assert reminders.send_due(now=now + timedelta(days=92)) == 1


def test_a_year_old_secret_is_a_matter_of_its_own(old_secret):
    now = timezone.now()
    old_secret.used_at = now + timedelta(days=280)
    old_secret.save()
    assert reminders.send_due(now=now + timedelta(days=281)) == 1
    assert "more than a year old" in mail.outbox[0].body
    assert "Nothing has used it" not in mail.outbox[0].body
    assert reminders.send_due(now=now + timedelta(days=282)) == 0


def test_nobody_is_reminded_of_what_is_switched_off_or_retired(old_secret):
    account = old_secret.service_account
    account.enabled = False
    account.save()
    assert reminders.send_due() == 0
    account.enabled = True
    account.save()
    ServiceAccountSecret.objects.update(state=State.RETIRED)
    assert reminders.send_due() == 0


def test_a_mail_that_could_not_be_sent_is_tried_again(old_secret, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert reminders.send_due() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert reminders.send_due() == 1
