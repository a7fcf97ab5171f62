"""Every page: axe and our own eyes find nothing, wide, dark, and on a phone."""

from __future__ import annotations

import re

import pytest

from sandbox import seed
from tests.browser import pages
from tests.browser.site import give_consent
from tests.browser.test_axe import problems
from tests.browser.test_browser import consent_to_research, look

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
LOOKS = tuple((scheme, size) for size in (WIDE, NARROW) for scheme in ("light", "dark"))


def test_a_new_page_is_looked_at():
    """A route that is neither in a list nor said to be no page fails here."""
    assert pages.all_pages() == pages.shown()


def wrong_with(page):
    """What is wrong with the page in front, however it is looked at."""
    usual = page.viewport_size
    found = []
    for scheme, size in LOOKS:
        # Without motion: half way from one colour to the other, contrast is nobody's.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        here = f"{scheme}, {size['width']}"
        found += [f"{here}: {each}" for each in problems(page)]
        for audit in ("structure", "lowContrast", "smallTargets"):
            found += [f"{here}, {audit}: {each}" for each in look(page, audit)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size["width"]:
            found.append(f"{here}: {wide} wide")
    # Text twice as large (WCAG 1.4.4), on a phone.
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > NARROW["width"]:
        found.append(f"large text on a phone: {wide} wide")
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(usual)
    return found


def wrong_on(page, site, places, **made):
    found = {}
    for place in places:
        page.goto(site.url + place.format(**made))
        if wrong := wrong_with(page):
            found[place] = wrong
    return found


def id_in(page, pattern):
    return re.search(pattern, page.content())[1]


@pytest.fixture
def ada(page_of, site):
    page = page_of("ada")
    upload = f"/collections/{seed.RESEARCH}/upload/?path=/home/ada/"
    page.goto(site.url + upload)
    give_consent(page, site)
    return page


def test_a_researchers_pages(ada, site):
    bookmark = f"/bookmarks/new/?collection_id={seed.RESEARCH}&path={pages.RUN}"
    ada.goto(site.url + bookmark)
    ada.get_by_role("main").get_by_role("button").last.click()
    ada.wait_for_url(f"{site.url}/bookmarks/")
    made = {"bookmark": id_in(ada, r"/bookmarks/([0-9a-f-]{36})/")}
    assert wrong_on(ada, site, pages.RESEARCHER, **made) == {}


def test_a_researchers_pages_as_staff_see_them(page_of, site):
    page = page_of("grace")
    consent_to_research(page, site, "grace")
    assert wrong_on(page, site, pages.OF_BOTH) == {}


def test_the_pages_for_anybody(open_page, site):
    assert wrong_on(open_page(), site, pages.ANYBODY) == {}


def test_the_page_for_who_may_not_enter(page_of):
    page = page_of("mallory")
    page.get_by_text("This portal is for members of a group").first.wait_for()
    assert wrong_with(page) == []


SEND = """(action) => {
  const form = document.querySelector("#origin form[data-grid-form]");
  form.action = action;
  form.elements.selection.value = "Bw";  // the first three
  HTMLFormElement.prototype.submit.call(form);
}"""


def test_the_pages_about_what_is_picked(ada, site):
    folder = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/spring-campaign/"
    found = {}
    for name in pages.WITH_PICKS:
        ada.goto(site.url + folder)
        ada.get_by_role("grid").wait_for()
        script = SEND.replace('"Bw"', '"AQ"') if name == "rename" else SEND
        ada.evaluate(script, f"/files/{name}/")
        ada.wait_for_url(f"{site.url}/files/{name}/")
        if wrong := wrong_with(ada):
            found[name] = wrong
    assert found == {}


def test_the_pages_of_who_shares(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/collections/{seed.SHARED}/sharing/")
    made = {"rule": id_in(page, r"/sharing/([0-9a-f-]{36})/")}
    assert wrong_on(page, site, pages.MANAGER, **made) == {}
