"""G05: the figures of which alerts are made."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import audit
from accounts.models import AuditEvent, Token
from accounts.vault import CannotOpen
from portal import counters
from tests.factories import make_job, make_run, make_token, make_user

LINE = re.compile(r'^[a-z_]+(\{([a-z_]+="[^"\\\n]*",?)+\})? [0-9.e+-]+$')

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def from_nought(monkeypatch):
    """And counted also when Redis takes longer than a page would wait for it."""
    monkeypatch.setattr(counters, "TIMEOUT_SECONDS", 60.0)
    kept = {}
    monkeypatch.setattr(counters, "_kept", kept)
    counters.forget()
    yield
    for client in kept.values():
        client.close()


def figures(**extra):
    answer = Client(REMOTE_ADDR="127.0.0.1").get("/metrics", **extra)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (
            line.rpartition(" ") for line in lines if not line.startswith("#")
        )
    }


def test_the_format_is_prometheuss():
    audit.record("person:session:sign-in")
    text = Client(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    assert text.endswith("\n")
    kinds = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            kinds[name] = kind
        elif not line.startswith("#"):
            assert LINE.match(line), line
            assert line.partition("{")[0].partition(" ")[0] in kinds, line
    assert {"counter", "gauge"} == set(kinds.values())


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 404),
        ("10.0.0.1", {}, 404),
        ("", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 404),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 404),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 404),
    ],
)
def test_only_this_machine_reads_them(address, headers, status):
    answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == status


def test_behind_a_proxy_nobody_reads_them_without_a_token(settings):
    settings.BEHIND_TLS_PROXY = True
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer figures-token", 200),
        ("Bearer figures-toke", 404),
        ("Bearer ", 404),
        ("figures-token", 404),
        ("Bearer figures-tokén", 404),
        ("", 404),
    ],
)
def test_with_a_token_it_is_the_token_that_counts(settings, header, status):
    settings.METRICS_TOKEN = "figures-token"
    answer = Client(REMOTE_ADDR="192.0.2.7").get(
        "/metrics", headers={"Authorization": header}
    )
    assert answer.status_code == status
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


def test_g05_refused_sign_ins_of_the_last_minute(
    django_capture_on_commit_callbacks,
):
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(21):
            audit.record("person:session:sign-in", outcome=audit.Outcome.REFUSED)
        audit.record("person:session:sign-in")
    AuditEvent.objects.create(
        kind="person:session:sign-in",
        outcome="refused",
        at=timezone.now() - timedelta(seconds=61),
    )
    found = figures()
    assert found["causeway_sign_ins_refused_last_minute"] == 21
    series = (
        'causeway_audit_entries_total{kind="person:session:sign-in",outcome="refused"}'
    )
    assert found[series] == 21


def test_an_entry_that_is_rolled_back_is_not_counted(
    django_capture_on_commit_callbacks,
):
    with django_capture_on_commit_callbacks(execute=True) as counted:
        with transaction.atomic():
            audit.record("a:b:c")
            transaction.set_rollback(True)
        audit.record("d:e:f")
    assert len(counted) == 1
    entries = {name for name in figures() if "audit_entries" in name}
    assert entries == {'causeway_audit_entries_total{kind="d:e:f",outcome="ok"}'}


def test_g05_a_decrypt_failure_is_counted_even_if_all_is_rolled_back():
    token = make_token(make_user())
    sealed = bytes(token.sealed_access_token)
    token.sealed_access_token = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for _ in range(2):
        with pytest.raises(CannotOpen):
            token.access_token()
    assert figures()['causeway_decrypt_failures_total{table="token"}'] == 2


def test_g05_a_replayed_state_is_counted():
    audit.record("person:session:replay", outcome=audit.Outcome.REFUSED)
    assert figures()["causeway_state_replays_last_day"] == 1


def test_g05_the_share_of_people_who_have_to_sign_in_again():
    for number in range(10):
        make_token(
            make_user(),
            state=Token.State.NEEDS_SIGN_IN if number < 3 else Token.State.OK,
        )
    make_user()
    make_token(make_user(is_active=False), state=Token.State.NEEDS_SIGN_IN)
    found = figures()
    assert found["causeway_people_needing_sign_in"] == 3
    assert found["causeway_people_needing_sign_in_ratio"] == pytest.approx(0.3)


def test_g05_a_run_without_a_heartbeat():
    now = timezone.now()
    job = make_job()
    make_run(job, state="preparing", heartbeat_at=now - timedelta(minutes=11))
    make_run(job, state="preparing", heartbeat_at=now - timedelta(minutes=9))
    make_run(job, next_try_at=now - timedelta(minutes=11))
    make_run(job, next_try_at=now + timedelta(minutes=30))
    assert figures()["causeway_runs_without_heartbeat"] == 2


def test_an_audit_that_is_not_sealed_shows():
    AuditEvent.objects.create(kind="x:y:z", at=timezone.now() - timedelta(minutes=5))
    assert figures()["causeway_audit_unsealed_seconds"] >= 300


def test_without_redis_the_rest_is_told_and_nobody_waits(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(counters, "_paused_until", 0.0)
    counters.count("causeway_audit_entries_total", kind="a:b:c", outcome="ok")
    assert counters._paused_until > 0, "left alone for a while"
    assert figures()["causeway_people_with_tokens"] == 0
    monkeypatch.setattr(counters, "_paused_until", 0.0)
