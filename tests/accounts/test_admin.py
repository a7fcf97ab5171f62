"""A01–A03, A06, A07: service accounts and people in the admin."""

from __future__ import annotations

import re
import uuid
from copy import copy
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import (
    AuditEvent,
    Revocation,
    ServiceAccount,
    ServiceAccountRole,
    ServiceAccountSecret,
    Session,
    Token,
    User,
)
from accounts.service_accounts import ScopeNotAllowed, add_secret
from accounts.vault import CannotOpen
from portal.globus import scopes
from portal.globus.errors import CredentialRefused
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)

CANARY = "CanarySecretCanarySecret"
BACKEND = "accounts.sign_in.GlobusSignIn"

pytestmark = pytest.mark.django_db


def signed_in(user):
    browser = Client()
    browser.force_login(user, backend=BACKEND)
    return browser


def make_stale(browser):
    """As if the sign-in had been sixteen minutes ago."""
    session = browser.session
    session["proved_at"] -= 16 * 60
    session.save()


@pytest.fixture
def root(client):
    user = make_user(name="Robin Root", is_staff=True, is_superuser=True)
    client.force_login(user, backend=BACKEND)
    return user


def with_role(account, *roles, **fields):
    """A member of staff with these roles for one service account."""
    person = make_user(is_staff=True, **fields)
    ServiceAccountRole.objects.create(
        service_account=account, user=person, **{f"can_{role}": True for role in roles}
    )
    return signed_in(person)


def form(**changes):
    owner = ServiceAccount.objects.first()
    return {
        "name": "archive robot",
        "client_id": seed.ARCHIVE_CLIENT_ID,
        "purpose": "nightly copies",
        "owner": str(owner.owner_id if owner else make_user(is_staff=True).pk),
        "allowed_servers": [scopes.TRANSFER],
        "new_secret": CANARY,
        "roles-TOTAL_FORMS": "0",
        "roles-INITIAL_FORMS": "0",
    } | changes


def page(name, account=None, kind="serviceaccount"):
    return reverse(
        f"admin:accounts_{kind}_{name}", args=[account.pk] if account else []
    )


def add(client, **changes):
    return client.post(page("add"), form(**changes))


def change(client, account, **changes):
    return client.post(page("change", account), form(**changes))


def active_secret(account):
    return account.secrets.get(state=ServiceAccountSecret.State.ACTIVE)


def text_of(answer):
    return answer.content.decode()


def kinds():
    return [*AuditEvent.objects.order_by("pk").values_list("kind", flat=True)]


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


# --- A01, A02: nothing secret comes out


def test_a01_models_that_show_tokens_are_not_in_the_admin():
    registered = {model._meta.app_label for model in admin.site._registry}
    assert "social_django" not in registered
    kept_out = {Token, ServiceAccountSecret, Revocation, Session}
    assert not kept_out & set(admin.site._registry)


def every_admin_page(rows):
    """Lists, forms, histories and questions, for each model and these rows of them."""
    yield reverse("admin:index")
    for model in admin.site._registry:
        label = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for name in ("changelist", "add"):
            yield reverse(f"{label}_{name}")
        yield f"{reverse(f'{label}_changelist')}?q=CanaryAccount"
        for row in rows.get(model, []):
            names = ["change", "history", "delete", "secrets", "switch_off"]
            for name in [*names, "switch_on", "revoke", "end_sessions"]:
                try:
                    yield reverse(f"{label}_{name}", args=[row.pk])
                except NoReverseMatch:
                    continue


