"""Trying a job out from its form, before it is saved."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from sandbox import seed
from tests.factories import make_job, make_user
from tests.transfers.jobs.test_job_form import HOSTILE, mirror, text_of
from transfers.jobs import trials
from transfers.jobs.models import Job
from transfers.models import Trial

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def draft(tree, service_account):
    tree("from/2030/a", "12345")
    tree("from/both", "1")
    tree("to/both", "22")
    return mirror(
        service_account,
        source_collection=seed.HARVEST,
        source_path="/tree/from/",
        destination_collection=seed.HARVEST,
        destination_path="/tree/to/",
        do="try",
        filter_rules="exclude *.tmp\nexclude *.bak",
    )


def hidden_fields(page):
    """What the form of a page would send."""
    found = {}
    pattern = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
    for name, value in re.findall(pattern, page):
        found.setdefault(name, []).append(html.unescape(value))
    return found


def test_a_dry_run_before_saving_stores_no_job_and_goes_on_to_save(
    browser, draft, sandbox
):
    answer = browser.post("/jobs/new/", draft)
    assert answer.status_code == 302, text_of(answer)
    address = answer["Location"]
    assert not Job.objects.exists()
    trial = Trial.objects.get()
    assert f'hx-get="{address}progress/"' in text_of(browser.get(address))
    trials.execute(trial.pk)
    page = text_of(browser.get(address))
    assert "Would move 6 bytes: 2 new entries, 1 over what is there." in page
    assert browser.get(f"{address}entries.csv").status_code == 200
    sent = [r for r in sandbox.requests("/v0.10/*") if r["method"] != "GET"]
    assert sent == []

    kept = hidden_fields(page) | {"do": "edit"}
    form = text_of(browser.post("/jobs/new/", kept))
    assert "exclude *.tmp\nexclude *.bak" in form
    assert 'value="0 2 * * *"' in form
    browser.post("/jobs/new/", kept | {"do": "save"})
    job = Job.objects.get()
    assert [each["name"] for each in job.options["filter_rules"]] == ["*.tmp", "*.bak"]
    assert job.schedules.get().zone == "Europe/London"


def test_a_change_is_tried_before_it_is_saved(browser, draft, service_account):
    job = make_job(service_account, source_path="/tree/")
    job.watermark = datetime(2030, 5, 1, tzinfo=UTC)
    job.save()
    address = f"/jobs/{job.pk}/edit/"
    answer = browser.post(
        address, draft | {"source_path": "/tree/from/{watermark:%Y}/"}
    )
    trials.execute(Trial.objects.get().pk)
    page = text_of(browser.get(answer["Location"]))
    assert "Would move 5 bytes: 1 new entry" in page
    assert "filled in as if it were due now" in page
    assert f'action="{address}"' in page
    job.refresh_from_db()
    assert job.source_path == "/tree/"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"destination_path": ""}, "Fill in the steps above first"),
        ({"kind": "list"}, "there is nothing to try"),
        ({"source_collection": HOSTILE}, "Fill in the steps above first"),
    ],
)
def test_what_cannot_be_tried_says_so_and_keeps_the_form(browser, draft, wrong, says):
    answer = browser.post("/jobs/new/", draft | wrong)
    assert answer.status_code == 200
    assert says in text_of(answer)
    assert "nightly mirror" in text_of(answer)
    assert not Trial.objects.exists()


def test_a_dry_run_of_a_draft_is_for_whom_the_account_is(
    browser, draft, grace, service_account
):
    address = browser.post("/jobs/new/", draft)["Location"]
    trials.execute(Trial.objects.get().pk)
    other = Client()
    other.force_login(make_user(is_staff=True), backend="accounts.sign_in.GlobusSignIn")
    pages = [address, f"{address}progress/", f"{address}entries.csv"]
    assert [other.get(page).status_code for page in pages] == [404, 404, 404]
    grace.is_staff = False
    grace.save()
    assert [browser.get(page).status_code for page in pages] == [404, 404, 404]
