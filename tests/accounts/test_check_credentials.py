"""``manage.py check_credentials``: every service account, a line each."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import AuditEvent, ServiceAccountSecret, Token
from sandbox import seed
from tests.factories import make_service_account

pytestmark = pytest.mark.django_db

WRONG = "a-secret-that-globus-never-made"


def run(*options):
    """``(exit status, what it printed)``"""
    out = io.StringIO()
    try:
        call_command("check_credentials", *options, stdout=out)
    except SystemExit as err:
        return err.code, out.getvalue()
    return 0, out.getvalue()


def test_all_that_work_are_said_in_a_line_each(sandbox):
    make_service_account(name="harvest")
    make_service_account(
        name="archive",
        client_id=seed.ARCHIVE_CLIENT_ID,
        secret=seed.ARCHIVE_CLIENT_SECRET,
    )
    code, says = run()
    assert says.splitlines() == ["ok    archive", "ok    harvest"]
    assert code == 0


def test_one_that_fails_is_named_and_the_others_are_tried_all_the_same(sandbox):
    make_service_account(name="broken", secret=WRONG)
    make_service_account(
        name="whole",
        client_id=seed.ARCHIVE_CLIENT_ID,
        secret=seed.ARCHIVE_CLIENT_SECRET,
    )
    code, says = run()
    broken, whole = says.splitlines()
    assert broken.startswith("FAIL  broken: Globus Auth does not accept this secret.")
    assert whole == "ok    whole"
    assert code == 1
    assert WRONG not in says


def test_one_without_a_secret_fails(sandbox):
    make_service_account(name="empty").secrets.all().delete()
    code, says = run()
    assert says.startswith("FAIL  empty: No secret is set.")
    assert code == 1


def test_one_that_is_switched_off_is_not_tried_and_does_not_fail(sandbox):
    make_service_account(
        name="resting", secret=WRONG, enabled=False, disabled_reason="not in season"
    )
    before = len(sandbox.requests())
    code, says = run()
    assert says == "skip  resting: Switched off: not in season\n"
    assert code == 0
    assert len(sandbox.requests()) == before


def test_nothing_to_check_is_said(sandbox):
    assert run() == (0, "There is no service account.\n")


def test_json_has_the_same_for_programs(sandbox):
    account = make_service_account(name="broken", secret=WRONG)
    code, says = run("--json")
    [found] = json.loads(says)
    assert code == 1
    assert (found["ok"], found["result"]) == (False, "bad-secret")
    assert found["identity"] == account.identity_username
    assert WRONG not in says


def test_an_old_secret_is_mentioned_and_does_not_fail(sandbox):
    make_service_account(name="harvest")
    ServiceAccountSecret.objects.update(
        created_at=timezone.now() - timedelta(days=400), used_at=timezone.now()
    )
    code, says = run()
    assert says.startswith("ok    harvest (It is more than a year old.")
    assert code == 0


def test_a05_each_test_is_in_the_audit_and_no_token_is_kept(sandbox):
    account = make_service_account(name="broken", secret=WRONG)
    run()
    entry = AuditEvent.objects.get(kind="service-account:secret:test")
    assert (entry.outcome, entry.actor_id) == ("failed", None)
    assert entry.credential_id == account.secrets.get().pk
    assert not Token.objects.exists()
