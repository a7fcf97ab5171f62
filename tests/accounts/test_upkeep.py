"""T11: tokens in use are renewed before anybody waits, idle ones are kept alive."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts import tasks, tokens, upkeep
from accounts.models import AuditEvent, Token
from portal.globus import scopes
from portal.globus.errors import GlobusUnreachable, SignInRequired
from tests.accounts.test_tokens import TOKEN_ROUTE, token_requests
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_transfer,
    make_user,
)
from transfers.work import owners_at_work

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = Q(pk=None)


def due_renewals(messages):
    return [pk for name, pk in messages() if name == "renew_token"]


def make_due(principal=None, *, used=True, lasts=timedelta(minutes=4), **fields):
    """A token issued two days ago, about to expire."""
    now = timezone.now()
    return make_token(
        principal or make_user(),
        lasts=lasts,
        issued_at=now - timedelta(days=2),
        renew_at=now - timedelta(seconds=1),
        used_at=now - timedelta(days=1) if used else None,
        **fields,
    )


def look(row):
    row.refresh_from_db()
    return row


def test_t11_a_token_in_use_is_renewed_before_it_expires(sandbox, ada, messages):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    now = timezone.now()
    Token.objects.filter(pk=row.pk).update(
        expires_at=now + timedelta(minutes=7), renew_at=now, used_at=now
    )
    before = len(token_requests(sandbox))

    upkeep.queue_due(working=NOBODY)
    assert due_renewals(messages) == [str(row.pk)]
    tasks.renew_token(str(row.pk))
    tasks.renew_token(str(row.pk))  # a message may come twice

    renewed = look(Token.objects.get(pk=row.pk))
    assert renewed.generation == row.generation + 1
    assert renewed.expires_at - now > timedelta(hours=47)
    assert len(token_requests(sandbox)) - before == 1


def test_t11_a_token_that_nobody_used_sleeps(messages):
    row = make_due(used=False)
    upkeep.queue_due(working=NOBODY)
    assert due_renewals(messages) == []
    idle_for = look(row).renew_at - row.issued_at
    assert timedelta(days=143) <= idle_for <= timedelta(days=150)


def test_t11_a_service_accounts_token_that_nobody_used_is_left_to_its_secret(messages):
    row = make_due(make_service_account(), used=False)
    upkeep.queue_due(working=NOBODY)
    assert due_renewals(messages) == []
    assert look(row).renew_at is None


def test_t11_unfinished_work_keeps_a_token_fresh(messages):
    mover, runner, done = make_user(), make_service_account(), make_user()
    make_transfer(mover, status="ACTIVE")
    make_run(make_job(runner))
    make_transfer(done, status="SUCCEEDED")
    rows = [make_due(each, used=False) for each in (mover, runner, done)]

    upkeep.queue_due(working=owners_at_work())

    assert sorted(due_renewals(messages)) == sorted(str(row.pk) for row in rows[:2])


def test_t11_a_refresh_token_unused_for_five_months_is_used_once(
    sandbox, ada, messages
):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    now = timezone.now()
    Token.objects.filter(pk=row.pk).update(
        issued_at=now - timedelta(days=150),
        expires_at=now - timedelta(days=148),
        renew_at=now,
        used_at=None,
    )
    sandbox.advance(150 * 86_400)

    upkeep.queue_due(working=NOBODY)
    assert due_renewals(messages) == [str(row.pk)]
    tasks.renew_token(str(row.pk))

    kept = look(Token.objects.get(pk=row.pk))
    assert kept.state == Token.State.OK
    assert kept.issued_at > now
    sandbox.advance(150 * 86_400)  # 300 days without anybody
    Token.objects.filter(pk=row.pk).update(expires_at=now)
    assert tokens.access_token(ada, scopes.TRANSFER).secret


def test_t11_left_alone_for_longer_it_needs_a_sign_in(sandbox, ada):
    """What the test above saves a person from."""
    sandbox.advance(190 * 86_400)
    Token.objects.held_for(ada).update(expires_at=timezone.now())
    with pytest.raises(SignInRequired):
        tokens.access_token(ada, scopes.TRANSFER)


def test_two_ticks_at_once_queue_each_token_once(messages):
    rows = [make_due() for _ in range(4)]
    holding, done = threading.Event(), threading.Event()

    def other_tick():
        with transaction.atomic():
            held = Token.objects.select_for_update().filter(pk__in=[rows[0].pk])
            assert held.get()
            holding.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=other_tick)
    thread.start()
    assert holding.wait(30)
    try:
        upkeep.queue_due(working=NOBODY)
    finally:
        done.set()
        thread.join()
    upkeep.queue_due(working=NOBODY)
    assert sorted(due_renewals(messages)) == sorted(str(row.pk) for row in rows)


def test_a_lost_message_is_sent_again(messages):
    row = make_due()
    upkeep.queue_due(working=NOBODY)
    upkeep.queue_due(working=NOBODY)
    assert due_renewals(messages) == [str(row.pk)]
    later = timezone.now() + upkeep.QUEUED_LASTS + timedelta(seconds=1)
    upkeep.queue_due(working=NOBODY, now=later)
    assert due_renewals(messages) == [str(row.pk)] * 2


def test_the_tokens_of_one_sign_in_are_due_at_different_times():
    user = make_user()
    due = [
        make_token(user, resource_server=f"server-{number}", lasts=timedelta(days=2))
        for number in range(20)
    ]
    before_the_end = [row.expires_at - row.renew_at for row in due]
    assert min(before_the_end) >= timedelta(minutes=5)
    assert max(before_the_end) <= timedelta(minutes=10)
    assert len({each.seconds for each in before_the_end}) > 5


def test_an_outage_is_waited_for_with_growing_pauses(sandbox, messages):
    row = make_due()
    sandbox.fault(TOKEN_ROUTE, status=503, retry_after=0)
    pauses = []
    for _ in range(4):
        Token.objects.filter(pk=row.pk).update(next_try_at=None)
        before = timezone.now()
        tasks.renew_token(str(row.pk))
        assert look(row).state == Token.State.BACKING_OFF
        due, after = row.renew_at, timezone.now()
        pauses.append([(due - each).total_seconds() for each in (before, after)])
    assert pauses[0][1] <= 30
    at_least, at_most = pauses[3]
    assert at_least >= 150
    assert at_most <= 300
    # For whoever acts meanwhile the token works to its end, and no audit calls it dead.
    assert tokens.access_token(row.user, scopes.TRANSFER).secret.reveal() == "AgAccess"
    assert not AuditEvent.objects.exists()


def test_a_dead_refresh_token_is_no_outage(sandbox, ada):
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    sandbox.wipe_tokens()
    Token.objects.filter(pk=row.pk).update(
        expires_at=timezone.now() + timedelta(minutes=4)
    )

    tasks.renew_token(str(row.pk))

    assert look(row).state == Token.State.NEEDS_SIGN_IN
    assert row.renew_at is None
    event = AuditEvent.objects.get(kind="token:refresh:died")
    assert (event.owner_key, event.credential_id) == (ada.owner_key, row.pk)
    assert event.detail == {
        "resource_server": scopes.TRANSFER,
        "code": "invalid_grant",
    }
    tasks.renew_token(str(row.pk))
    assert AuditEvent.objects.filter(kind="token:refresh:died").count() == 1


def test_nobody_renews_for_somebody_who_was_switched_off(sandbox):
    row = make_due(make_user(is_active=False))
    tasks.renew_token(str(row.pk))
    assert token_requests(sandbox) == []


def test_a_switch_turned_off_meanwhile_counts(sandbox, service_account):
    """The caller's object is older than the switch."""
    stale = type(service_account).objects.get(pk=service_account.pk)
    type(service_account).objects.update(enabled=False, disabled_reason="Leaked.")
    with pytest.raises(Exception, match="Leaked"):
        tokens.access_token(stale, scopes.TRANSFER)
    assert token_requests(sandbox) == []