def test_a01_a02_the_canaries_are_on_no_admin_page_and_in_no_record(client, root):
    account = make_service_account(name="CanaryAccount", secret=CANARY, owner=root)
    add_secret(account, CANARY + "New", label="second", by=root)
    make_token(account, access_token=CANARY + "Token")
    make_token(root, access_token=CANARY + "A", refresh_token=CANARY + "R")
    job = make_job(account)
    transfer = make_transfer(account, status="ACTIVE")
    run = make_run(job, state="submitted", transfer=transfer)
    group = Group.objects.create(name="operators")
    change(client, account, name="CanaryAccount", new_secret=CANARY + "Other")
    rows = {
        ServiceAccount: [account],
        User: [root],
        Group: [group],
        type(job): [job],
        type(run): [run],
        type(transfer): [transfer],
        AuditEvent: [AuditEvent.objects.first()],
    }
    seen = 0
    for url in every_admin_page(rows):
        answer = client.get(url)
        assert answer.status_code in (200, 302, 403), (url, answer.status_code)
        assert "CanarySecret" not in text_of(answer), url
        key = client.session.session_key
        assert key not in text_of(answer), url
        seen += answer.status_code == 200
    assert seen > 30

    for form_of_file in ("csv", "jsonl"):
        answer = client.post(
            reverse("admin:accounts_auditevent_export", args=[form_of_file])
        )
        assert b"CanarySecret" not in b"".join(answer.streaming_content)
    assert LogEntry.objects.exists()
    for model in (LogEntry, AuditEvent):
        assert "CanarySecret" not in str(list(model.objects.values()))
    dump = StringIO()
    call_command("dumpdata", stdout=dump, exclude=["contenttypes"])
    assert str(account.pk) in dump.getvalue()
    assert "CanarySecret" not in dump.getvalue()


def test_a02_a_form_that_is_refused_does_not_give_the_secret_back(client, root):
    answer = add(client, client_id="not an id")
    assert answer.status_code == 200
    assert CANARY not in text_of(answer)
    assert "Enter a valid UUID" in text_of(answer)
    account = make_service_account(owner=root)
    answer = client.post(
        page("secrets", account),
        {"do": "add", "label": "x" * 101, "secret": CANARY},
    )
    assert answer.status_code == 200
    assert CANARY not in text_of(answer)


def test_a02_the_form_says_when_the_secret_was_set_and_by_whom(client, root):
    add(client)
    shown = text_of(client.get(page("change", ServiceAccount.objects.get())))
    assert re.search(r"Set on \d+ \w+ \d{4} by Robin Root", shown)


def test_a02_a_blank_secret_keeps_the_old_one(client, root):
    account = make_service_account(secret="kept", owner=root)
    answer = change(client, account, name="renamed", new_secret="")
    assert answer.status_code == 302, text_of(answer)
    account.refresh_from_db()
    assert account.name == "renamed"
    assert active_secret(account).open().reveal() == "kept"
    assert "service-account:secret:replace" not in kinds()


def test_a02_a_new_secret_replaces_the_old_one_and_its_tokens(client, root):
    account = make_service_account(secret="old", owner=root)
    make_token(account)
    change(client, account, new_secret=CANARY)
    assert active_secret(account).open().reveal() == CANARY
    assert not Token.objects.held_for(account).exists()
    assert kinds()[-2:] == [
        "service-account:self:change",
        "service-account:secret:replace",
    ]


def test_a_first_secret_is_needed(client, root):
    answer = add(client, new_secret="")
    assert "Enter the secret that Globus showed" in text_of(answer)
    assert not ServiceAccount.objects.exists()


def test_an_admin_enters_a_service_account_with_the_guide_beside(client, root):
    guide = text_of(client.get(page("add")))
    assert "How to register a service account with Globus" in guide
    assert "Add Client Secret" in guide

    answer = add(client)

    assert answer.status_code == 302, text_of(answer)
    account = ServiceAccount.objects.get()
    assert active_secret(account).open().reveal() == CANARY
    assert active_secret(account).created_by == root
    shown = text_of(client.get(page("change", account)))
    assert account.identity_username in shown


def test_an_account_does_not_become_another_client(client, root):
    """Its secret and tokens would go on acting as the client that they belong to."""
    account = make_service_account(secret="kept", owner=root)
    answer = change(client, account, client_id=seed.ARCHIVE_CLIENT_ID, new_secret="")
    assert answer.status_code == 302
    account.refresh_from_db()
    assert str(account.client_id) == seed.HARVEST_CLIENT_ID


def test_a_sealed_secret_does_not_open_in_another_row(root):
    one = make_service_account(owner=root)
    other = make_service_account(owner=root, client_id=seed.ARCHIVE_CLIENT_ID)
    moved = active_secret(other)
    moved.sealed_secret = active_secret(one).sealed_secret
    with pytest.raises(CannotOpen):
        moved.open()


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


