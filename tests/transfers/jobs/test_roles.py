"""Who may run a job, and what a run leaves in the audit (A05)."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from accounts.models import AuditEvent, ServiceAccountRole
from sandbox import seed
from tests.factories import make_job, make_run, make_service_account, make_user
from transfers.jobs import runs
from transfers.jobs.models import Job, Run
from transfers.jobs.permissions import Action, may

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_service_account(name="harvest robot")


def staff(*, uses=None, **fields):
    person = make_user(is_staff=True, **fields)
    if uses is not None:
        ServiceAccountRole.objects.create(
            service_account=uses, user=person, can_use=True
        )
    return person


def signed_in(user):
    browser = Client()
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    return browser


def form(account, **fields):
    return {
        "do": "save",
        "name": "nightly",
        "kind": "list",
        "service_account": str(account.pk),
        "source_collection": seed.HARVEST,
        "source_path": "/sensors/",
        "enabled": "on",
        "when": "",
        "zone": "UTC",
        "overlap_policy": "queue",
        "missed_policy": "once",
        "stall_policy": "tell",
    } | fields


def test_only_accounts_that_one_may_use_are_offered(account):
    make_service_account(name="other robot", client_id=seed.ARCHIVE_CLIENT_ID)
    page = signed_in(staff(uses=account)).get("/jobs/new/").content.decode()
    assert "harvest robot" in page
    assert "other robot" not in page


@pytest.mark.parametrize("role", ["can_view", "can_manage", "can_rotate"])
def test_another_role_is_not_use(account, role):
    person = staff()
    ServiceAccountRole.objects.create(
        service_account=account, user=person, **{role: True}
    )
    signed_in(person).post("/jobs/new/", form(account))
    assert not Job.objects.exists()


def test_a_job_is_made_with_an_account_that_one_may_use(account):
    signed_in(staff(uses=account)).post("/jobs/new/", form(account))
    assert Job.objects.get().service_account == account


def test_the_owner_and_administrators_may_use_it(account):
    job = make_job(account)
    owner = account.owner
    owner.is_staff = True
    owner.save()
    assert may(owner, Action.RUN, job)
    root = {"is_superuser": True, "is_staff": True}
    assert may(make_user(**root), Action.RUN, job)
    assert not may(make_user(**root, is_active=False), Action.RUN, job)
    assert not may(staff(), Action.RUN, job)


def test_a_role_of_all_staff_is_for_staff_alone(account):
    ServiceAccountRole.objects.create(
        service_account=account, all_staff=True, can_use=True
    )
    job = make_job(account)
    assert may(staff(), Action.RUN, job)
    assert not may(make_user(), Action.RUN, job)


def test_staff_go_on_using_what_they_used_before_there_were_roles(account):
    """What the migration does with the service accounts that it finds."""
    migration = import_module("accounts.migrations.0009_staff_go_on")
    with connection.cursor() as cursor:
        cursor.execute(migration.ADD)
    assert may(staff(), Action.RUN, make_job(account))
    assert account.roles.get().roles == ["use"]


def test_somebody_elses_job_is_seen_and_neither_run_nor_changed(account):
    job = make_job(account)
    browser = signed_in(staff())
    page = browser.get(f"/jobs/{job.pk}/").content.decode()
    assert "You may see this job and not run it" in page
    assert f"/jobs/{job.pk}/edit/" not in page
    assert browser.post(f"/jobs/{job.pk}/run/").status_code == 403
    changed = browser.post(f"/jobs/{job.pk}/edit/", form(account, name="mine now"))
    assert changed.status_code == 403
    assert not Run.objects.exists()
    job.refresh_from_db()
    assert job.name != "mine now"


def test_a_job_is_not_moved_to_an_account_that_one_may_not_use(account):
    other = make_service_account(client_id=seed.ARCHIVE_CLIENT_ID)
    job = make_job(account)
    signed_in(staff(uses=account)).post(f"/jobs/{job.pk}/edit/", form(other))
    job.refresh_from_db()
    assert job.service_account == account


def test_the_admin_holds_to_the_same(account):
    job = make_job(account)
    person = staff()
    names = ("view_job", "change_job", "add_job")
    person.user_permissions.add(*Permission.objects.filter(codename__in=names))
    browser = signed_in(person)
    listed = "/admin/transfers/job/"
    answer = browser.post(
        listed, {"action": "run_now", "_selected_action": [job.pk]}, follow=True
    )
    assert "you may not run this job" in answer.content.decode()
    assert not Run.objects.exists()
    assert browser.post(f"{listed}{job.pk}/change/", {}).status_code == 403
    assert account.name not in browser.get(f"{listed}add/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a05_a_run_is_one_use_of_a_token_however_often_it_is_tried(account, sandbox):
    person = make_user()
    job = make_job(account)
    run = runs.run_now(job, by=person)
    sandbox.fault("/ls", status=503)
    runs.execute(run.pk)
    sandbox.clear_faults()
    Run.objects.update(next_try_at=None)
    runs.execute(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)

    event = AuditEvent.objects.get(kind="run:token:use")
    assert (event.actor_id, event.owner_key) == (person.pk, account.owner_key)
    assert event.credential_id == account.secrets.get().pk
    assert event.detail == {"run": str(run.pk), "job": job.name}


def test_a05_a_run_that_is_not_taken_uses_nothing(account):
    run = make_run(make_job(account), state="succeeded")
    runs.execute(run.pk)
    assert not AuditEvent.objects.exists()
