"""A01, A02: secrets go into the admin and never come out."""

from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.urls import reverse

from accounts.models import ServiceAccount, ServiceAccountSecret, Token
from sandbox import seed
from tests.factories import make_service_account, make_token, make_user

CANARY = "CanarySecretCanarySecret"

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    user = make_user(name="Robin Root", is_staff=True, is_superuser=True)
    client.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    return user


def form(**changes):
    owner = ServiceAccount.objects.first()
    return {
        "name": "archive robot",
        "client_id": seed.ARCHIVE_CLIENT_ID,
        "purpose": "nightly copies",
        "owner": str(owner.owner_id if owner else make_user().pk),
        "enabled": "on",
        "disabled_reason": "",
        "new_secret": CANARY,
    } | changes


def add(client, **changes):
    return client.post(reverse("admin:accounts_serviceaccount_add"), form(**changes))


def change(client, account, **changes):
    url = reverse("admin:accounts_serviceaccount_change", args=[account.pk])
    return client.post(url, form(**changes))


def active_secret(account):
    return account.secrets.get(state=ServiceAccountSecret.State.ACTIVE)


def test_who_is_signed_in_and_no_staff_gets_no_form_but_a_no(client):
    client.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    for name in ("index", "accounts_user_changelist", "accounts_serviceaccount_add"):
        answer = client.get(reverse(f"admin:{name}"))
        assert answer.status_code == 403
        assert "You may not see this page" in answer.content.decode()
        assert "password" not in answer.content.decode()


def test_a_stranger_signs_in_first(client):
    answer = client.get(reverse("admin:index"))
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/admin/")


def test_a01_models_that_show_tokens_are_not_in_the_admin():
    registered = {model._meta.app_label for model in admin.site._registry}
    assert "social_django" not in registered
    assert Token not in admin.site._registry
    assert ServiceAccountSecret not in admin.site._registry


def test_an_admin_enters_a_service_account(client, root):
    answer = add(client)

    assert answer.status_code == 302, answer.content.decode()
    account = ServiceAccount.objects.get()
    assert active_secret(account).open().reveal() == CANARY
    assert active_secret(account).created_by == root


def test_a02_the_secret_is_on_no_page_and_in_no_record(client, root):
    account = make_service_account(secret=CANARY, owner=root)
    make_token(account, access_token=CANARY + "Token")
    client.post(
        reverse("admin:accounts_serviceaccount_change", args=[account.pk]),
        form(name="another name", new_secret=CANARY),
        follow=True,
    )
    names = ["changelist", "add"]
    urls = [reverse(f"admin:accounts_serviceaccount_{name}") for name in names]
    urls += [
        reverse(f"admin:accounts_serviceaccount_{name}", args=[account.pk])
        for name in ("change", "history", "delete")
    ]
    urls += [reverse("admin:index"), reverse("admin:accounts_user_changelist")]
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert CANARY not in answer.content.decode(), url

    assert LogEntry.objects.exists()
    assert CANARY not in str(list(LogEntry.objects.values()))
    dump = StringIO()
    call_command("dumpdata", stdout=dump, exclude=["contenttypes"])
    assert str(account.pk) in dump.getvalue()
    assert CANARY not in dump.getvalue()


def test_a02_a_form_that_is_refused_does_not_give_the_secret_back(client, root):
    answer = add(client, client_id="not an id")
    assert answer.status_code == 200
    assert CANARY not in answer.content.decode()
    assert "Enter a valid UUID" in answer.content.decode()


def test_a02_a_blank_secret_keeps_the_old_one(client, root):
    account = make_service_account(secret="kept", owner=root)
    answer = change(client, account, name="renamed", new_secret="")
    assert answer.status_code == 302
    account.refresh_from_db()
    assert account.name == "renamed"
    assert active_secret(account).open().reveal() == "kept"


def test_a02_a_new_secret_replaces_the_old_one_and_its_tokens(client, root):
    account = make_service_account(secret="old", owner=root)
    make_token(account)
    change(client, account, new_secret=CANARY)
    assert active_secret(account).open().reveal() == CANARY
    assert not Token.objects.held_for(account).exists()


def test_a_first_secret_is_needed(client, root):
    answer = add(client, new_secret="")
    assert "Enter the secret that Globus showed" in answer.content.decode()
    assert not ServiceAccount.objects.exists()


def test_switching_off_needs_a_reason(client, root):
    account = make_service_account(owner=root)
    answer = change(client, account, enabled="", new_secret="")
    assert answer.status_code == 200
    assert "Say why" in answer.content.decode()
    account.refresh_from_db()
    assert account.enabled


def test_an_account_does_not_become_another_client(client, root):
    """Its secret and tokens would go on acting as the client that they belong to."""
    account = make_service_account(secret="kept", owner=root)
    answer = change(client, account, client_id=seed.ARCHIVE_CLIENT_ID, new_secret="")
    assert answer.status_code == 302
    account.refresh_from_db()
    assert str(account.client_id) == seed.HARVEST_CLIENT_ID


def test_the_identity_to_grant_access_to_is_shown(client, root):
    account = make_service_account(owner=root)
    page = client.get(
        reverse("admin:accounts_serviceaccount_change", args=[account.pk])
    )
    assert account.identity_username in page.content.decode()


def test_a_sealed_secret_does_not_open_in_another_row(root):
    one = make_service_account(owner=root)
    other = make_service_account(owner=root, client_id=seed.ARCHIVE_CLIENT_ID)
    moved = active_secret(other)
    moved.sealed_secret = active_secret(one).sealed_secret
    from accounts.vault import CannotOpen

    with pytest.raises(CannotOpen):
        moved.open()


def test_people_are_not_made_or_deleted_by_hand(client, root):
    assert client.get(reverse("admin:accounts_user_add")).status_code == 403
    url = reverse("admin:accounts_user_delete", args=[root.pk])
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("staff", [False, True])
def test_the_admin_is_for_those_who_may(client, staff):
    user = make_user(is_staff=staff)
    client.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    answer = client.get(reverse("admin:accounts_serviceaccount_changelist"))
    assert answer.status_code == 403


def test_no_model_shows_a_secret_as_text(root):
    account = make_service_account(secret=CANARY, owner=root)
    token = make_token(account, access_token=CANARY)
    shown = [str(each) for each in (account, token, active_secret(account))]
    shown += [repr(each) for each in (account, token, active_secret(account))]
    assert not any(CANARY in text for text in shown)


def test_every_model_of_ours_can_be_shown():
    """A missing ``__str__`` puts “object (1)” into pages and logs."""
    for label in ("accounts", "transfers"):
        for model in apps.get_app_config(label).get_models():
            assert "__str__" in vars(model), model
