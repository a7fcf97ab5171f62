"""T06: the vault's key is replaced while the site runs."""

from __future__ import annotations

import base64
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction

from accounts import revocation, rotation, vault
from accounts.models import AuditEvent, Revocation, ServiceAccountSecret, Token
from accounts.service_accounts import replace_secret
from tests.factories import make_service_account, make_token, make_user
from tests.portal.processes import eventually
from tests.stack import database_url


def key_line():
    return f"{os.urandom(4).hex()}:{base64.b64encode(os.urandom(32)).decode()}"


@pytest.fixture
def key_file(settings, tmp_path):
    """A key file of the test's own, with one key."""
    path = tmp_path / "vault-keys"
    path.write_text(key_line() + "\n")
    settings.VAULT_KEYS_FILE = path
    return path


def put_in_front(path):
    lines = path.read_text()
    path.write_text(f"{key_line()}\n{lines}")


def keep_the_first_key(path):
    path.write_text(path.read_text().splitlines()[0] + "\n")


def rotate(*options):
    out = io.StringIO()
    call_command("rotate_vault", *options, stdout=out, stderr=out)
    return out.getvalue()


def sealed_in(said):
    """How many rows were sealed anew; if it was slow, it told of its progress first."""
    return int(re.search(r"^(\d+) rows sealed anew", said, re.MULTILINE)[1])


def fill(count):
    """``count`` people with a token each, quickly."""
    people = [make_user() for _ in range(count)]
    rows = []
    for person in people:
        row = Token(user=person, resource_server="transfer.api.globus.org")
        row.put(
            access_token=f"Access {person.pk}",
            refresh_token=f"Refresh {person.pk}",
            scope="",
            expires_in=timedelta(days=2),
        )
        rows.append(row)
    Token.objects.bulk_create(rows)
    return people


def assert_all_open():
    for row in Token.objects.all():
        assert row.access_token().reveal() == f"Access {row.user_id}"
        assert row.refresh_token().reveal() == f"Refresh {row.user_id}"


def test_every_sealed_column_is_registered():
    """A new one that rotation does not know would be lost with the old key."""
    registered = {
        (sealed.model, column)
        for sealed in rotation.REGISTRY
        for column in sealed.columns
    }
    found = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.startswith("sealed_")
    }
    assert found == registered
    assert all(callable(model.binding_of) for model, _ in found)


def test_whatever_is_binary_says_that_it_is_sealed():
    ours = [apps.get_app_config(name) for name in ("accounts", "transfers", "portal")]
    named = [
        f"{model.__name__}.{field.name}"
        for app in ours
        for model in app.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField)
    ]
    plain = {name for name in named if not name.partition(".")[2].startswith("sealed_")}
    # Names of files, as raw as they came, and compressed rows of listings.
    assert plain == {
        "InventoryChunk.data",
        "InventoryChunk.first_folder",
        "InventoryChunk.last_folder",
        "InventoryFolder.digest",
        "InventoryFolder.path",
        "InventoryPage.data",
    }


@pytest.mark.parametrize("sealed", rotation.REGISTRY, ids=lambda each: str(each.model))
def test_t03_a_sealed_row_has_its_id_before_it_is_saved(sealed):
    key = sealed.model._meta.pk
    assert isinstance(sealed.model().pk, uuid.UUID)
    assert sealed.model().pk != sealed.model().pk
    assert not key.editable
    for column in sealed.columns:
        assert not sealed.model._meta.get_field(column).editable


@pytest.mark.django_db
def test_t04_ciphertext_in_another_row_column_or_owner_does_not_open():
    """As a writer to the database could move it."""
    one, other = make_token(make_user()), make_token(make_user())
    moved = [
        {"sealed_access_token": other.sealed_access_token},
        {"sealed_access_token": one.sealed_refresh_token},
        {"sealed_access_token": b"AgPlanted" * 8},
        {"user": make_user()},
        {"resource_server": "elsewhere"},
    ]
    for change in moved:
        row = Token.objects.get(pk=one.pk)
        for name, value in change.items():
            setattr(row, name, value)
        with pytest.raises(vault.CannotOpen):
            row.access_token()


