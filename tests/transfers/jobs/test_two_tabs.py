"""A job in two tabs, or with two people: nobody undoes another's work in silence, and
what was filled in stays.
"""

from __future__ import annotations

import contextlib
import re

import pytest
from django.utils import timezone

from tests.factories import make_job, make_run
from tests.transfers.at_once import at_once
from tests.transfers.jobs.test_job_form import mirror, text_of
from transfers.jobs import runs, saving, versions
from transfers.jobs.exchange import Parts
from transfers.jobs.models import Hold, Job, Run

pytestmark = pytest.mark.django_db(transaction=True)


def version_in(page):
    return re.search(r'name="version" value="(\d*)"', page)[1]


@pytest.fixture
def saved(browser, service_account):
    browser.post("/jobs/new/", mirror(service_account))
    return Job.objects.get()


@pytest.mark.parametrize("press", ["check-source", "", "try", "add-schedule"])
def test_a_look_at_a_step_does_not_forget_what_the_form_began_with(
    browser, service_account, saved, press
):
    """Without script the whole page comes back, and from a dry run too."""
    address = f"/jobs/{saved.pk}/edit/"
    seen = version_in(text_of(browser.get(address)))
    browser.post(address, mirror(service_account, label="theirs"))
    mine = mirror(service_account, label="mine", version=seen)
    if press == "try":
        mine["name"] = ""
    page = text_of(browser.post(address, mine | {"do": press}))
    mine |= {"version": version_in(page), "name": "nightly mirror"}
    assert "has changed this job since" in text_of(browser.post(address, mine))
    assert Job.objects.get().label == "theirs"


def test_of_two_who_save_at_the_same_moment_one_is_told(service_account, saved):
    seen = str(saved.version_id)
    labels = iter(["one", "two"])
    stored = []

    def save():
        job = Job.objects.get(pk=saved.pk)
        job.label = next(labels)
        with contextlib.suppress(saving.ChangedMeanwhile):
            saving.store(Parts(job, [], list(job.schedules.all())), by=None, seen=seen)
            stored.append(job.label)

    at_once(2, save)
    assert stored == [Job.objects.get().label]


def test_a_job_that_never_had_a_version_is_looked_after_too(browser, service_account):
    job = make_job(service_account)
    mine = mirror(service_account, version="")
    versions.record(job, by=None)
    page = text_of(browser.post(f"/jobs/{job.pk}/edit/", mine))
    assert "has changed this job since" in page


@pytest.mark.parametrize("page", ["edit", "duplicate"])
def test_what_was_filled_in_for_a_deleted_job_makes_another(
    browser, service_account, saved, page
):
    address = f"/jobs/{saved.pk}/{page}/"
    seen = version_in(text_of(browser.get(address)))
    browser.post(f"/jobs/{saved.pk}/remove/", {"do": "delete"})
    mine = mirror(service_account, name="kept", version=seen)
    answer = browser.post(address, mine)
    assert (answer.status_code, answer["Location"]) == (307, "/jobs/new/")
    answer = browser.post("/jobs/new/", mine)
    if page == "edit":
        assert "has been deleted meanwhile" in text_of(answer)
        assert 'value="kept"' in text_of(answer)
        mine["version"] = version_in(text_of(answer))
        answer = browser.post("/jobs/new/", mine)
    assert answer.status_code == 302, text_of(answer)
    assert Job.objects.get().name == "kept"
    assert browser.get(address).status_code == 404


def test_what_is_deleted_twice_is_deleted_once(saved):
    same = Job.objects.get(pk=saved.pk)
    saving.delete(saved, by=None)
    saving.delete(same, by=None)
    assert not Job.objects.exists()


def test_a_job_in_the_archive_is_not_switched_on_there(browser, saved, service_account):
    saving.archive(saved, by=None)
    version = str(Job.objects.get().version_id)
    mine = mirror(service_account, version=version)
    page = text_of(browser.post(f"/jobs/{saved.pk}/edit/", mine))
    assert "This job is in the archive" in page
    assert not Job.objects.get().enabled
    assert "/edit/" not in text_of(browser.get(f"/jobs/{saved.pk}/"))


# --- a form that comes back after a sign-in on the way, without its button


def test_a_job_s_form_only_opens(browser, service_account):
    page = text_of(browser.post("/jobs/new/", mirror(service_account, do="")))
    assert not Job.objects.exists()
    assert 'value="nightly mirror"' in page
    assert "This is not saved yet" not in page


def test_nothing_is_run_paused_or_set(browser, service_account):
    job = make_job(service_account)
    run = make_run(job, state="failed", finished_at=timezone.now())
    again = f"/jobs/runs/{run.pk}/again/"
    for fields in ({"reason": "x"}, {"source_path": "/other/", "reason": "x"}):
        page = text_of(browser.post(again, fields))
        assert "Run again, edited" in page
        assert "Error" not in page
    assert 'value="/other/"' in page
    for address in ("/jobs/bulk/", f"/jobs/{job.pk}/hold/"):
        fields = {"job": str(job.pk), "reason": "it is over"}
        answer = browser.post(address, fields, follow=True)
        assert "Nothing was done yet" in text_of(answer)
    browser.post(f"/jobs/{job.pk}/webhook/", {"url": "https://hooks.example.org/"})
    job.refresh_from_db()
    assert job.webhook is None
    assert Run.objects.count() == 1
    assert not Hold.objects.exists()


def test_enter_in_the_address_of_a_webhook_does_not_take_it_away(browser, saved):
    address = f"/jobs/{saved.pk}/webhook/"
    browser.post(address, {"do": "set", "url": "https://hooks.example.org/"})
    page = text_of(browser.get(address))
    assert page.index('value="set"') < page.index('value="remove"')


def test_a_job_that_is_deleted_while_it_is_asked_to_run(browser, saved, monkeypatch):
    """PostgreSQL looks for the job when the run is committed, not before."""
    store = runs.store

    def deleted_meanwhile(*given):
        found = store(*given)
        at_once(1, lambda: saving.delete(Job.objects.get(pk=saved.pk), by=None))
        return found

    monkeypatch.setattr(runs, "store", deleted_meanwhile)
    answer = browser.post(f"/jobs/{saved.pk}/run/", {"do": "run"}, follow=True)
    assert answer.status_code == 409
    assert "This job is not there any more" in text_of(answer)
    assert not Run.objects.exists()