# --- A03: a sign-in of the last fifteen minutes


def writes(account, secret, person, group):
    """``(address, form)`` of everything that needs a fresh sign-in."""
    reason = {"reason": "because"}
    yield page("add"), form(name="another")
    yield page("change", account), form(name="another")
    yield page("secrets", account), {"do": "add", "label": "x", "secret": "y"}
    yield page("secrets", account), {"do": "promote", "secret": str(secret.pk)}
    yield page("secrets", account), {"do": "forget", "secret": str(secret.pk)}
    for name in ("switch_off", "revoke", "delete"):
        yield page(name, account), reason | {"post": "yes"}
    yield page("change", person, "user"), {"is_staff": "on", "is_superuser": "on"}
    for name in ("switch_off", "revoke", "end_sessions"):
        yield page(name, person, "user"), reason
    yield reverse("admin:auth_group_add"), {"name": "new"}
    yield reverse("admin:auth_group_change", args=[group.pk]), {"name": "renamed"}
    yield reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}


def state_of_things():
    models_looked_at = (ServiceAccount, ServiceAccountSecret, User, Group, Token)
    return [sorted(map(str, model.objects.values_list())) for model in models_looked_at]


def test_a03_nothing_is_changed_with_an_old_sign_in(client, root):
    account = make_service_account(owner=root)
    secret = add_secret(account, "second", label="second", by=root)
    person, group = make_user(), Group.objects.create(name="operators")
    make_token(account)
    make_stale(client)
    before = state_of_things()

    for address, fields in writes(account, secret, person, group):
        answer = client.post(address, fields)
        assert answer.status_code == 403, address
        shown = text_of(answer)
        assert "Nothing was changed" in shown
        assert f'name="next" value="{address}"' in shown
        assert 'name="fresh" value="1"' in shown
        assert state_of_things() == before, address
    refused = AuditEvent.objects.filter(kind="admin:change:stale-sign-in")
    assert refused.count() == 15
    assert {each.outcome for each in refused} == {"refused"}


def test_a03_the_same_is_done_with_a_fresh_one(client, root):
    account = make_service_account(owner=root)
    secret = add_secret(account, "second", label="second", by=root)
    person, group = make_user(), Group.objects.create(name="operators")
    for address, fields in writes(account, secret, person, group):
        assert client.post(address, fields).status_code != 403, address


def test_a03_a_page_that_takes_a_secret_asks_before_it_is_typed(client, root):
    make_stale(client)
    assert "Please sign in again" in text_of(client.get(page("add")))


@pytest.mark.parametrize("name", ["secrets", "change"])
def test_a03_a_page_with_more_on_it_has_no_field_for_a_secret_then(client, root, name):
    """Globus shows a secret once; a form that is refused would lose it."""
    account = make_service_account()
    field = 'type="password"'
    assert field in text_of(client.get(page(name, account)))
    make_stale(client)
    shown = text_of(client.get(page(name, account)))
    assert field not in shown
    assert "sign in again" in shown.lower()


def test_a03_the_way_back_leads_to_the_same_page(client, root, sandbox):
    """What the button sends is what ``begin`` takes."""
    make_stale(client)
    shown = text_of(client.get(page("add")))
    assert 'action="/login/globus/"' in shown
    answer = client.post("/login/globus/", {"next": page("add"), "fresh": "1"})
    assert answer.status_code == 200
    assert "max_age" in text_of(answer) or "prompt=login" in text_of(answer)


@pytest.mark.parametrize("name", ["no-id", "%00", "%E2%80%AE"])
def test_a05_whoever_is_refused_in_the_administration_is_written_down(client, name):
    user = make_user()
    client.force_login(user, backend=BACKEND)
    address = f"/admin/accounts/serviceaccount/{name}/change/"
    assert client.post(address).status_code == 403
    event = AuditEvent.objects.get()
    assert (event.kind, event.outcome) == ("admin:page:refuse", "refused")
    assert (event.actor_id, event.detail["method"]) == (user.pk, "POST")
    assert event.detail["page"].startswith("/admin/accounts/serviceaccount/")


