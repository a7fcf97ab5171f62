"""*My account*: what a person sees of themselves, and can take back."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.db.models import ForeignKey
from django.test import Client
from django.utils import timezone

from accounts.export import known_about
from accounts.models import (
    AuditEvent,
    PendingAction,
    RequirementNotice,
    Revocation,
    ServiceAccountRole,
    Session,
    Token,
    User,
)
from portal.globus import scopes
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)
from tests.flows import REFRESH, begin, come_back, person
from transfers.models import AskedTimer, Transfer

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 20_0 like Mac OS X) Safari/604.1"

pytestmark = pytest.mark.django_db


def signed_in(user, agent=FIREFOX):
    browser = Client(headers={"user-agent": agent})
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    session = browser.session
    session["device"] = "Safari on iPhone" if agent == PHONE else "Firefox on Linux"
    session.save()
    return browser


def text_of(answer):
    return answer.content.decode()


PAGES = (
    ("get", "/account/"),
    ("get", "/account/consents/"),
    ("get", "/account/take-back/"),
    ("get", "/account/delete/"),
    ("post", "/account/take-back/"),
    ("post", "/account/delete/"),
    ("post", "/account/another/"),
    ("post", "/account/data.json"),
    ("post", "/account/sessions/end-others/"),
    ("post", "/account/sessions/0123456789abcdef/end/"),
)


@pytest.mark.parametrize(("method", "address"), PAGES)
def test_nobody_else_sees_or_does_anything_here(method, address):
    answer = getattr(Client(), method)(address)
    assert answer.status_code == 302
    # After a POST the page that the form was on is what one comes back to.
    back = "/account/" if method == "get" else "/"
    assert answer["Location"].startswith(f"/login/?next={back}")


@pytest.mark.parametrize(
    "address", [address for method, address in PAGES if method == "post"]
)
def test_nothing_is_done_without_a_form_of_ours(address):
    user = make_user()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    assert browser.post(address).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize(
    "address",
    [
        "/account/another/",
        "/account/data.json",
        "/account/sessions/end-others/",
        "/account/sessions/0123456789abcdef/end/",
    ],
)
def test_a_link_does_nothing(address):
    assert signed_in(make_user()).get(address).status_code == 405


def test_the_page_says_who_i_am_and_what_is_held(transactional_db, visit):
    browser = visit("ada")
    shown = text_of(browser.get("/account/"))
    ada = person("ada")
    assert str(ada.identity_id) in shown
    assert all(row["username"] in shown for row in ada.linked_identities)
    for words in (
        "Globus Transfer – your data",
        "Globus Groups – whom you work with",
        "see your collections, list folders, and start and watch transfers",
        "the current token lasts until",
        "Not used yet.",
        "Withdraw your consent at Globus",
        "Take back the portal’s tokens",
    ):
        assert words in shown, words


def test_no_token_and_no_session_key_is_on_any_of_the_pages(transactional_db, visit):
    browser = visit("ada")
    opened = [
        secret.reveal()
        for token in Token.objects.all()
        for secret in (token.access_token(), token.refresh_token())
        if secret
    ]
    opened += [*Session.objects.values_list("session_key", flat=True)]
    assert len(opened) >= 7
    for method, address in (*PAGES[:4], ("post", "/account/data.json")):
        shown = text_of(getattr(browser, method)(address))
        assert not [each for each in opened if each in shown], address


# --- as another


def test_signing_in_as_another_ends_the_session_and_lets_globus_ask(
    transactional_db, visit, sandbox
):
    browser = visit("ada")
    shown = text_of(browser.get("/account/"))
    assert 'action="/account/another/"' in shown
    key = browser.session.session_key

    answer = browser.post("/account/another/", {"fresh": "1", "next": "/account/"})

    assert not Session.objects.filter(session_key=key).exists()
    assert "_auth_user_id" not in browser.session
    address = REFRESH.search(text_of(answer))[1].replace("&amp;", "&")
    query = parse_qs(urlsplit(address).query)
    assert query.get("prompt") == ["login"] or "max_age" in query

    answer = come_back(browser, sandbox.approve(address, "grace"))
    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert browser.session["_auth_user_id"] == str(person("grace").pk)


# --- sessions


def test_open_sessions_are_listed_and_ended_one_by_one():
    user = make_user()
    here, phone, other = signed_in(user), signed_in(user, PHONE), signed_in(user)
    shown = text_of(here.get("/account/"))
    assert shown.count("Safari on iPhone") >= 1
    assert shown.count("this one") == 1
    ends = [
        part.partition('"')[0] for part in shown.split('action="/account/sessions/')[1:]
    ]
    ends.remove("end-others/")
    assert len(ends) == 2, "none for this browser itself"

    answers = [here.post(f"/account/sessions/{end}").status_code for end in ends]

    assert answers == [302, 302]
    assert here.get("/account/").status_code == 200
    assert phone.get("/account/").status_code == 302
    assert other.get("/account/").status_code == 302
    assert AuditEvent.objects.filter(kind="person:session:end").count() == 2


def test_a_session_of_somebody_else_is_not_ended():
    user = make_user()
    ada, phone = signed_in(user), signed_in(user, PHONE)
    mallory = signed_in(make_user())
    shown = text_of(ada.get("/account/"))
    handle = shown.split('action="/account/sessions/')[1].partition('"')[0]
    assert mallory.post(f"/account/sessions/{handle}").status_code == 404
    assert phone.get("/account/").status_code == 200
    assert ada.post(f"/account/sessions/{handle}").status_code == 302
    assert phone.get("/account/").status_code == 302


def test_every_other_session_is_ended_at_once():
    user = make_user()
    here, phone = signed_in(user), signed_in(user, PHONE)
    stranger = signed_in(make_user())
    here.post("/account/sessions/end-others/")
    assert here.get("/account/").status_code == 200
    assert phone.get("/account/").status_code == 302
    assert stranger.get("/account/").status_code == 200


# --- consents, and taking back


def test_consents_are_shown_as_globus_has_them(transactional_db, visit):
    shown = text_of(visit("ada").get("/account/consents/"))
    assert "see your collections, list folders, and start and watch transfers" in shown
    assert "/v2/web/consents" in shown


def test_a_consent_names_the_collection_where_its_name_is_known(
    transactional_db, visit, sandbox
):
    browser = visit("ada")
    address = begin(browser, collection=[seed.RESEARCH])
    come_back(browser, sandbox.approve(address, "ada"))
    make_transfer(make_user(), source_id=seed.RESEARCH, source_name="Somebody else's")
    shown = text_of(browser.get("/account/consents/"))
    assert f"reach the data on collection {seed.RESEARCH}" in shown

    ada = person("ada")
    make_transfer(ada, destination_id=seed.RESEARCH, destination_name="Re\u202esearch")
    shown = text_of(browser.get("/account/consents/"))
    assert seed.RESEARCH not in shown
    assert "reach the data on collection" in shown
    assert "\u202e" not in shown


def test_consents_that_globus_does_not_tell_are_no_empty_list(
    transactional_db, visit, sandbox
):
    browser = visit("ada")
    sandbox.fault("/consents", status=503)
    answer = browser.get("/account/consents/")
    assert answer.status_code == 503
    assert "Nothing." not in text_of(answer)


def test_what_the_portal_holds_is_taken_back():
    user = make_user()
    make_token(user)
    make_transfer(user, status="ACTIVE")
    make_transfer(user)
    browser = signed_in(user)
    asked = text_of(browser.get("/account/take-back/"))
    assert "1 transfer of yours is under way. Globus goes on with it" in asked
    assert "1 transfer of yours has not been sent yet" in asked
    assert Token.objects.get().state == Token.State.OK

    browser.post("/account/take-back/")

    assert Token.objects.get().state == Token.State.REVOKED
    assert Revocation.objects.count() == 2
    shown = text_of(browser.get("/account/"))
    assert "Revoked" in shown
    assert "Globus has not confirmed the end of 2 tokens yet" in shown


# --- the download


def test_the_download_holds_what_is_known_and_nothing_of_others():
    user, other = make_user(email="emmy@uni.example"), make_user(name="Somebody Else")
    make_token(user)
    make_transfer(user, label="my numbers")
    make_transfer(other, label="not mine")
    browser = signed_in(user)
    browser.get("/account/")

    answer = browser.post("/account/data.json")

    assert answer["Content-Disposition"].startswith('attachment; filename="causeway-')
    data = json.loads(answer.content)
    assert data["person"]["email"] == "emmy@uni.example"
    assert data["person"]["identity_id"] == str(user.identity_id)
    assert [token["resource_server"] for token in data["tokens"]] == [scopes.TRANSFER]
    assert [row["label"] for row in data["work"]["transfers"]] == ["my numbers"]
    assert data["sessions"][0]["device"] == "Firefox on Linux"
    assert [row["kind"] for row in data["audit"]] == ["person:data:export"]
    assert "AgAccess" not in text_of(answer)
    assert "AgRefresh" not in text_of(answer)
    assert "Somebody Else" not in text_of(answer)
    assert "not mine" not in text_of(answer)


def test_the_download_holds_forms_that_were_kept_and_what_was_asked_of_them():
    user = make_user()
    hour = timezone.now() + timedelta(hours=1)
    kept = PendingAction(user=user, method="POST", path="/transfers/new/")
    kept.expires_at = hour
    kept.seal_body(json.dumps([["label", "my numbers"]]))
    kept.save()
    PendingAction.objects.create(user=user, path="/files/", expires_at=hour)
    RequirementNotice.objects.create(user=user, says="Globus asks for your consent.")
    account = make_service_account(owner=make_user(name="Somebody Else"))
    account.secrets.update(created_by=user)
    ServiceAccountRole.objects.create(
        service_account=account, user=user, can_use=True, can_rotate=True
    )

    answer = signed_in(user).post("/account/data.json")
    data = json.loads(answer.content)

    forms = {row["path"]: row["form"] for row in data["kept_requests"]}
    assert forms == {"/transfers/new/": [["label", "my numbers"]], "/files/": None}
    assert data["notices"][0]["says"] == "Globus asks for your consent."
    assert data["roles"] == [
        {"service_account": account.name, "may": ["use", "rotate"]}
    ]
    assert data["secrets_entered"][0]["service_account"] == account.name
    assert seed.HARVEST_CLIENT_SECRET not in text_of(answer)


def test_a_form_that_does_not_open_does_not_stop_the_download():
    user = make_user()
    kept = PendingAction(user=user, path="/files/", sealed_body=b"damaged")
    kept.expires_at = timezone.now()
    kept.save()
    data = json.loads(signed_in(user).post("/account/data.json").content)
    assert data["kept_requests"][0]["form"] == "It does not open any more."


#: models that point to people, and where the download tells about them
TOLD = {
    "accounts.PendingAction": "kept_requests",
    "accounts.RequirementNotice": "notices",
    "accounts.ServiceAccount": "service_accounts_answered_for",
    "accounts.ServiceAccountRole": "roles",
    "accounts.ServiceAccountSecret": "secrets_entered",
    "accounts.Session": "sessions",
    "accounts.Token": "tokens",
    "transfers.AskedTimer": "work",
    "transfers.Job": "work",
    "transfers.Run": "work",
    "transfers.Transfer": "work",
    # Only when Globus is asked about their tasks next.
    "transfers.Watch": None,
    # Only what Globus says of their timers.
    "transfers.TimerWatch": None,
    "transfers.TroubledTimer": None,
    # A number that keeps turns fair.
    "transfers.Share": None,
    "transfers.Hold": "work",
    "transfers.JobVersion": "work",
    "transfers.Schedule": "work",
    "transfers.TransferTemplate": "work",
    "transfers.Trial": "work",
    "accounts.OutboxMessage": "messages",
    "accounts.Webhook": "webhooks_made",
    "accounts.Wishes": "notifications",
    # What was changed in the administration is in the audit as well.
    "admin.LogEntry": "audit",
    # Which identity belongs to whom, as under "person".
    "social_django.UserSocialAuth": "person",
}


def test_timers_are_in_the_download_and_said_before_the_account_goes():
    user, timer = make_user(), uuid.uuid4()
    AskedTimer.objects.create(id=uuid.uuid4(), user=user, timer_id=timer)
    data = json.loads(signed_in(user).post("/account/data.json").content)
    assert [row["timer_id"] for row in data["work"]["timers_asked_for"]] == [str(timer)]
    assert "go on there until you end" in text_of(
        signed_in(user).get("/account/delete/")
    )


def test_the_download_forgets_no_kind_of_row():
    """A new model that points to people has to be thought of."""
    found = {
        model._meta.label
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey) and field.related_model is User
    }
    assert found - {"accounts.User_groups", "accounts.User_user_permissions"} == {*TOLD}
    data = known_about(make_user())
    assert {key for key in TOLD.values() if key} <= {*data}


# --- deletion


def test_deleting_says_first_what_happens():
    user = make_user()
    make_transfer(user, status="ACTIVE")
    shown = text_of(signed_in(user).get("/account/delete/"))
    assert "1 transfer of yours is under way" in shown
    assert "stays in its audit" in shown
    assert "Type emmy@uni.example to confirm" in shown


@pytest.mark.parametrize("typed", ["", "yes", "somebody@else.example"])
def test_deleting_wants_the_name_typed(typed):
    user = make_user()
    answer = signed_in(user).post("/account/delete/", {"confirmation": typed})
    assert answer.status_code == 200
    assert User.objects.filter(pk=user.pk).exists()


def test_an_account_is_deleted_with_all_that_hangs_on_it():
    user = make_user()
    key, pk = user.owner_key, user.pk
    make_token(user)
    make_transfer(user, status="ACTIVE")
    browser, phone = signed_in(user), signed_in(user, PHONE)

    answer = browser.post("/account/delete/", {"confirmation": "Emmy@uni.example "})

    assert "Your account is deleted" in text_of(answer)
    assert not User.objects.filter(pk=pk).exists()
    assert not Transfer.objects.exists()
    assert not Token.objects.exists()
    assert Revocation.objects.filter(owner_key=key).count() == 2
    assert browser.get("/account/").status_code == 302
    assert phone.get("/account/").status_code == 302
    event = AuditEvent.objects.get(kind="person:self:delete")
    assert (event.actor_id, event.owner_key, event.owner_name) == (
        pk,
        key,
        "Emmy Noether",
    )


def test_jobs_and_service_accounts_are_handed_over_before():
    user = make_user()
    account = make_service_account(owner=user, name="harvest robot")
    make_run(make_job(account, name="nightly harvest"))
    browser = signed_in(user)
    shown = text_of(browser.get("/account/delete/"))
    assert "You own the job “nightly harvest”." in shown
    assert "You answer for the service account “harvest robot”." in shown
    assert "confirmation" not in shown
    answer = browser.post("/account/delete/", {"confirmation": "emmy@uni.example"})
    assert answer.status_code == 409
    assert User.objects.filter(pk=user.pk).exists()


def test_a_run_outlives_whoever_started_it():
    user = make_user()
    run = make_run(make_job(make_service_account()), triggered_by=user)
    signed_in(user).post("/account/delete/", {"confirmation": "emmy@uni.example"})
    run.refresh_from_db()
    assert run.triggered_by is None


def test_a_local_account_is_not_deleted_here():
    user = User.objects.create(username="operator")
    browser = signed_in(user)
    browser.post("/account/delete/", {"confirmation": "operator"})
    assert User.objects.filter(pk=user.pk).exists()
    assert "Sign in as another" not in text_of(browser.get("/account/"))
