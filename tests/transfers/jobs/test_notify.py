"""Who is told what of a job: each of it once, whoever notices and whoever dies."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.utils import timezone

from accounts import outbox, tasks, webhooks
from accounts.models import OutboxMessage
from tests.factories import make_job, make_run, make_user
from tests.transfers.at_once import at_once
from transfers.jobs import notify
from transfers.jobs.events import EVENTS
from transfers.jobs.models import JobRole, Run
from transfers.jobs.states import advance

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def job():
    owner = make_user(email="owner@uni.example", is_staff=True)
    return make_job(name="nightly", owner=owner, tell_events=[*EVENTS])


def ended(job, state, *, minutes=0, **fields):
    run = make_run(job, state=state, finished_at=NOW, says="Because.", **fields)
    made_at = NOW - timedelta(hours=1) + timedelta(minutes=minutes)
    Run.objects.filter(pk=run.pk).update(created_at=made_at)
    return run


def told():
    notify.sweep(timezone.now())
    rows = OutboxMessage.objects.order_by("created_at", "key")
    return [row.key.split(":")[2] for row in rows]


def test_a_failure_is_told_when_it_begins_and_its_end_too(job):
    ended(job, "succeeded", minutes=1)
    assert told() == []
    ended(job, "failed", minutes=2)
    assert told() == ["failed"]
    ended(job, "failed", minutes=3)
    assert told() == ["failed"]
    ended(job, "skipped", minutes=4, scheduled_for=NOW)
    ended(job, "succeeded", minutes=5)
    assert sorted(told()) == ["failed", "missed", "recovered"]


def test_all_at_once_is_the_same_as_one_by_one(job):
    for minute, state in enumerate(["failed", "failed", "succeeded", "failed"]):
        ended(job, state, minutes=minute)
    assert sorted(told()) == ["failed", "failed", "recovered"]


def test_due_times_that_are_skipped_in_a_row_are_told_once(job):
    for minute in range(3):
        due = NOW - timedelta(minutes=minute)
        ended(job, "skipped", minutes=minute, scheduled_for=due)
    assert told() == ["missed"]


def test_a_stall_and_a_long_run_are_told_once_each(job):
    job.long_minutes = 30
    job.save()
    began = NOW - timedelta(minutes=31)
    run = make_run(job, state="stalled", started_at=began)
    assert sorted(told()) == ["long", "stalled"]
    run.state = "moving"
    run.save()
    told()
    run.state = "stalled"
    run.save()
    assert sorted(told()) == ["long", "stalled"]


def test_a_step_of_the_state_machine_is_enough(job):
    run = make_run(job, state="preparing")
    advance(run, Run.State.FAILED, says="No.")
    assert told() == ["failed"]


def test_what_nobody_asked_for_is_not_told(job):
    job.tell_events = ["recovered"]
    job.save()
    ended(job, "failed")
    assert told() == []
    assert not Run.objects.filter(told_at=None).exists()


def test_sweeps_at_once_tell_it_once(job):
    run = ended(job, "failed")
    told()
    Run.objects.filter(pk=run.pk).update(told_at=None)  # as if that was not written
    assert told() == ["failed"]


def test_groups_that_may_run_it_are_told_and_others_not(job):
    job.tell_groups = True
    job.save()
    for number, (can_run, email, is_staff) in enumerate(
        [
            (True, "runner@uni.example", True),
            (False, "looker@uni.example", True),
            (True, "gone@uni.example", False),
            (True, "no address", True),
        ]
    ):
        group = Group.objects.create(name=f"g{number}")
        JobRole.objects.create(job=job, group=group, can_run=can_run)
        make_user(email=email, is_staff=is_staff).groups.add(group)
    ended(job, "failed")
    told()
    mailed = OutboxMessage.objects.filter(state="waiting").select_related("user")
    to = {row.user.email for row in mailed}
    assert to == {"owner@uni.example", "runner@uni.example"}


# --- the outbox


@pytest.mark.django_db(transaction=True)
def test_a_mail_leaves_once_however_often_it_is_sent(job, messages):
    ended(job, "failed")
    told()
    assert ("send_messages",) in messages()
    for _ in range(3):
        tasks.send_messages()
    [sent] = mail.outbox
    assert sent.to == ["owner@uni.example"]
    assert sent.subject == "The job “nightly” has failed"
    assert "/jobs/runs/" in sent.body
    assert OutboxMessage.objects.get().state == "sent"


def test_a_mail_server_that_is_down_is_asked_again_and_then_given_up(
    job, monkeypatch, settings
):
    ended(job, "failed")
    told()
    settings.EMAIL_BACKEND = "tests.transfers.jobs.test_notify.Down"
    moment = timezone.now()
    for _ in range(len(outbox.PAUSES) + 3):
        outbox.send_due(now=moment)
        moment += timedelta(days=1)
    row = OutboxMessage.objects.get()
    assert (row.state, row.attempts) == ("given_up", len(outbox.PAUSES) + 1)
    assert row.last_error == "ConnectionRefusedError"


def Down(*args, **kwargs):
    raise ConnectionRefusedError


def test_a_worker_that_dies_leaves_its_message_to_the_next(job, monkeypatch):
    ended(job, "failed")
    told()
    monkeypatch.setattr(outbox, "_send", lambda message: None)  # dies
    now = timezone.now()
    assert outbox.send_due(now=now) == 1
    monkeypatch.undo()
    assert outbox.send_due(now=now) == 0
    assert outbox.send_due(now=now + outbox.CLAIM_LASTS) == 1
    assert len(mail.outbox) == 1


def test_a_webhook_gets_what_happened_and_no_mail_waits_for_it(job, monkeypatch):
    job.webhook, key = webhooks.make("https://hooks.example.org/x", by=None)
    job.tell_owner = False
    job.save()
    run = ended(job, "failed", error_code="EXPIRED")
    told()
    sent = []
    monkeypatch.setattr(
        webhooks,
        "deliver",
        lambda url, body, *, key, delivery_id: sent.append((url, body, delivery_id)),
    )
    outbox.send_due()
    [(url, body, delivery_id)] = sent
    assert url == "https://hooks.example.org/x"
    document = json.loads(body)
    assert document["id"] == delivery_id
    assert document["event"] == "failed"
    assert document["run"]["id"] == str(run.pk)
    assert document["run"]["error_code"] == "EXPIRED"
    assert key.reveal() not in body.decode()


@pytest.mark.django_db(transaction=True)
def test_ten_sweeps_and_ten_senders_at_once_are_one_mail(job):
    ended(job, "failed")

    def work():
        notify.sweep(timezone.now())
        outbox.send_due()

    at_once(10, work)
    outbox.send_due()
    assert OutboxMessage.objects.count() == 1
    assert len(mail.outbox) == 1


def test_many_ends_are_all_looked_at(job, monkeypatch):
    monkeypatch.setattr(notify, "BATCH", 2)
    for minute in range(5):
        ended(job, "failed" if minute == 4 else "succeeded", minutes=minute)
    assert told() == ["failed"]
    assert not Run.objects.filter(told_at=None).exists()