def test_a05_a_stranger_or_a_page_elsewhere_adds_no_entry(client):
    assert client.get("/admin/accounts/serviceaccount/").status_code == 302
    assert client.post("/login/globus/", {"collection": "x"}).status_code == 400
    client.force_login(make_user(), backend=BACKEND)
    assert client.get("/jobs/new/").status_code == 403
    assert not AuditEvent.objects.exists()


def test_a05_an_odd_address_with_an_old_sign_in_is_written_down(client, root):
    make_stale(client)
    address = "/admin/accounts/serviceaccount/%00/change/"
    assert client.post(address).status_code == 403
    assert kinds() == ["admin:change:stale-sign-in"]


# --- switching off, deleting, revoking


def test_switching_off_shows_what_uses_it_and_needs_a_reason(client, root):
    account = make_service_account(owner=root)
    job = make_job(account, name="nightly harvest")
    make_run(job)
    make_token(account)
    shown = text_of(client.get(page("switch_off", account)))
    assert "nightly harvest" in shown
    assert "These runs have not ended" in shown

    answer = client.post(page("switch_off", account), {"reason": " "})
    assert answer.status_code == 200
    account.refresh_from_db()
    assert account.enabled

    client.post(page("switch_off", account), {"reason": "its owner left"})
    account.refresh_from_db()
    assert (account.enabled, account.disabled_reason) == (False, "its owner left")
    assert {token.state for token in Token.objects.held_for(account)} == {"revoked"}
    with pytest.raises(CredentialRefused, match="its owner left"):
        tokens.access_token(account, scopes.TRANSFER)
    assert AuditEvent.objects.get(kind="service-account:self:switch-off").detail == {
        "reason": "its owner left"
    }

    client.post(page("switch_on", account), {"reason": "back"})
    account.refresh_from_db()
    assert (account.enabled, account.disabled_reason) == (True, "")


def test_deleting_shows_what_uses_it_and_is_refused_while_something_does(client, root):
    account = make_service_account(owner=root)
    make_job(account, name="nightly harvest")
    shown = text_of(client.get(page("delete", account)))
    assert "cannot be deleted while jobs and runs name it" in shown
    assert "nightly harvest" in shown
    client.post(page("delete", account), {"post": "yes", "reason": "why not"})
    assert ServiceAccount.objects.filter(pk=account.pk).exists()


def test_deleting_needs_a_reason_and_revokes_first(client, root):
    account = make_service_account(owner=root)
    make_token(account)
    client.post(page("delete", account), {"post": "yes", "reason": ""})
    assert ServiceAccount.objects.filter(pk=account.pk).exists()

    answer = client.post(page("delete", account), {"post": "yes", "reason": "done"})
    assert answer.status_code == 302, text_of(answer)
    assert not ServiceAccount.objects.filter(pk=account.pk).exists()
    assert Revocation.objects.filter(owner_key=account.owner_key).exists()
    event = AuditEvent.objects.get(kind="service-account:self:delete")
    assert event.detail["reason"] == "done"
    assert event.owner_key == account.owner_key


def test_everything_of_a_service_account_is_revoked_on_request(client, root):
    account = make_service_account(owner=root)
    make_token(account)
    client.post(page("revoke", account), {"reason": "leaked"})
    assert {token.state for token in Token.objects.held_for(account)} == {"revoked"}
    assert "token:all:revoke" in kinds()


def test_everything_of_a_person_is_revoked_on_request(client, root):
    person = make_user()
    make_token(person)
    client.post(page("revoke", person, "user"), {"reason": "asked for it"})
    assert {token.state for token in Token.objects.held_for(person)} == {"revoked"}
    person.refresh_from_db()
    assert person.is_active


def test_s05_l25_a_person_who_is_switched_off_is_out_at_once(client, root):
    person = make_user()
    make_token(person)
    browser = signed_in(person)
    assert browser.get("/account/").status_code == 200
    client.post(page("switch_off", person, "user"), {"reason": "left"})
    assert browser.get("/account/").status_code == 302
    person.refresh_from_db()
    assert not person.is_active
    assert {token.state for token in Token.objects.held_for(person)} == {"revoked"}


