"""Pages of transfers, timers, templates, jobs and runs, as in ``test_every_page``."""

from __future__ import annotations

import pytest

from tests.browser import pages
from tests.browser.send_states import (
    CAMPAIGN,
    button,
    form_of,
    see_what_it_found,
    unfold,
)
from tests.browser.site import give_consent
from tests.browser.test_browser import consent_to_research
from tests.browser.test_every_page import id_in, wrong_on, wrong_with
from tests.browser.test_trials import open_job
from tests.browser.test_watching import GONE, RUN, send, waits_for


@pytest.fixture
def ada(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    return page


def id_of(address):
    return address.rstrip("/").rpartition("/")[2]


def test_the_pages_of_a_transfer(ada, site):
    made = {"ended": id_of(send(ada, site, "arrives", RUN))}
    waits_for(ada, "Succeeded")
    made["transfer"] = id_of(send(ada, site, "stays", GONE))
    waits_for(ada, "FILE_NOT_FOUND")
    places = (*pages.OF_TRANSFERS, *pages.OF_ENDED_TRANSFERS)
    assert wrong_on(ada, site, places, **made) == {}
    ada.goto(f"{site.url}/transfers/")
    ada.get_by_role("checkbox", name="stays").check()
    ada.get_by_role("button", name="Cancel the picked ones").click()
    ada.wait_for_url(f"{site.url}/transfers/cancel/")
    ada.get_by_role("button", name="Cancel them").wait_for()
    assert wrong_with(ada) == []


def test_the_pages_of_a_timer(ada, site):
    ada.goto(site.url + form_of(CAMPAIGN))
    button(ada, "Repeat it…").click()
    ada.wait_for_url(f"{site.url}/timers/new/")
    assert wrong_with(ada) == []
    ada.get_by_label("Name", exact=True).fill("each day")
    button(ada, "Make the timer").click()
    give_consent(ada, site)
    ada.get_by_role("heading", name="each day").wait_for()
    made = {"timer": id_of(ada.url)}
    assert wrong_on(ada, site, pages.OF_TIMERS, **made) == {}


def test_the_pages_around_sending(ada, site):
    ada.goto(site.url + form_of(CAMPAIGN))
    unfold(ada, "Keep these options")
    ada.get_by_label("Its name").fill("looked at")
    button(ada, "Keep the template").click()
    ada.get_by_text("“looked at” is kept").wait_for()
    button(ada, "Dry run").click()
    ada.wait_for_url(f"{site.url}/transfers/dry-runs/*/")
    made = {"trial": id_of(ada.url)}
    see_what_it_found(ada)
    ada.goto(f"{site.url}/transfers/templates/")
    made["template"] = id_in(ada, r"/templates/([0-9a-f-]{36})/")
    assert wrong_on(ada, site, pages.OF_SENDING, **made) == {}


def test_the_pages_of_a_job_and_its_runs(page_of, site):
    page = page_of("grace")
    made = {"job": id_of(open_job(page, site, "demo-list"))}
    button(page, "Run now").click()
    page.get_by_role("link", name="See the inventory").wait_for()
    made["run"] = id_of(page.url)
    site.sandbox.set(hold_tasks=True)
    open_job(page, site, "demo-transfer")
    button(page, "Run now").click()
    page.wait_for_url(f"{site.url}/jobs/runs/*/")
    made["running"] = id_of(page.url)
    assert wrong_on(page, site, pages.OF_STAFF, **made) == {}
    assert page.url.endswith("/cancel/"), "the run had ended"
    site.sandbox.set(hold_tasks=False)
