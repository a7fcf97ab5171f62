"""The page about notifications, and what pages that are open ask for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import outbox, telling, webhooks
from accounts.models import AuditEvent, OutboxMessage, User, Webhook, Wishes
from accounts.telling import News
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGE = "/notifications/"
FORM = {
    "mail": "digest",
    "digest_hour": "7",
    "zone": "America/Chicago",
    "events": ["failed", "succeeded"],
}


@pytest.fixture
def emmy():
    return make_user(email="emmy@uni.example")


@pytest.fixture
def browser(emmy):
    return signed_in(emmy)


def signed_in(user):
    browser = Client()
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    return browser


def text_of(answer):
    return " ".join(answer.content.decode().split())


def tell(user, key="x", event="failed"):
    telling.tell([News(user, event, key, f"“{key}” has failed", "Why.", "/transfers/")])


def test_wishes_are_kept_and_shown_again(browser, emmy):
    before = timezone.now()
    assert browser.post(PAGE, FORM).status_code == 302
    wishes = Wishes.objects.get()
    assert (wishes.user, wishes.mail, wishes.digest_hour) == (emmy, "digest", 7)
    assert wishes.events == ["failed", "succeeded"]
    # The hour of the digest may have come meanwhile.
    due = {wishes.digest_after(moment) for moment in (before, timezone.now())}
    assert wishes.next_digest_at in due
    page = text_of(browser.get(PAGE))
    assert 'value="America/Chicago"' in page
    assert 'id="event-succeeded" checked' in page
    assert 'id="event-stalled" >' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mail", "sometimes"),
        ("digest_hour", "24"),
        ("zone", "Mars/Olympus"),
        ("zone", "../../etc/passwd"),
        ("events", ["failed", "everything"]),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(browser, field, value):
    answer = browser.post(PAGE, {**FORM, field: value})
    assert answer.status_code == 200
    assert not Wishes.objects.exists()
    assert "Error: Notifications" in text_of(answer)


def test_what_was_held_back_leaves_when_digests_are_given_up(browser, emmy):
    browser.post(PAGE, FORM)
    tell(emmy)
    assert OutboxMessage.objects.get().state == "held"
    browser.post(PAGE, {**FORM, "mail": "at_once"})
    due = Wishes.objects.get().next_digest_at
    assert due is not None
    assert due <= timezone.now()
    browser.post(PAGE, {**FORM, "mail": "at_once"})
    assert Wishes.objects.get().next_digest_at is not None


# --- in the browser


def test_open_pages_show_each_thing_once(browser, emmy):
    assert browser.get(f"{PAGE}new/").status_code == 204
    tell(emmy)
    [news] = browser.get(f"{PAGE}new/").json()["news"]
    assert (news["says"], news["path"]) == ("“x” has failed", "/transfers/")
    # Until a browser says that it has shown it, another one may.
    assert browser.get(f"{PAGE}new/").json()["news"] == [news]
    for _ in range(2):
        assert browser.post(f"{PAGE}shown/", {"id": news["id"]}).status_code == 204
    assert browser.get(f"{PAGE}new/").status_code == 204


def test_nobody_sees_or_hides_what_is_told_to_others(browser, emmy):
    tell(make_user(email="other@uni.example"))
    assert browser.get(f"{PAGE}new/").status_code == 204
    pk = OutboxMessage.objects.get().pk
    browser.post(f"{PAGE}shown/", {"id": [str(pk), "nonsense"]})
    assert OutboxMessage.objects.get().shown_at is None


def test_a_page_that_is_opened_later_does_not_tell_old_things(browser, emmy):
    tell(emmy)
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert browser.get(f"{PAGE}new/").status_code == 204


def test_a_look_costs_one_query_besides_the_session(
    browser, emmy, django_assert_max_num_queries
):
    tell(emmy)
    browser.get(f"{PAGE}new/")
    with django_assert_max_num_queries(3):
        browser.get(f"{PAGE}new/")


def test_looking_does_not_keep_a_session_alive(browser, emmy):
    before = emmy.sessions.get().last_seen
    browser.get(f"{PAGE}new/")
    assert emmy.sessions.get().last_seen == before


# --- the webhook


def hook(browser, **fields):
    return browser.post(f"{PAGE}webhook/", fields)


def test_a_webhook_is_set_shown_its_key_once_and_taken_away(browser, emmy):
    page = text_of(hook(browser, do="set", url="https://hooks.example.org/x"))
    made = Webhook.objects.get()
    key = made.key().reveal()
    assert page.count(key) == 1
    assert Wishes.objects.get(user=emmy).webhook == made
    page = text_of(browser.get(PAGE))
    assert "https://hooks.example.org/x" in page
    assert key not in page

    hook(browser, do="set", url="https://hooks.example.org/y")
    assert Webhook.objects.get().url.endswith("/y")
    hook(browser, do="remove")
    assert not Webhook.objects.exists()
    kinds = AuditEvent.objects.order_by("pk").values_list("kind", flat=True)
    assert [kind for kind in kinds if "webhook" in kind] == [
        "person:webhook:set",
        "person:webhook:set",
        "person:webhook:remove",
    ]


@pytest.mark.parametrize(
    "url", ["http://hooks.example.org/", "https://u:p@h.example/", "", "ftp://x"]
)
def test_a_bad_address_is_said_at_the_field(browser, url):
    page = text_of(hook(browser, do="set", url=url))
    assert 'aria-invalid="true"' in page
    assert not Webhook.objects.exists()


def test_w05_a_private_address_is_not_sent_to(browser):
    hook(browser, do="set", url="https://127.0.0.1/x")
    hook(browser, do="test")
    outbox.send_due()
    row = OutboxMessage.objects.get()
    assert row.state == "given_up"
    assert "private network" in text_of(browser.get(PAGE))


def test_a_test_is_sent_once_and_its_outcome_shown(browser, monkeypatch):
    hook(browser, do="set", url="https://hooks.example.org/x")
    sent = []
    monkeypatch.setattr(webhooks, "deliver", lambda url, body, **_: sent.append(body))
    for _ in range(2):
        hook(browser, do="test")
    assert "On its way" in text_of(browser.get(f"{PAGE}deliveries/"))
    outbox.send_due()
    assert len(sent) == 1
    assert b'"event": "test"' in sent[0]
    assert "Arrived" in text_of(browser.get(f"{PAGE}deliveries/"))


def test_one_that_was_switched_off_is_switched_on_again(browser, emmy):
    hook(browser, do="set", url="https://hooks.example.org/x")
    Webhook.objects.update(off_at=timezone.now(), off_because="It answered 500.")
    page = text_of(browser.get(PAGE))
    assert "Switched off" in page
    assert "It answered 500." in page
    page = text_of(browser.get("/attention/"))
    assert "Your webhook is switched off" in page
    browser.post(f"{PAGE}webhook/on/")
    assert Webhook.objects.get().off_at is None
    assert "Your webhook is" not in text_of(browser.get("/attention/"))


@pytest.mark.parametrize("verb", ["remove", "test", "nonsense", ""])
def test_without_a_webhook_there_is_nothing_to_do(browser, verb):
    assert hook(browser, do=verb).status_code == 302
    assert browser.post(f"{PAGE}webhook/on/").status_code == 302
    assert not OutboxMessage.objects.exists()


def test_a_webhook_goes_with_its_person(emmy):
    browser = signed_in(emmy)
    hook(browser, do="set", url="https://hooks.example.org/x")
    browser.post("/account/delete/", {"confirmation": emmy.identity_username})
    assert not User.objects.filter(pk=emmy.pk).exists()
    assert not Webhook.objects.exists()
