"""A05: the audit is only added to, and shows it when it was not."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit, sealing
from accounts.models import AuditEvent, AuditSeal, AuditUnsealed, User
from sandbox import seed
from tests.factories import make_service_account, make_token, make_user
from tests.flows import person, sign_in

TABLES = ("accounts_auditevent", "accounts_auditseal")

pytestmark = pytest.mark.django_db


def write(count=1, **fields):
    return [audit.record("person:session:sign-in", **fields) for _ in range(count)]


def verify(**options):
    out, err = StringIO(), StringIO()
    try:
        call_command("verify_audit", stdout=out, stderr=err, **options)
    except CommandError as error:
        return error.returncode, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def tamper(statement, *args):
    """What somebody could do who owns the database."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        cursor.execute(statement, args)
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {} = {}",
        "DELETE FROM {}",
        "TRUNCATE {}",
    ],
)
def test_a05_the_database_refuses_to_change_it(table, statement):
    write()
    sealing.seal_new()
    column = "kind" if table == TABLES[0] else "event_id"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER audit_no_truncate")
        with (
            pytest.raises(IntegrityError, match="only be added to"),
            transaction.atomic(),
        ):
            cursor.execute(statement.format(table, column, column))


def test_a05_the_models_cannot_change_it_either():
    (event,) = write()
    event.kind = "something:else:entirely"
    for attempt in (
        event.save,
        event.delete,
        lambda: AuditEvent.objects.update(kind="x"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            attempt()


def test_a05_an_entry_outlives_whoever_it_is_about():
    user = make_user(name="Emmy Noether")
    (event,) = write(actor=user, owner=user)
    user_id = user.pk
    user.delete()
    event.refresh_from_db()
    assert (event.actor_id, event.actor_name) == (user_id, "Emmy Noether")
    assert event.owner_key == f"user:{user_id}"


def test_a_new_entry_waits_for_its_seal_and_gets_it():
    write(3)
    assert AuditUnsealed.objects.count() == 3
    assert sealing.seal_new() == 3
    assert AuditUnsealed.objects.count() == 0
    assert [*AuditSeal.objects.values_list("number", flat=True)] == [1, 2, 3]
    assert sealing.seal_new() == 0


def test_sealing_goes_on_where_it_stopped():
    write(5)
    assert sealing.seal_new(limit=2) == 2
    assert sealing.seal_new(limit=2) == 2
    write()
    assert sealing.seal_new() == 2
    code, says = verify()
    assert (code, says.splitlines()[0]) == (0, "6 entries are sealed, 0 wait for it.")


def test_verify_is_content_with_an_empty_audit_and_with_fresh_entries():
    assert verify()[0] == 0
    write(2)
    code, says = verify()
    assert code == 0
    assert "2 wait for it" in says


def test_verify_misses_a_seal_that_is_overdue():
    event = AuditEvent.objects.create(
        kind="x:y:z", at=timezone.now() - sealing.GRACE - timedelta(seconds=1)
    )
    code, says = verify()
    assert code == 1
    assert f"Entry {event.pk} has no seal" in says


@pytest.mark.parametrize(
    "column",
    [
        "kind = 'a'",
        "actor_name = 'b'",
        "detail = '{\"c\": 1}'",
        "at = at + '1 s'",
        "outcome = 'failed'",
        "owner_key = 'd'",
        "address = '10.0.0.1'",
    ],
)
def test_verify_names_the_entry_that_was_changed(column):
    events = write(4)
    sealing.seal_new()
    tamper(
        f"UPDATE accounts_auditevent SET {column.replace('%', '%%')} WHERE id = %s",
        events[1].pk,
    )
    code, says = verify()
    assert code == 1
    assert f"Entry {events[1].pk} or seal 2 was changed." in says
    assert says.count("was changed") == 1


def test_verify_names_the_entry_that_is_gone():
    events = write(4)
    sealing.seal_new()
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", events[2].pk)
    code, says = verify()
    assert code == 1
    assert f"Entry {events[2].pk} is gone" in says


def test_verify_names_an_entry_that_was_taken_out_before_it_was_sealed():
    (event,) = write()
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", event.pk)
    assert sealing.seal_new() == 0
    code, says = verify()
    assert code == 1
    assert f"Entry {event.pk} is gone; it was written and never sealed." in says


def test_verify_names_the_seals_that_are_gone():
    write(5)
    sealing.seal_new()
    tamper("DELETE FROM accounts_auditseal WHERE number IN (2, 3)")
    code, says = verify()
    assert code == 1
    assert "Seals 2 to 3 are missing." in says


def test_verify_names_a_seal_that_was_changed():
    write(3)
    sealing.seal_new()
    tamper("UPDATE accounts_auditseal SET digest = %s WHERE number = 2", "0" * 64)
    code, says = verify()
    assert code == 1
    assert "seal 2 was changed" in says


def test_an_entry_whose_seal_was_made_to_fit_shows_at_the_next_one():
    """What makes it a chain: each seal covers the one before."""
    first, second, third = write(3)
    sealing.seal_new()
    before = AuditSeal.objects.get(event_id=first.pk).digest
    tamper("UPDATE accounts_auditevent SET actor_name = 'x' WHERE id = %s", second.pk)
    second.refresh_from_db()
    fitting = sealing.digest_of(second, 2, before)
    tamper("UPDATE accounts_auditseal SET digest = %s WHERE number = 2", fitting)
    code, says = verify()
    assert code == 1
    assert f"Entry {third.pk} or seal 3 was changed." in says


def test_a_chain_that_was_cut_and_written_anew_does_not_fit_what_was_noted():
    events = write(4)
    sealing.seal_new()
    noted = verify()[1].split("Last seal: ")[1].strip()
    assert verify(expect=noted)[0] == 0
    tamper("DELETE FROM accounts_auditseal WHERE number > 2")
    tamper("DELETE FROM accounts_auditevent WHERE id > %s", events[1].pk)
    assert verify()[0] == 0, "nothing in the database shows it"
    assert "Seal 4 is missing" in verify(expect=noted)[1]
    write(2)
    sealing.seal_new()
    assert "Seal 4 is not the one" in verify(expect=noted)[1]


def test_the_last_seal_goes_to_the_log(caplog):
    write(2)
    with caplog.at_level(logging.INFO, logger="accounts.sealing"):
        sealing.seal_new()
    noted = caplog.messages[-1].rpartition(" ")[2]
    assert verify(expect=noted)[0] == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_seal_at_once():
    write(3)
    holds, done = threading.Event(), threading.Event()

    def hold_the_lock():
        with transaction.atomic():
            assert sealing._alone()
            holds.set()
            done.wait(60)
        connections.close_all()

    other = threading.Thread(target=hold_the_lock)
    other.start()
    assert holds.wait(60)
    assert sealing.seal_new() == 0
    done.set()
    other.join()
    assert sealing.seal_new() == 3


@pytest.mark.django_db(transaction=True)
def test_an_entry_of_a_slow_transaction_is_sealed_later_and_nothing_is_missed():
    written, sealed = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            write()
            written.set()
            sealed.wait(60)
        connections.close_all()

    other = threading.Thread(target=slow)
    other.start()
    assert written.wait(60)
    write(2)
    assert sealing.seal_new() == 2
    sealed.set()
    other.join()
    assert sealing.seal_new() == 1
    assert verify()[0] == 0


# --- what is written down where nobody presses a button


def test_a05_rights_that_follow_globus_groups_are_written_down(sandbox):
    sign_in(Client(), sandbox, "root")
    given = AuditEvent.objects.get(kind="person:rights:change")
    assert given.owner_key == person("root").owner_key
    assert given.detail["is_superuser"] is True
    assert given.detail["by"] == "Globus groups, at a sign-in"

    sign_in(Client(), sandbox, "root")
    assert AuditEvent.objects.filter(kind="person:rights:change").count() == 1

    sign_in(Client(), sandbox, "ada")
    User.objects.filter(pk=person("ada").pk).update(is_staff=True)
    sign_in(Client(), sandbox, "ada")
    taken = AuditEvent.objects.filter(kind="person:rights:change").latest("id")
    assert taken.owner_key == person("ada").owner_key
    assert taken.detail["is_staff"] is False


def test_a05_rights_of_somebody_who_left_every_group_are_written_down(sandbox):
    former = make_user(identity_id=seed.MALLORY_ID, is_staff=True)
    sign_in(Client(), sandbox, "mallory")
    taken = AuditEvent.objects.get(kind="person:rights:change")
    assert taken.owner_key == former.owner_key
    assert taken.detail["is_staff"] is False


def test_a05_sign_ins_and_refusals_are_written_down(sandbox):
    sign_in(Client(), sandbox, "ada")
    assert entries("person:session:sign-in") == [("ok", person("ada").owner_key)]
    sign_in(Client(), sandbox, "mallory")
    Client().get("/complete/globus/", {"state": "wrong", "code": "x"})
    refused = AuditEvent.objects.filter(outcome="refused").order_by("id")
    assert [each.detail["reason"] for each in refused] == [
        "NotAllowedIn",
        "SignInNotOurs",
    ]


def test_a05_who_and_where_stands_in_every_entry_of_the_administration(client):
    """Also in those of what is done further down, where the request is not at hand."""
    root = make_user(is_staff=True, is_superuser=True)
    client.force_login(root, backend="accounts.sign_in.GlobusSignIn")
    targets = {"serviceaccount": make_service_account(), "user": make_user()}
    for kind, target in targets.items():
        make_token(target)
        for step in ("switch_off", "switch_on", "revoke"):
            address = reverse(f"admin:accounts_{kind}_{step}", args=[target.pk])
            answer = client.post(address, {"reason": "on a whim"})
            written = AuditEvent.objects.filter(request_id=answer["X-Request-Id"])
            assert written.exists() or step == "revoke"
    for event in AuditEvent.objects.all():
        assert (event.actor_id, event.address) == (root.pk, "127.0.0.1"), event
        assert event.request_id, event


def test_a_worker_is_in_no_request():
    [event] = write()
    assert (event.request_id, event.address) == ("", None)


def entries(kind):
    rows = AuditEvent.objects.filter(kind=kind).order_by("id")
    return [(each.outcome, each.owner_key) for each in rows]
