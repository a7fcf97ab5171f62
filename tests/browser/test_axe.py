"""axe-core finds nothing on any page, in either colour scheme (WCAG 2.2 AA)."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.admin_pages import admin_pages
from tests.browser.test_browser import PLACES, consent_to_research

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
STAFF_PLACES = (
    "/jobs/",
    "/jobs/new/",
    "/jobs/import/",
    "/jobs/waiting/",
    "/jobs/calendar/",
    "/jobs/calendar/?span=month",
    "/jobs/figures/",
)
#: below the address of a job
JOB_PLACES = (
    "",
    "edit/",
    "duplicate/",
    "export/globus/",
    "webhook/",
    "preflight/",
    "dry-run/",
    "inventories/",
)

OPEN_PLACES = ("/login/", "/complete/globus/?state=wrong&code=x", "/admin/login/")


def problems(page):
    """``rule: the first elements that break it``, a line each."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {[node['target'] for node in each['nodes'][:3]]}"
        for each in found
    ]


def look_at(page, site, places):
    found = {}
    for place in places:
        page.goto(site.url + place)
        if broken := problems(page):
            found[place] = broken
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_researchers_pages(page_of, site, scheme):
    page = page_of("ada", color_scheme=scheme)
    consent_to_research(page, site)
    assert look_at(page, site, PLACES) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_staff_pages(page_of, site, scheme):
    page = page_of("grace", color_scheme=scheme)
    page.goto(f"{site.url}/jobs/")
    page.get_by_role("link", name="demo-list").first.click()
    page.wait_for_url(f"{site.url}/jobs/*-*/")
    job = page.url.removeprefix(site.url)
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(f"{site.url}/jobs/runs/*/")
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    run = page.url.removeprefix(site.url)
    places = [*STAFF_PLACES, *(job + end for end in JOB_PLACES), run, f"{run}again/"]
    assert look_at(page, site, places) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_administration(page_of, site, scheme):
    # On these pages axe's own measurements need styles that the policy refuses; that
    # the pages themselves do not is seen in test_browser.
    page = page_of("root", color_scheme=scheme, bypass_csp=True)
    assert look_at(page, site, admin_pages(page, site).values()) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_open_pages(open_page, site, scheme):
    page = open_page(color_scheme=scheme)
    assert look_at(page, site, OPEN_PLACES) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_for_who_may_not_enter(page_of, scheme):
    page = page_of("mallory", color_scheme=scheme)
    page.get_by_text("This portal is for members of a group").first.wait_for()
    assert problems(page) == []
