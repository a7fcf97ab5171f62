"""Jobs can be made and run in the admin; what the portal writes can only be read."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sandbox import seed
from tests.factories import make_job, make_run, make_transfer, make_user
from transfers.jobs.holds import hold
from transfers.jobs.models import Hold, Job, Run


@pytest.fixture
def admin(client, db):
    client.force_login(
        make_user(is_staff=True, is_superuser=True),
        backend="accounts.sign_in.GlobusSignIn",
    )
    return client


def address(model, page, *args):
    return reverse(f"admin:transfers_{model}_{page}", args=args)


def job_form(account, **fields):
    return {
        "name": "nightly",
        "kind": "transfer",
        "service_account": account.pk,
        "owner": make_user(is_staff=True).pk,
        "source_collection": seed.HARVEST,
        "source_path": "/sensors",
        "destination_collection": seed.ARCHIVE,
        "destination_path": "/incoming/x/",
        "label": "",
        "options": "{}",
        "enabled": "on",
    } | fields


def test_a_job_is_made(admin, service_account):
    answer = admin.post(address("job", "add"), job_form(service_account))
    assert answer.status_code == 302, answer.content.decode()
    assert Job.objects.get().source_path == "/sensors"


def test_a_bad_job_says_why_at_the_field(admin, service_account):
    form = job_form(service_account, source_path="/a/../b", destination_path="")
    page = admin.post(address("job", "add"), form).content.decode()
    assert "is not allowed in a path" in page
    assert "Say in which folder the files go" in page
    assert not Job.objects.exists()


def test_run_now_starts_a_run_for_whoever_pressed_it(admin, service_account):
    job = make_job(service_account)
    off = make_job(service_account, enabled=False)
    draining = make_job(service_account)
    hold(draining, mode=Hold.Mode.DRAIN, by=None, reason="Moving house")
    page = admin.post(
        address("job", "changelist"),
        {"action": "run_now", "_selected_action": [job.pk, off.pk, draining.pk]},
        follow=True,
    ).content.decode()
    assert "is on its way" in page
    assert "switched off" in page
    assert "Moving house" in page
    run = Run.objects.get()
    assert run.job == job
    assert str(run.triggered_by.pk) == admin.session["_auth_user_id"]


def test_runs_and_transfers_can_only_be_read(admin, service_account):
    transfer = make_transfer(service_account, status="ACTIVE")
    run = make_run(make_job(service_account), state="submitted", transfer=transfer)
    for model, row in (("run", run), ("transfer", transfer)):
        assert admin.get(address(model, "changelist")).status_code == 200
        assert admin.get(address(model, "change", row.pk)).status_code == 200
        assert admin.post(address(model, "change", row.pk), {}).status_code == 403
        assert admin.get(address(model, "add")).status_code == 403
        assert admin.post(address(model, "delete", row.pk)).status_code == 403


def test_lists_cost_the_same_for_many_rows(
    admin, service_account, django_assert_max_num_queries
):
    job = make_job(service_account)
    for _ in range(20):
        make_run(job)
        make_transfer(service_account)
    for model in ("run", "transfer", "job"):
        with django_assert_max_num_queries(14):
            admin.get(address(model, "changelist"))


def test_a_researcher_sees_none_of_it(client, service_account):
    client.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    assert client.get(address("run", "changelist")).status_code in (302, 403)
