"""People are told of what happens to their transfers: each of it once, as they wish."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts import digests, outbox, webhooks
from accounts.models import OutboxMessage, Webhook, Wishes
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_transfer,
    make_user,
)
from tests.transfers.at_once import at_once
from transfers import telling
from transfers.jobs import notify
from transfers.models import STALLED_AFTER, Transfer

pytestmark = pytest.mark.django_db

EVENTS = ["waits", "stalled", "failed", "succeeded"]


@pytest.fixture
def emmy():
    user = make_user(email="emmy@uni.example")
    Wishes.objects.create(user=user, events=EVENTS)
    return user


def ended(person, status="FAILED", **fields):
    return make_transfer(
        person, status=status, finished_at=fields.pop("at", timezone.now()), **fields
    )


def stalled(person, **fields):
    since = timezone.now() - STALLED_AFTER
    return make_transfer(
        person,
        status="ACTIVE",
        is_ok=False,
        nice_status="FILE_NOT_FOUND",
        fault_since=since,
        **fields,
    )


def sweep(now=None):
    telling.sweep(now or timezone.now())
    return [row.payload["event"] for row in OutboxMessage.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("status", "event", "words"),
    [
        ("FAILED", "failed", "“Numbers” has failed"),
        ("SUCCEEDED", "succeeded", "“Numbers” is done"),
    ],
)
def test_an_end_is_told_once_with_the_way_to_its_page(emmy, status, event, words):
    transfer = ended(emmy, status)
    for _ in range(3):
        assert sweep() == [event]
    outbox.send_due()
    [message] = mail.outbox
    assert message.subject == words
    assert f"/transfers/{transfer.pk}/" in message.body


def test_what_one_stopped_oneself_and_old_ends_are_no_news(emmy):
    ended(emmy, error_code="CANCELED")
    ended(emmy, at=timezone.now() - timedelta(days=4))
    assert sweep() == []


def test_what_a_service_account_did_is_told_to_the_people_of_its_job():
    ended(make_service_account())
    assert sweep() == []


def test_only_what_one_wants_to_hear_of(emmy):
    Wishes.objects.update(events=["stalled"])
    ended(emmy)
    ended(emmy, "SUCCEEDED")
    assert sweep() == []
    assert not Transfer.objects.filter(told_at=None).exists()


def test_who_never_said_anything_hears_of_failures_and_not_of_successes():
    person = make_user(email="noether@uni.example")
    ended(person)
    ended(person, "SUCCEEDED")
    assert sweep() == ["failed"]


def test_a_stall_is_told_when_it_begins_and_anew_when_it_begins_again(emmy):
    transfer = stalled(emmy)
    assert sweep() == sweep() == ["stalled"]
    Transfer.objects.update(is_ok=True, fault_since=None)
    assert sweep() == ["stalled"]
    assert Transfer.objects.get().trouble_told_at is None
    Transfer.objects.update(is_ok=False, fault_since=transfer.fault_since)
    assert sweep(timezone.now() + timedelta(minutes=1)) == ["stalled"] * 2


def test_a_pause_is_told_with_the_words_of_the_owner(emmy):
    make_transfer(
        emmy, status="ACTIVE", is_paused=True, pause_message="Disks until\r\nMonday"
    )
    sweep()
    outbox.send_due()
    [message] = mail.outbox
    assert message.subject == "“Numbers” is paused"
    assert "Disks until" in message.body


def test_one_behind_another_is_told(emmy):
    make_transfer(emmy, status="WAITING", blocked_at=timezone.now())
    assert sweep() == ["waits"]


def test_an_inactive_one_is_told_as_what_globus_wants_and_not_twice(emmy):
    make_transfer(emmy, status="INACTIVE")
    assert sweep() == []


def test_ten_sweeps_and_ten_senders_at_once_are_one_mail(transactional_db):
    person = make_user(email="emmy@uni.example")
    ended(person)
    stalled(person)

    def work():
        telling.sweep(timezone.now())
        outbox.send_due()

    at_once(10, work)
    outbox.send_due()
    assert len(mail.outbox) == OutboxMessage.objects.count() == 2


def test_many_ends_are_all_looked_at(emmy, monkeypatch):
    monkeypatch.setattr(telling, "BATCH", 2)
    for _ in range(5):
        ended(emmy)
    assert sweep() == ["failed"] * 5


def test_the_number_of_queries_does_not_grow(emmy, django_assert_max_num_queries):
    for _ in range(20):
        ended(emmy)
        stalled(emmy)
    with django_assert_max_num_queries(26):
        telling.sweep(timezone.now())
    assert OutboxMessage.objects.count() == 40


# --- mail: at once, together, never


def in_digest(person, hour=8, zone="UTC", now=None):
    wishes = Wishes(user=person, events=EVENTS, mail=Wishes.Mail.DIGEST)
    wishes.digest_hour, wishes.zone = hour, zone
    wishes.next_digest_at = wishes.digest_after(now or timezone.now())
    wishes.save()
    return wishes


def test_a_digest_holds_everything_once_and_is_one_mail(emmy):
    wishes = in_digest(emmy)
    ended(emmy)
    ended(emmy, "SUCCEEDED", label="more")
    sweep()
    outbox.send_due()
    assert digests.put_due(timezone.now()) == 0
    assert not mail.outbox

    due = wishes.next_digest_at
    for _ in range(2):
        digests.put_due(due)
        outbox.send_due(now=due)
    [message] = mail.outbox
    assert message.subject == "2 things from Causeway since the last digest"
    assert "“Numbers” has failed" in message.body
    assert message.body.count("/transfers/") == 2
    wishes.refresh_from_db()
    assert wishes.next_digest_at == due + timedelta(days=1)
    digests.put_due(wishes.next_digest_at)
    outbox.send_due(now=wishes.next_digest_at)
    assert len(mail.outbox) == 1, "nothing new, no mail"


def test_what_was_mended_before_the_digest_is_not_in_it(emmy):
    wishes = in_digest(emmy)
    stalled(emmy)
    sweep()
    Transfer.objects.update(is_ok=True, fault_since=None)
    sweep()
    digests.put_due(wishes.next_digest_at)
    assert [row.state for row in OutboxMessage.objects.all()] == ["quiet"]


def test_two_sweeps_at_once_make_one_digest(transactional_db):
    person = make_user(email="emmy@uni.example")
    due = in_digest(person).next_digest_at
    for _ in range(3):
        ended(person)
    telling.sweep(timezone.now())

    def work():
        digests.put_due(due)
        outbox.send_due(now=due)

    at_once(5, work)
    outbox.send_due(now=due)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("zone", "hour", "now", "due"),
    [
        ("UTC", 8, (2026, 5, 1, 7), (2026, 5, 1, 8)),
        ("UTC", 8, (2026, 5, 1, 8), (2026, 5, 2, 8)),
        ("America/Chicago", 8, (2026, 5, 1, 12), (2026, 5, 1, 13)),
        # the clocks go forward in the night, and back
        ("Europe/Berlin", 8, (2026, 3, 28, 12), (2026, 3, 29, 6)),
        ("Europe/Berlin", 8, (2026, 10, 24, 12), (2026, 10, 25, 7)),
        # 2:00 is left out
        ("Europe/Berlin", 2, (2026, 3, 28, 12), (2026, 3, 29, 1)),
    ],
)
def test_the_hour_is_the_persons(zone, hour, now, due):
    wishes = Wishes(zone=zone, digest_hour=hour)
    found = wishes.digest_after(datetime(*now, tzinfo=UTC))
    assert found.astimezone(UTC) == datetime(*due, tzinfo=UTC)


def test_who_wants_no_mail_gets_none_and_still_sees_it_in_the_browser(emmy):
    Wishes.objects.update(mail="never")
    ended(emmy)
    sweep()
    outbox.send_due()
    assert not mail.outbox
    row = OutboxMessage.objects.get()
    assert (row.state, row.shown_at) == ("quiet", None)


def test_jobs_are_told_in_the_way_that_the_person_wishes(emmy):
    emmy.is_staff = True
    emmy.save()
    in_digest(emmy)
    job = make_job(owner=emmy, tell_events=["failed"])
    make_run(job, state="failed", finished_at=timezone.now(), says="No.")
    notify.sweep(timezone.now())
    assert [row.state for row in OutboxMessage.objects.all()] == ["held"]


# --- webhooks of a person


@pytest.fixture
def hooked(emmy):
    hook, _ = webhooks.make("https://hooks.example.org/x", by=emmy)
    Wishes.objects.update(webhook=hook)
    return hook


@pytest.fixture
def delivered(monkeypatch):
    sent = []
    monkeypatch.setattr(
        webhooks,
        "deliver",
        lambda url, body, *, key, delivery_id: sent.append(json.loads(body)),
    )
    return sent


def test_a_webhook_gets_what_happened_once(emmy, hooked, delivered):
    transfer = ended(emmy, error_code="EXPIRED")
    for _ in range(2):
        sweep()
        outbox.send_due()
    [document] = delivered
    assert document["event"] == "failed"
    assert document["transfer"]["id"] == str(transfer.pk)
    assert document["transfer"]["error_code"] == "EXPIRED"
    assert document["link"].endswith(f"/transfers/{transfer.pk}/")
    assert len(mail.outbox) == 1


def test_a_digest_does_not_hold_a_webhook_up(emmy, hooked, delivered):
    in_digest(emmy)
    Wishes.objects.update(webhook=hooked)
    due = Wishes.objects.get().next_digest_at
    ended(emmy)
    sweep()
    outbox.send_due()
    assert [each["event"] for each in delivered] == ["failed"]
    digests.put_due(due)
    outbox.send_due(now=due)
    assert len(delivered) == 1


def test_an_address_that_takes_nothing_is_switched_off(emmy, hooked, monkeypatch):
    def refuse(url, body, *, key, delivery_id):
        raise webhooks.NotDelivered("It answered 410.", is_final=True)

    monkeypatch.setattr(webhooks, "deliver", refuse)
    for number in range(webhooks.MOST_FAILURES):
        hooked.refresh_from_db()
        assert hooked.off_at is None, number
        ended(emmy)
        sweep()
        outbox.send_due()
    hooked.refresh_from_db()
    assert hooked.off_at
    assert hooked.off_because == "It answered 410."

    monkeypatch.setattr(webhooks, "deliver", lambda *a, **k: 1 / 0)
    ended(emmy)
    sweep()
    outbox.send_due()  # is not even asked

    webhooks.switch_on(hooked)
    hooked = Webhook.objects.get()
    assert (hooked.off_at, hooked.failures) == (None, 0)


def test_one_delivery_makes_the_failures_before_it_forgotten(emmy, hooked, delivered):
    Webhook.objects.update(failures=webhooks.MOST_FAILURES - 1)
    ended(emmy)
    sweep()
    outbox.send_due()
    assert Webhook.objects.get().failures == 0


# --- whoever dies


def test_a_worker_that_dies_while_it_tells_has_told_nothing(emmy, monkeypatch):
    ended(emmy)

    def dies(*args, **kwargs):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(outbox.queue, "send_messages", dies)
        with pytest.raises(SystemExit):
            telling.sweep(timezone.now())
    assert not OutboxMessage.objects.exists()
    assert Transfer.objects.get().told_at is None
    assert sweep() == sweep() == ["failed"]