def test_s05_staff_end_the_sessions_of_a_person(client, root):
    person = make_user()
    browser = signed_in(person)
    client.post(page("end_sessions", person, "user"), {"reason": "lost laptop"})
    assert browser.get("/account/").status_code == 302
    event = AuditEvent.objects.get(kind="person:session:end")
    assert event.detail == {"reason": "lost laptop", "ended": 1}


def test_nobody_switches_themselves_off(client, root):
    client.post(page("switch_off", root, "user"), {"reason": "x"})
    root.refresh_from_db()
    assert root.is_active


def test_people_are_not_made_or_deleted_by_hand(client, root):
    assert client.get(page("add", kind="user")).status_code == 403
    assert client.get(page("delete", root, "user")).status_code == 403


# --- rights


def test_staff_flags_follow_globus_groups_where_there_are_some(client, root):
    person = make_user()
    client.post(page("change", person, "user"), {"is_staff": "on"})
    person.refresh_from_db()
    assert not person.is_staff


def test_staff_flags_and_groups_are_given_and_written_down(client, root, settings):
    settings.GROUP_STAFF = settings.GROUP_ADMINS = None
    person, group = make_user(), Group.objects.create(name="auditors")
    client.post(
        page("change", person, "user"), {"is_staff": "on", "groups": [group.pk]}
    )
    person.refresh_from_db()
    assert (person.is_staff, person.is_superuser) == (True, False)
    event = AuditEvent.objects.get(kind="person:rights:change")
    assert event.detail == {
        "is_staff": True,
        "is_superuser": False,
        "groups": ["auditors"],
        "permissions": [],
    }


def test_staff_who_may_change_people_cannot_touch_an_administrator(root):
    clerk = make_user(is_staff=True)
    clerk.user_permissions.add(
        Permission.objects.get(codename="change_user"),
        Permission.objects.get(codename="view_user"),
    )
    browser = signed_in(clerk)
    assert (
        browser.post(page("switch_off", root, "user"), {"reason": "x"}).status_code
        == 403
    )
    other = make_user()
    browser.post(page("change", other, "user"), {"is_superuser": "on"})
    other.refresh_from_db()
    assert not other.is_superuser


def test_a_role_is_given_and_written_down(client, root):
    account = make_service_account(owner=root)
    person = make_user(is_staff=True, name="Grace")
    change(
        client,
        account,
        new_secret="",
        **{
            "roles-TOTAL_FORMS": "1",
            "roles-0-user": str(person.pk),
            "roles-0-can_use": "on",
            "roles-0-service_account": str(account.pk),
        },
    )
    assert account.roles.get().roles == ["use"]
    event = AuditEvent.objects.get(kind="service-account:role:give")
    assert event.detail == {"holder": "Grace", "roles": ["use"]}


@pytest.mark.parametrize(
    "given", [(), ("user", "group"), ("user", "all_staff"), ("group", "all_staff")]
)
def test_a_role_has_one_holder(client, root, given):
    account = make_service_account(owner=root)
    group = Group.objects.create(name="g")
    holders = {
        "user": make_user(is_staff=True).pk,
        "group": group.pk,
        "all_staff": "on",
    }
    answer = change(
        client,
        account,
        new_secret="",
        **{
            "roles-TOTAL_FORMS": "1",
            "roles-0-can_use": "on",
            "roles-0-service_account": str(account.pk),
            **{f"roles-0-{name}": str(holders[name]) for name in given},
        },
    )
    assert "Name a person, or a group, or all staff." in text_of(answer)


def actions(account, secret):
    """What can be done to a service account, and which role it takes."""
    reason = {"reason": "because", "post": "yes"}
    test = {"do": "test", "secret": str(secret.pk)}
    return {
        "see": ("get", page("change", account), {}, {"view", "manage", "rotate"}),
        "change": ("post", page("change", account), form(new_secret=""), {"manage"}),
        "switch off": ("post", page("switch_off", account), reason, {"manage"}),
        "switch on": ("post", page("switch_on", account), reason, {"manage"}),
        "revoke": ("post", page("revoke", account), reason, {"manage"}),
        "delete": ("post", page("delete", account), reason, {"manage"}),
        "see the slots": ("get", page("secrets", account), {}, {"manage", "rotate"}),
        "test": ("post", page("secrets", account), test, {"manage", "rotate"}),
        "add a secret": (
            "post",
            page("secrets", account),
            {"do": "add", "label": "x", "secret": "y"},
            {"rotate"},
        ),
        "promote": (
            "post",
            page("secrets", account),
            {"do": "promote", "secret": str(secret.pk)},
            {"rotate"},
        ),
    }


