"""The form of a transfer, brought into its states step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

from playwright.sync_api import Locator, Page

from sandbox import seed
from tests.browser.site import Site

CAMPAIGN = "/projects/spring-campaign/"


def form_of(path: str, destination: str = "/home/ada/") -> str:
    return (
        f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={path}"
        f"&destination_id={seed.RESEARCH}&destination_path={destination}"
    )


def unfold(page: Page, words: str) -> None:
    page.locator("summary", has_text=words).click()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def one_more_rule(page: Page) -> None:
    """What is written before the scripts are there is not previewed."""
    button(page, "Add a rule").click()
    page.wait_for_load_state()


def add_rule(page: Page, number: int, what: str, name: str) -> None:
    one_more_rule(page)
    page.get_by_label(f"What rule {number} does").select_option(label=what)
    page.get_by_label(f"Names of rule {number}").fill(name)


def see_what_it_found(
    page: Page, press: Callable[[Locator], None] = Locator.click
) -> None:
    """Of a dry run. There is nothing to press where it ended before its page came."""
    shows = page.get_by_role("link", name="Show what it found")
    found = page.get_by_text("To be copied").first
    shows.or_(found).first.wait_for()
    if shows.count():
        press(shows)
    found.wait_for()


def fill_table(page: Page) -> None:
    button(page, "Several paths…").click()
    page.get_by_label("Source of row 1").fill(f"{CAMPAIGN}README.md")
    page.get_by_label("Destination of row 1").fill("read-me.md")
    button(page, "Add a row").click()
    page.get_by_label("Source of row 2").fill("results")
    page.get_by_label("Destination of row 2").fill("a/../b")


def states(page: Page, site: Site) -> Iterator[str]:
    """The form in its states, one after the other; and the pages around it."""
    page.goto(site.url + form_of("", "/home/ada/lines/"))
    fill_table(page)
    button(page, "Start the transfer").click()
    page.get_by_text("Line 2: a/../b").wait_for()
    yield "table"
    button(page, "As text, or from a file").click()
    page.get_by_label("Lines of").wait_for()
    button(page, "Start the transfer").click()
    page.get_by_text("This is not sent yet").wait_for()
    yield "text"
    page.goto(site.url + form_of(CAMPAIGN))
    for words in ("What of a folder", "Deleting", "Mail from", "Keep these"):
        unfold(page, words)
    page.get_by_label("Its name").fill(f"kept {uuid4()}")
    button(page, "Keep the template").click()
    page.get_by_text("is kept").wait_for()
    unfold(page, "What of a folder")
    add_rule(page, 1, "Leave out files", "*")
    page.locator("#filter-preview").get_by_text("README.md").wait_for()
    one_more_rule(page)
    page.get_by_label("Names of rule 2").fill("a/b")
    page.get_by_label("Which files to copy").focus()
    for words in ("Deleting", "Mail from", "Keep these"):
        unfold(page, words)
    page.locator("#filter-preview").get_by_text("Rule 2: Write a name").wait_for()
    yield "open"
    button(page, "Remove rule 2").click()
    page.get_by_label("Names of rule 2").wait_for(state="detached")
    button(page, "Dry run").click()
    see_what_it_found(page)
    yield "dry-run"
    page.goto(f"{site.url}/transfers/templates/")
    yield "templates"
    page.get_by_role("link", name="Rename").first.click()
    button(page, "Rename it").wait_for()
    yield "rename"
    page.goto(f"{site.url}/transfers/templates/")
    page.get_by_role("link", name="Delete").first.click()
    button(page, "Delete the template").wait_for()
    yield "delete"