def test_used_at_is_written_at_most_hourly(django_assert_num_queries):
    user = make_user()
    row = make_token(user, lasts=timedelta(days=1))
    tokens.access_token(user, scopes.TRANSFER)
    first = look(row).used_at
    assert timezone.now() - first < timedelta(minutes=1)
    with django_assert_num_queries(1):
        tokens.access_token(user, scopes.TRANSFER)
    Token.objects.update(used_at=first - timedelta(minutes=61))
    tokens.access_token(user, scopes.TRANSFER)
    assert look(row).used_at >= first


def test_a_message_that_names_nothing_does_nothing(sandbox):
    for text in ("", "x", "00000000-0000-4000-8000-000000000000"):
        tasks.renew_token(text)
        tasks.revoke_token(text)
        tasks.revoke_switched_off("user", text)
        tasks.revoke_switched_off("service-account", text)
    assert token_requests(sandbox) == []


@pytest.mark.parametrize("status", [429, 500])
def test_an_outage_and_a_dead_token_are_told_apart(sandbox, ada, status):
    Token.objects.held_for(ada).update(expires_at=timezone.now())
    sandbox.fault(TOKEN_ROUTE, status=status, retry_after=0)
    with pytest.raises(GlobusUnreachable):
        tokens.access_token(ada, scopes.TRANSFER)
    sandbox.clear_faults()
    sandbox.wipe_tokens()
    Token.objects.held_for(ada).update(next_try_at=None)
    with pytest.raises(SignInRequired):
        tokens.access_token(ada, scopes.TRANSFER)