ACTIONS = (
    "see",
    "change",
    "switch off",
    "switch on",
    "revoke",
    "delete",
    "see the slots",
    "test",
    "add a secret",
    "promote",
)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "who", ["anonymous", "researcher", "staff", "use", "view", "manage", "rotate"]
)
def test_role_by_action(sandbox, who, action):
    account = make_service_account()
    other = make_service_account(client_id=seed.ARCHIVE_CLIENT_ID)
    secret = active_secret(account)
    if action == "promote":
        secret = add_secret(account, "new", label="new", by=account.owner)
    browser = {
        "anonymous": lambda: Client(),
        "researcher": lambda: signed_in(make_user()),
        # With every role, but for another account.
        "staff": lambda: with_role(other, "use", "view", "manage", "rotate"),
    }.get(who, lambda: with_role(account, who))()
    method, address, fields, roles = actions(account, secret)[action]
    before = state_of_things()

    answer = getattr(browser, method)(address, fields)

    if who in roles:
        assert answer.status_code in (200, 302), text_of(answer)
        assert "/login" not in answer.headers.get("Location", "")
    elif who in ("anonymous", "researcher"):
        assert answer.status_code in (302, 403, 404)
        assert "/login" in answer.headers.get("Location", "/login")
        assert state_of_things() == before
    else:
        # A page that one may not see is not there, for the stock pages a way home.
        assert answer.status_code in (302, 403, 404)
        assert answer.headers.get("Location", "/admin/") == "/admin/"
        assert state_of_things() == before


def test_a_role_can_be_given_to_a_group(sandbox):
    account = make_service_account()
    group = Group.objects.create(name="harvest operators")
    ServiceAccountRole.objects.create(
        service_account=account, group=group, can_view=True
    )
    person = make_user(is_staff=True)
    browser = signed_in(person)
    assert browser.get(page("change", account)).status_code == 403
    person.groups.add(group)
    assert browser.get(page("change", account)).status_code == 200


def test_a_role_is_worth_nothing_to_somebody_who_is_not_staff():
    account = make_service_account()
    person = make_user()
    ServiceAccountRole.objects.create(
        service_account=account, user=person, can_manage=True
    )
    assert signed_in(person).get(page("change", account)).status_code == 403


def test_a_list_shows_only_what_one_may_see():
    mine = make_service_account(name="mine")
    make_service_account(name="theirs", client_id=seed.ARCHIVE_CLIENT_ID)
    shown = text_of(with_role(mine, "view").get(page("changelist")))
    assert "mine" in shown
    assert "theirs" not in shown


def test_somebody_with_one_role_cannot_give_themselves_another():
    account = make_service_account()
    browser = with_role(account, "manage")
    fields = form(
        new_secret="stolen",
        **{
            "roles-TOTAL_FORMS": "1",
            "roles-0-user": browser.session["_auth_user_id"],
            "roles-0-can_rotate": "on",
        },
    )
    browser.post(page("change", account), fields)
    assert not ServiceAccountRole.objects.filter(can_rotate=True).exists()
    assert active_secret(account).open().reveal() != "stolen"


@pytest.mark.parametrize("staff", [False, True])
def test_the_admin_is_for_those_who_may(client, staff):
    user = make_user(is_staff=staff)
    client.force_login(user, backend=BACKEND)
    answer = client.get(page("changelist"))
    assert answer.status_code == 403


# --- A06


def test_a06_no_page_of_the_admin_edits_in_a_list_or_links_to_elsewhere(client, root):
    for model, options in admin.site._registry.items():
        assert options.list_editable == (), model
        assert not [
            field for field in model._meta.fields if isinstance(field, models.URLField)
        ], model


def test_a06_an_inline_asks_for_permissions_of_its_own():
    account = make_service_account()
    shown = text_of(with_role(account, "manage").get(page("change", account)))
    assert "roles-TOTAL_FORMS" not in shown


