"""Every page of jobs, as each of the roles: one table says who gets what.

The columns are: nobody signed in, a researcher, staff of another group, staff whose
group may see it, run it, edit it, the owner, an administrator.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory
from django.urls import URLResolver, get_resolver

from tests.factories import make_job, make_run, make_transfer, make_user
from transfers.jobs import permissions
from transfers.jobs.models import Job, JobRole
from transfers.jobs.permissions import Action
from transfers.models import Inventory, Trial

pytestmark = pytest.mark.django_db

ROLES = (
    "nobody",
    "researcher",
    "other staff",
    "may see",
    "may run",
    "may edit",
    "owner",
    "admin",
)
IN, NO, NONE, OK = "in", "no", "none", "ok"
#: of pages that are about no job in particular
EVERY = (IN, NO, OK, OK, OK, OK, OK, OK)
SEES = (IN, NO, NONE, OK, OK, OK, OK, OK)
RUNS = (IN, NO, NONE, NO, OK, OK, OK, OK)
EDITS = (IN, NO, NONE, NO, NO, OK, OK, OK)

PAGES = [
    ("get", "/jobs/", EVERY),
    ("get", "/jobs/waiting/", EVERY),
    ("get", "/jobs/calendar/", EVERY),
    ("get", "/jobs/figures/", EVERY),
    ("get", "/jobs/import/", EVERY),
    ("post", "/jobs/import/", EVERY),
    ("get", "/jobs/new/", EVERY),
    ("post", "/jobs/new/", EVERY),
    ("post", "/jobs/bulk/", EVERY),
    ("get", "/jobs/{job}/", SEES),
    ("get", "/jobs/{job}/duplicate/", SEES),
    ("post", "/jobs/{job}/duplicate/", SEES),
    ("get", "/jobs/{job}/export/json/", SEES),
    ("get", "/jobs/{job}/export/globus/", SEES),
    ("get", "/jobs/{job}/export/python/", SEES),
    ("post", "/jobs/{job}/run/", RUNS),
    ("get", "/jobs/{job}/edit/", EDITS),
    ("post", "/jobs/{job}/edit/", EDITS),
    ("post", "/jobs/{job}/hold/", EDITS),
    ("post", "/jobs/{job}/remove/", EDITS),
    ("get", "/jobs/{job}/webhook/", EDITS),
    ("post", "/jobs/{job}/webhook/", EDITS),
    ("get", "/jobs/runs/{run}/", SEES),
    ("get", "/jobs/runs/{run}/progress/", SEES),
    ("get", "/jobs/runs/{run}/again/", RUNS),
    ("post", "/jobs/runs/{run}/again/", RUNS),
    ("get", "/jobs/runs/{run}/cancel/", RUNS),
    ("post", "/jobs/runs/{run}/cancel/", RUNS),
    ("get", "/jobs/{job}/preflight/", SEES),
    ("post", "/jobs/{job}/preflight/", RUNS),
    ("get", "/jobs/{job}/dry-run/", SEES),
    ("post", "/jobs/{job}/dry-run/", RUNS),
    ("get", "/jobs/{job}/inventories/", SEES),
    ("get", "/jobs/runs/{run}/inventory/", SEES),
    ("get", "/jobs/runs/{run}/inventory/entries.csv", SEES),
    ("get", "/jobs/runs/{run}/inventory/entries.jsonl", SEES),
    ("get", "/jobs/runs/{run}/inventory/not-read.csv", SEES),
    ("get", "/jobs/trials/{trial}/progress/", SEES),
    ("get", "/jobs/trials/{trial}/entries.csv", SEES),
    ("get", "/jobs/trials/{trial}/entries.jsonl", SEES),
    ("post", "/jobs/trials/{trial}/cancel/", RUNS),
]
STATUSES = {IN: (302,), NO: (403,), NONE: (404,), OK: (200, 286, 302)}


@pytest.fixture
def run():
    run = make_run(make_job(name="shared job"))
    for word in ("see", "run", "edit"):
        JobRole.objects.create(
            job=run.job,
            group=Group.objects.create(name=word),
            can_run=word == "run",
            can_edit=word == "edit",
        )
    place = {
        "job": run.job,
        "collection": run.job.source_collection,
        "path": "/",
        "state": "ready",
    }
    Inventory.objects.create(run=run, **place)
    trial = Trial.objects.create(job=run.job, kind="dry_run", inputs=run.inputs)
    Inventory.objects.create(trial=trial, part=Inventory.Part.SOURCE, **place)
    return run


def person(role, job):
    if role == "owner":
        job.owner.is_staff = True
        job.owner.save()
        return job.owner
    user = make_user(is_staff=role != "researcher", is_superuser=role == "admin")
    name = role.removeprefix("may ")
    if role.startswith("may "):
        user.groups.add(Group.objects.get(name=name))
    elif role == "other staff":
        user.groups.add(Group.objects.create(name="others"))
    return user


def browser_of(role, job):
    browser = Client()
    if role != "nobody":
        user = person(role, job)
        browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    return browser


@pytest.mark.parametrize("number", range(len(ROLES)), ids=ROLES)
@pytest.mark.parametrize(("method", "address", "row"), PAGES)
def test_each_page_as_each_role(sandbox, run, method, address, row, number):
    browser = browser_of(ROLES[number], run.job)
    answer = getattr(browser, method)(
        address.format(job=run.job_id, run=run.pk, trial=run.job.trials.get().pk)
    )
    wanted = row[number]
    assert answer.status_code in STATUSES[wanted], answer.content.decode()
    if wanted == IN:
        assert answer["Location"].startswith("/login/?next=")
    elif answer.status_code == 302:
        assert not answer["Location"].startswith("/login/")
    if wanted == NO:
        assert Job.objects.get().holds.count() == 0


def shape(address):
    """An address without what varies in it."""
    for part in ("<uuid:pk>", "{job}", "{run}", "{trial}"):
        address = address.replace(part, "*")
    for form in ("<slug:form>", "json", "globus", "python"):
        address = address.replace(f"export/{form}/", "export/*/")
    return f"/{address.strip('/')}"


def routes(patterns=None, prefix=""):
    """Every address of the portal with its view."""
    for each in get_resolver().url_patterns if patterns is None else patterns:
        address = f"{prefix}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, address)
        else:
            yield address, each.callback


def methods_of(view):
    """What the view says itself when it is asked in an unknown way."""
    refused = view(RequestFactory().generic("PURGE", "/"))
    assert refused.status_code == 405, "a page says which methods it takes"
    return {*refused["Allow"].split(", ")} & {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_every_route_of_staff_has_its_rows():
    """Found in the address book of the portal, whatever somebody adds to it."""
    found = {
        (method.lower(), shape(address))
        for address, view in routes()
        if getattr(view, "is_for_staff", False)
        for method in methods_of(view)
    }
    assert found == {(method, shape(address)) for method, address, _ in PAGES}
    assert len(found) > 35


def test_every_address_of_jobs_is_for_staff():
    ours = {
        address: getattr(view, "is_for_staff", False)
        for address, view in routes()
        if address.startswith("jobs/")
    }
    assert len(ours) > 25
    assert [address for address, is_ours in ours.items() if not is_ours] == []


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("researcher", ""),
        ("other staff", ""),
        ("may see", "see"),
        ("may run", "see run"),
        ("may edit", "see run edit"),
        ("owner", "see run edit"),
        ("admin", "see run edit"),
    ],
)
def test_what_each_role_may(run, role, actions):
    user = person(role, run.job)
    may = [each for each in Action if permissions.may(user, each, run.job)]
    assert may == actions.split()


def test_who_is_switched_off_may_nothing(run):
    user = make_user(is_staff=True, is_superuser=True, is_active=False)
    assert not permissions.may(user, Action.SEE, run.job)


def test_a_job_without_groups_is_open_to_all_staff():
    job = make_job()
    assert permissions.may(make_user(is_staff=True), Action.EDIT, job)


def test_lists_hide_what_one_may_not_see(run):
    browser = browser_of("other staff", run.job)
    for address in ("/jobs/", "/jobs/waiting/", "/jobs/calendar/", "/jobs/figures/"):
        assert "shared job" not in browser.get(address).content.decode()


def test_bulk_changes_only_what_one_may_change(run):
    browser = browser_of("may run", run.job)
    answer = browser.post(
        "/jobs/bulk/", {"job": str(run.job_id), "do": "pause", "reason": "x"}
    )
    assert answer.status_code == 302
    assert run.job.holds.count() == 0


def test_a_refusal_says_whom_to_ask(run):
    answer = browser_of("may see", run.job).post(f"/jobs/{run.job_id}/run/")
    assert "Its owner" in answer.content.decode()


def test_the_transfers_of_a_hidden_job_are_hidden_too(run):
    run.transfer = make_transfer(run.service_account, status="ACTIVE")
    run.save()
    address = f"/transfers/{run.transfer.pk}/"
    assert browser_of("other staff", run.job).get(address).status_code == 404
    sees = browser_of("may see", run.job)
    assert sees.get(address).status_code == 200
    assert sees.post(f"{address}cancel/").status_code == 403
    run.transfer.refresh_from_db()
    assert run.transfer.cancel_asked_at is None