@pytest.mark.django_db(transaction=True)
def test_t06_afterwards_the_old_key_is_not_needed(key_file):
    user, account = make_user(), make_service_account(secret="the secret")
    token = make_token(user)
    going = make_user(name="Going")
    make_token(going)
    revocation.revoke_all(going, by=None)
    make_token(account)
    revocation.revoke_all(account, by=None)

    said = rotate("--new-key")
    keep_the_first_key(key_file)

    assert "is new and seals from now on" in said
    token.refresh_from_db()
    assert token.access_token().reveal() == "AgAccess"
    assert token.refresh_token().reveal() == "AgRefresh"
    assert account.secrets.get().open().reveal() == "the secret"
    waiting = Revocation.objects.all()
    assert len(waiting) == 4
    for row in waiting:
        token = vault.open_sealed(row.sealed_token, row.binding_of("sealed_token"))
        assert token.reveal() in ("AgAccess", "AgRefresh")
        if row.client_id:
            binding = row.binding_of("sealed_client_secret")
            secret = vault.open_sealed(row.sealed_client_secret, binding)
            assert secret.reveal() == "the secret"
    assert list(rotation.rows_by_key()) == [vault.key_ring().primary_id.hex()]
    event = AuditEvent.objects.get(kind="vault:key:rotate")
    assert event.outcome == "ok"
    assert event.detail["rows"] == 6


@pytest.mark.django_db(transaction=True)
def test_t06_the_new_file_keeps_its_permissions_and_its_old_lines(key_file):
    key_file.chmod(0o640)
    old = key_file.read_text()
    rotate("--new-key")
    assert key_file.stat().st_mode & 0o777 == 0o640
    assert key_file.read_text().endswith(old)
    assert [each.name for each in key_file.parent.iterdir()] == [key_file.name]


@pytest.mark.django_db(transaction=True)
def test_t06_a_dry_run_only_counts(key_file):
    make_token(make_user())
    before = bytes(Token.objects.get().sealed_access_token)
    put_in_front(key_file)

    said = rotate("--dry-run")

    assert "(seals): 0" in said
    assert "(only opens): 2" in said
    assert "1 rows would be sealed anew" in said
    assert bytes(Token.objects.get().sealed_access_token) == before


@pytest.mark.django_db(transaction=True)
def test_t06_a_second_time_does_nothing(key_file):
    make_token(make_user())
    put_in_front(key_file)
    assert sealed_in(rotate()) == 1
    assert sealed_in(rotate()) == 0