# --- A07


def test_a07_a_scope_that_is_not_listed_is_refused_and_globus_is_not_asked(sandbox):
    account = make_service_account(allowed_servers=[scopes.GROUPS])
    make_token(account)
    sandbox.forget_requests()
    for attempt in (
        lambda: tokens.access_token(account, scopes.TRANSFER),
        lambda: tokens.access_token(account, "flows.globus.org"),
        lambda: tokens.grant_data_access(account, [seed.HARVEST]),
    ):
        with pytest.raises(ScopeNotAllowed):
            attempt()
    assert sandbox.requests() == []
    refused = AuditEvent.objects.filter(kind="service-account:scope:refuse")
    assert [each.detail["resource_server"] for each in refused.order_by("id")] == [
        scopes.TRANSFER,
        "flows.globus.org",
        scopes.TRANSFER,
    ]
    assert {each.owner_key for each in refused} == {account.owner_key}


def test_a07_a_new_service_account_may_act_at_transfer_only():
    assert make_service_account().allowed_servers == [scopes.TRANSFER]


def test_a07_an_owner_is_named(client, root):
    answer = add(client, owner="")
    assert "This field is required" in text_of(answer)


def test_lists_cost_the_same_for_many_rows(client, root, django_assert_max_num_queries):
    for _ in range(12):
        make_service_account(client_id=uuid.uuid4())
    for kind in ("serviceaccount", "user", "auditevent"):
        with django_assert_max_num_queries(14):
            assert client.get(page("changelist", kind=kind)).status_code == 200


def test_a07_an_unused_and_an_old_secret_stand_out_in_the_list(client, root):
    account = make_service_account(owner=root)
    long_ago = timezone.now() - timedelta(days=400)
    account.secrets.update(created_at=long_ago, promoted_at=long_ago)
    for shown in (
        text_of(client.get(page("changelist"))),
        text_of(client.get(page("change", account))),
        text_of(client.get(page("secrets", account))),
    ):
        assert "Nothing has used it for 400 days" in shown
        assert "more than a year old" in shown


def test_the_identity_is_there_to_copy_with_and_without_a_script(client, root):
    account = make_service_account(owner=root)
    for name in ("change", "secrets"):
        shown = text_of(client.get(page(name, account)))
        assert f"{account.identity_username}</code>" in shown
        # A script takes ``hidden`` away; without one a button would do nothing.
        assert '<button type="button" data-copies="identity" hidden>' in shown


def test_the_history_names_people_and_not_their_ids(client, root):
    account = make_service_account(owner=root)
    change(client, account, purpose="something else", new_secret="")
    shown = text_of(client.get(page("history", account)))
    assert f"<td>{root}</td>" in shown
    assert root.username not in shown


def test_a_long_history_is_read_in_pages(client, root):
    account = make_service_account(owner=root)
    change(client, account, purpose="something else", new_secret="")
    entry = LogEntry.objects.get()
    entry.pk = None
    LogEntry.objects.bulk_create([copy(entry) for _ in range(100)])
    shown = text_of(client.get(page("history", account)))
    assert 'href="?p=2"' in shown


def test_people_are_offered_in_a_plain_list_of_staff(client, root):
    """It works without a script; whoever is no staff could not use a role anyway."""
    make_user(name="Emmy Researcher")
    make_user(name="Gone Colleague", is_staff=True, is_active=False)
    former = make_user(name="Former Staff")
    account = make_service_account(owner=former)
    shown = text_of(client.get(page("change", account)))
    assert ">Robin Root</option>" in shown
    assert ">Former Staff</option>" in shown, "stays, for the form to be saved"
    assert "Emmy Researcher" not in shown
    assert "Gone Colleague" not in shown


def test_a_page_costs_the_same_for_many_roles(client, root):
    account = make_service_account(owner=root)

    def queries():
        with CaptureQueriesContext(connection) as found:
            client.get(page("change", account))
        return len(found)

    few = queries()
    for _ in range(5):
        ServiceAccountRole.objects.create(
            service_account=account, user=make_user(is_staff=True), can_use=True
        )
    assert queries() == few
