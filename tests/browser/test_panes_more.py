"""The panes with a browser: files dropped on them, downloads, finding a collection."""

from __future__ import annotations

import zipfile
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Route

from sandbox import seed
from tests.browser.site import give_consent
from tests.browser.test_axe import problems
from tests.browser.test_browser import look
from tests.browser.test_every_page import wrong_with
from tests.browser.test_files import RUN, at, cell, grid, names, two, until

HOME = "/home/ada/"
#: as the desktop does it: files over an element, then let go
DROP = """([selector, names]) => {
  const element = document.querySelector(selector);
  const brought = new DataTransfer();
  for (const name of names) brought.items.add(new File(["dropped"], name));
  const options = { dataTransfer: brought, bubbles: true, cancelable: true };
  for (const type of ["dragenter", "dragover", "drop"])
    element.dispatchEvent(new DragEvent(type, options));
}"""


@pytest.fixture
def consented(page_of, site):
    def opened(**options):
        page = page_of("ada", **options)
        page.goto(f"{site.url}/collections/{seed.RESEARCH}/upload/?path={HOME}")
        give_consent(page, site)
        return page

    return opened


def drop(page, selector, *brought):
    page.evaluate(DROP, [selector, list(brought)])


class Held:
    """Requests that wait for ``let_go``."""

    def __init__(self, page, which):
        self.routes: list[Route] | None = []
        page.route(which, self.handle)

    def handle(self, route):
        if self.routes is None:
            route.continue_()
        else:
            self.routes.append(route)

    def let_go(self):
        routes, self.routes = self.routes, None
        for each in routes:
            each.continue_()


def test_files_dropped_on_a_pane_go_up_there_and_appear(consented, site):
    page = consented()
    page.goto(site.url + at(HOME, seed.RESEARCH))
    grid(page)
    drop(page, "#origin table", "dropped.txt", "<img src=x onerror=alert(1)>.txt")
    page.get_by_text("into /home/ada/ of").wait_for()
    page.locator("#dropped [data-state=done]").nth(1).wait_for()
    cell(page, "dropped.txt").wait_for()
    cell(page, "<img src=x onerror=alert(1)>.txt").wait_for()
    assert problems(page) == []
    assert look(page, "structure") == []
    drop(page, "#origin table", "dropped.txt")
    there = page.locator("#dropped [data-state=there]")
    there.get_by_text("It was left as it is").wait_for()
    there.get_by_role("button", name="Replace it: dropped.txt").click()
    there.wait_for(state="detached")
    page.locator("#dropped").get_by_role("button", name="Close").click()
    assert page.locator("#dropped form").count() == 0


def test_files_dropped_quickly_one_after_the_other_share_a_panel(consented, site):
    page = consented()
    page.goto(site.url + at(HOME, seed.RESEARCH))
    grid(page)
    held = Held(page, "**/upload/**")
    drop(page, "#origin table", "first-drop.txt")
    drop(page, "#origin table", "second-drop.txt")
    until(page, lambda: held.routes)
    held.let_go()
    page.locator("#dropped [data-state=done]").nth(1).wait_for()
    assert page.locator("#dropped section").count() == 1
    cell(page, "first-drop.txt").wait_for()
    cell(page, "second-drop.txt").wait_for()


def test_a_pane_does_not_wait_for_the_rows_of_the_other_one(page_of, site):
    page = page_of("ada")

    def is_of_the_other(address):
        return parse_qs(urlsplit(address).query).get("path") == ["/~/"]

    held = Held(page, is_of_the_other)
    page.goto(site.url + two("/Documents/", "/~/"))
    grid(page, "origin")
    until(page, lambda: held.routes)
    page.evaluate("document.documentElement.dataset.same = 'yes'")
    page.locator("#origin").get_by_role("link", name="Up", exact=True).click()
    cell(page, "Documents").first.wait_for()
    assert page.evaluate("document.documentElement.dataset.same") == "yes"
    held.let_go()
    grid(page, "destination")


def test_files_dropped_on_a_folder_go_into_it(consented, site):
    page = consented()
    page.goto(site.url + at("/home/", seed.RESEARCH))
    row = grid(page).get_by_role("row").filter(has_text="ada")
    index = row.get_attribute("data-index")
    drop(page, f"#origin tr[data-index='{index}'] td.c-name", "inside.txt")
    page.get_by_text("into /home/ada/ of").wait_for()
    page.locator("#dropped [data-state=done]").wait_for()
    page.goto(site.url + at(HOME, seed.RESEARCH))
    assert "inside.txt" in names(page)


def test_a_collection_that_takes_no_files_says_so(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    drop(page, "#origin table", "lost.txt")
    panel = page.locator("#dropped section")
    panel.get_by_text("This collection has no HTTPS server").wait_for()
    assert problems(page) == []
    panel.get_by_role("link", name="Open that page").click()
    page.get_by_role("heading", name="no HTTPS server").wait_for()


def test_a_file_that_misses_the_panes_changes_nothing(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    drop(page, "h1", "missed.txt")
    assert page.locator("#dropped section").count() == 0
    assert "/files/" in page.url


@pytest.mark.parametrize("script", [True, False])
def test_several_files_are_downloaded_as_one(consented, site, script):
    page = consented(java_script_enabled=script)
    page.goto(site.url + at(RUN, seed.RESEARCH))
    if script:
        grid(page)
    for _ in range(2):  # the page stays as it was, to be used again
        page.get_by_label("Select run.json").check()
        page.get_by_label("Select quality.csv").check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "2026-03-01.zip"
    archive = zipfile.ZipFile(download.value.path())
    assert archive.namelist() == ["quality.csv", "run.json"]
    page.get_by_label("Select quality.csv").uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "run.json"


@pytest.mark.parametrize("script", [True, False])
def test_a_collection_is_found_for_an_empty_pane(page_of, site, script):
    page = page_of("ada", java_script_enabled=script)
    page.goto(site.url + at("/Documents/", panes=2))
    page.locator("#destination").get_by_label("Find a collection").fill("laptop")
    page.keyboard.press("Enter")
    page.get_by_text("For the second pane of the files page").wait_for()
    assert problems(page) == [] if script else True
    page.get_by_role("link", name="Choose").first.click()
    page.locator("#destination .pane-rows").wait_for()
    page.locator("#origin").get_by_text("paper.tex").wait_for()
    page.locator("#destination").get_by_title("Choose another collection").click()
    page.get_by_role("link", name="Your bookmarks").click()
    page.get_by_role("link", name="Back to the panes").click()
    page.locator("#origin").get_by_text("paper.tex").wait_for()


def test_narrow_and_by_keys_a_collection_is_found(page_of, site):
    page = page_of("ada", viewport={"width": 390, "height": 844})
    page.goto(site.url + two("/Documents/", "/"))
    grid(page)
    page.locator("#destination").get_by_title("Choose another collection").focus()
    page.keyboard.press("Enter")
    field = page.locator("#destination").get_by_label("Find a collection")
    field.wait_for()
    assert wrong_with(page) == []
    field.focus()
    page.keyboard.type("laptop")
    page.keyboard.press("Enter")
    page.get_by_text("For the second pane").wait_for()
    assert wrong_with(page) == []
    page.get_by_role("link", name="Choose").first.focus()
    page.keyboard.press("Enter")
    until(page, lambda: page.locator("#destination .pane-rows").count() == 1)
