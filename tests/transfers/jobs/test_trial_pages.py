"""Preflight and dry run as pages, with and without a script."""

from __future__ import annotations

import json

import pytest

from sandbox import seed
from tests.factories import make_job
from tests.transfers.jobs.test_dry_run import DRY, tried
from tests.transfers.jobs.test_inventory_pages import read
from transfers.jobs import trials
from transfers.models import Trial


@pytest.fixture
def job(service_account, tree):
    tree("from/a", "12345")
    tree("from/both", "1")
    tree("to/both", "22")
    tree("to/extra", "1")
    return make_job(
        service_account,
        kind="transfer",
        source_path="/tree/from/",
        destination_collection=seed.HARVEST,
        destination_path="/tree/to/",
        options={"sync_level": 1},
    )


def test_a_preflight_is_asked_for_watched_and_read(visit, job):
    browser = visit("grace")
    address = f"/jobs/{job.pk}/preflight/"
    assert "Not checked yet" in read(browser, address)
    assert browser.post(address)["Location"] == address
    trial = Trial.objects.get()
    page = read(browser, address)
    assert "Waits for a worker." in page
    fragment = f"/jobs/trials/{trial.pk}/progress/"
    assert fragment in page
    moving = browser.get(fragment)
    assert moving.status_code == 200
    assert (
        browser.get(fragment, headers={"If-None-Match": moving["ETag"]}).status_code
        == 304
    )

    trials.execute(trial.pk)

    ended = browser.get(fragment)
    assert ended.status_code == 286
    page = read(browser, address)
    for text in (page, ended.content.decode()):
        assert "Nothing stands in the way of this job." in text
        assert "Writing to the destination" in text
    assert job.service_account.identity_username in page


def test_what_is_in_the_way_stands_there_with_whom_to_let_in(visit, job, sandbox):
    sandbox.collection(seed.HARVEST, denied_paths=["/tree/from"])
    tried(job, Trial.Kind.PREFLIGHT)
    page = read(visit("grace"), f"/jobs/{job.pk}/preflight/")
    assert "The service account may not read /tree/from/." in page
    assert page.count(job.service_account.identity_username) == 2
    assert f"/collections/{seed.HARVEST}/" in page


def test_a_job_that_was_changed_says_that_its_checks_are_old(visit, job):
    tried(job, Trial.Kind.PREFLIGHT)
    tried(job)
    job.source_path = "/tree/"
    job.save()
    browser = visit("grace")
    for what in ("preflight", "dry-run"):
        page = read(browser, f"/jobs/{job.pk}/{what}/")
        assert "The job was changed since" in page


def test_a_dry_run_shows_what_would_happen(visit, job):
    browser = visit("grace")
    address = f"/jobs/{job.pk}/dry-run/"
    assert "Not tried yet" in read(browser, address)
    browser.post(address)
    trial = Trial.objects.get()
    trials.execute(trial.pk)
    ended = browser.get(f"/jobs/trials/{trial.pk}/progress/")
    assert "Show what it found" in ended.content.decode()
    page = read(browser, address)
    assert "Show what it found" not in page
    assert "To be copied" in page
    assert "/tree/from/a" in page
    assert "/tree/from/extra" in read(browser, f"{address}?change=gone")
    lines = browser.get(f"/jobs/trials/{trial.pk}/entries.jsonl?change=changed")
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["name"] == "both"
    table = browser.get(f"/jobs/trials/{trial.pk}/entries.csv")
    assert b"/tree/from/a" in table.getvalue()


def test_a_dry_run_shows_how_far_it_is_and_can_be_stopped(
    visit, job, sandbox, no_pauses
):
    sandbox.fault("/endpoint/*/ls", status=503, skip=1)
    trial = tried(job)
    browser = visit("grace")
    page = read(browser, f"/jobs/{job.pk}/dry-run/")
    assert "Source: 1 folder read, 2 entries found" in page
    browser.post(f"/jobs/trials/{trial.pk}/cancel/")
    trial.refresh_from_db()
    assert trial.state == "cancelled"
    assert "Stopped by Grace Hopper" in read(browser, f"/jobs/{job.pk}/dry-run/")


def test_a_job_that_lists_has_no_dry_run(visit, service_account):
    job = make_job(service_account)
    page = read(visit("grace"), f"/jobs/{job.pk}/dry-run/")
    assert "Nothing to try" in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_trials_are_for_staff(visit, client, job, method):
    trial = trials.ask(job, DRY, by=None)
    addresses = [
        f"/jobs/{job.pk}/preflight/",
        f"/jobs/{job.pk}/dry-run/",
        f"/jobs/trials/{trial.pk}/cancel/",
    ]
    if method == "get":
        addresses[2:] = [
            f"/jobs/trials/{trial.pk}/{what}"
            for what in ("progress/", "entries.csv", "entries.jsonl")
        ]
    ada = visit("ada")
    for address in addresses:
        assert getattr(client, method)(address).status_code == 302
        assert getattr(ada, method)(address).status_code == 403
    assert Trial.objects.count() == 1