@pytest.mark.django_db(transaction=True)
def test_t06_killed_half_way_it_goes_on_where_it_was(key_file):
    fill(900)
    put_in_front(key_file)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "PORTAL_VAULT_KEYS_FILE": str(key_file),
    }
    ring = vault.key_ring()
    last = Token.objects.order_by("pk").last()
    # It comes as far as the second batch at the least, and never past this row.
    with transaction.atomic():
        Token.objects.select_for_update().get(pk=last.pk)
        process = subprocess.Popen(
            [sys.executable, "manage.py", "rotate_vault"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        assert eventually(lambda: rotation.stale_rows(ring) <= 700)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    left = rotation.stale_rows(ring)
    assert 1 <= left <= 700

    assert sealed_in(rotate()) == left

    keep_the_first_key(key_file)
    assert_all_open()


@pytest.mark.django_db(transaction=True)
def test_t06_reads_and_writes_go_on_meanwhile(key_file):
    people = fill(1000)
    put_in_front(key_file)
    failed, reads, done = [], [], threading.Event()

    def read_and_write():
        try:
            while not done.is_set():
                for person in people[::50]:
                    with transaction.atomic():
                        row = Token.objects.get(user=person)
                        assert row.access_token().reveal() == f"Access {person.pk}"
                        locked = Token.objects.select_for_update().get(pk=row.pk)
                        locked.put(
                            access_token=f"Access {person.pk}",
                            refresh_token=None,
                            scope="",
                            expires_in=timedelta(days=2),
                        )
                        locked.store()
                    reads.append(person)
        except Exception as err:
            failed.append(err)
        finally:
            connection.close()

    threads = [threading.Thread(target=read_and_write) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: reads)
    try:
        rotate()
    finally:
        done.set()
        for thread in threads:
            thread.join()

    assert failed == []
    keep_the_first_key(key_file)
    assert_all_open()


@pytest.mark.django_db(transaction=True)
def test_t06_what_was_sealed_but_not_committed_is_waited_for(key_file):
    """A sign-in that began before the key changed may commit after it."""
    sealed, commit = threading.Event(), threading.Event()

    def sign_in_slowly():
        with transaction.atomic():
            make_token(make_user())
            sealed.set()
            commit.wait(30)
        connection.close()

    thread = threading.Thread(target=sign_in_slowly)
    thread.start()
    assert sealed.wait(30)
    put_in_front(key_file)
    steps = rotation.reseal_all()
    for _ in rotation.REGISTRY:  # nothing to be seen yet
        assert next(steps).sealed == 0
    commit.set()
    thread.join()

    assert list(steps)[-1].sealed == 1

    keep_the_first_key(key_file)
    assert Token.objects.get().access_token().reveal() == "AgAccess"


@pytest.mark.django_db(transaction=True)
def test_t06_a_row_that_does_not_open_is_named_and_left_alone(key_file):
    damaged, fine = make_token(make_user()), make_token(make_user())
    Token.objects.filter(pk=damaged.pk).update(sealed_access_token=b"\x01" * 60)
    put_in_front(key_file)

    with pytest.raises(CommandError, match="left as they are") as caught:
        rotate()

    assert caught.value.returncode == 1
    damaged.refresh_from_db()
    assert bytes(damaged.sealed_access_token) == b"\x01" * 60
    fine.refresh_from_db()
    assert vault.key_ring().is_current(fine.sealed_access_token)
    assert AuditEvent.objects.get(kind="vault:key:rotate").outcome == "failed"


@pytest.mark.django_db(transaction=True)
def test_t06_a_row_that_stays_locked_is_said(key_file, monkeypatch):
    monkeypatch.setattr(rotation, "PATIENCE_SECONDS", 0.0)
    row = make_token(make_user())
    put_in_front(key_file)
    holding, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Token.objects.select_for_update().get(pk=row.pk)
            holding.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(30)
    try:
        with pytest.raises(CommandError, match="run this again") as caught:
            rotate()
    finally:
        done.set()
        thread.join()
    assert caught.value.returncode == 3


@pytest.mark.django_db(transaction=True)
def test_t06_a_file_that_cannot_be_replaced_is_said(key_file, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(CommandError, match="Permission denied") as caught:
        rotate("--new-key")
    assert caught.value.returncode == 2


# A process that runs meanwhile


@pytest.mark.django_db(transaction=True)
def test_t06_a_running_process_takes_up_a_changed_file(key_file):
    """Another process is asked, line by line, which key it seals with."""
    program = (
        "import sys\n"
        "from portal.startup import django_or_exit\n"
        "django_or_exit()\n"
        "from accounts.vault import key_ring\n"
        "for line in sys.stdin:\n"
        "    print(key_ring().primary_id.hex(), flush=True)\n"
    )
    environment = os.environ | {"PORTAL_VAULT_KEYS_FILE": str(key_file)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def asked():
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        first = key_file.read_text()[:8]
        assert asked() == first
        put_in_front(key_file)
        second = key_file.read_text()[:8]
        assert second != first
        assert asked() == second
        key_file.write_text("nonsense")
        assert asked() == second
        process.stdin.close()


def test_t05_a_file_that_became_unusable_is_said_once_and_changes_nothing(
    key_file, caplog
):
    ring = vault.key_ring()
    key_file.write_text("half a li")

    assert vault.key_ring() is ring
    assert vault.key_ring() is ring

    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "goes on with the keys it has" in record.getMessage()
    assert "half a li" not in record.getMessage()
    key_file.unlink()
    assert vault.key_ring() is ring
    key_file.write_text(key_line())
    assert vault.key_ring() is not ring


def test_the_look_at_the_file_is_cheap(key_file):
    vault.key_ring()
    began = time.thread_time()  # what others do meanwhile does not count
    for _ in range(1000):
        vault.key_ring()
    assert (time.thread_time() - began) / 1000 < 0.0005


@pytest.mark.django_db(transaction=True)
def test_t06_a_retired_secret_is_sealed_anew_too(key_file):
    account = make_service_account(secret="first")
    replace_secret(account, "second", by=None)
    put_in_front(key_file)
    rotate()
    keep_the_first_key(key_file)
    opened = {each.open().reveal() for each in ServiceAccountSecret.objects.all()}
    assert opened == {"first", "second"}
