"""All that a person does with files, from the search to the sharing, in one go.

Each with another pair of hands: a mouse, a thumb on a phone in the dark, keys alone,
and without script.
"""

from __future__ import annotations

import re

import pytest

from sandbox import seed
from tests.browser.send_states import see_what_it_found
from tests.browser.site import allow
from tests.browser.test_axe import problems
from tests.browser.test_browser import NARROW, tab_to

NAME = "Spring campaign (shared)"
TYPED = 120


class Hands:
    """Presses and writes by mouse."""

    def __init__(self, page, site):
        self.page, self.site = page, site

    def press(self, locator):
        locator.click()

    def tick(self, name, side="origin"):
        self.page.locator(f"#{side}").get_by_label(f"Select {name}", exact=True).check()

    def field(self, name, within=None):
        """By its label, of which “(optional)” may be the end."""
        around = within or self.page
        fields = self.page.locator("input, select, textarea")
        return around.get_by_label(re.compile(f"^{name}")).and_(fields).first

    def write(self, name, text, within=None):
        field = self.field(name, within)
        field.wait_for()
        self.page.wait_for_load_state()  # else no script sees what is written
        field.fill(text)

    def choose(self, name, value):
        self.field(name).select_option(value)

    def button(self, name, within=None):
        self.press((within or self.page).get_by_role("button", name=name, exact=True))

    def link(self, name, within=None):
        self.press((within or self.page).get_by_role("link", name=name).first)

    def unfold(self, words):
        self.press(self.page.locator("summary", has_text=words))


class Keys(Hands):
    """The tabulator, arrows, Space and Enter; the focus is always seen."""

    def press(self, locator):
        locator.wait_for()
        tab_to(self.page, locator, most=200)
        self.page.keyboard.press("Enter")

    def tick(self, name, side="origin"):
        """In the grid: one tab stop, then arrows."""
        page = self.page
        stop = page.locator(f"#{side} table [tabindex='0']")
        stop.wait_for()
        tab_to(page, stop, most=200)
        page.keyboard.press("Control+Home")
        box = page.locator(f"#{side}").get_by_label(f"Select {name}", exact=True)
        for _ in range(20):
            if box.count() and box.evaluate(IN_FOCUSED_ROW):
                break
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+Space")
        assert box.is_checked()

    def write(self, name, text, within=None):
        field = self.field(name, within)
        field.wait_for()
        tab_to(self.page, field, most=200)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, name, value):
        field = self.field(name)
        tab_to(self.page, field, most=200)
        for _ in range(10):
            if field.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{value} cannot be chosen")


IN_FOCUSED_ROW = "box => box.closest('tr').contains(document.activeElement)"

WAYS = {
    "mouse": (Hands, {}),
    "phone in the dark": (Hands, {"viewport": NARROW, "color_scheme": "dark"}),
    "keys": (Keys, {}),
    "no script": (Hands, {"java_script_enabled": False}),
}


@pytest.mark.parametrize("way", WAYS)
def test_from_the_search_to_the_sharing(page_of, site, way):
    kind, options = WAYS[way]
    page = page_of("grace", **options)
    site.sandbox.generate(seed.SHARED, "/full", TYPED, 10)
    hands = kind(page, site)
    script = options.get("java_script_enabled", True)
    find(hands)
    bookmark(hands)
    two_panes(hands)
    make_and_rename(hands)
    if script:
        assert problems(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= page.viewport_size["width"]
    send(hands, script)
    up_and_down(hands, script)
    delete(hands, script)
    share(hands)


def at(folder="/", **more):
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/files/?origin_id={seed.SHARED}&origin_path={folder}{extra}"


def find(hands):
    page = hands.page
    page.goto(f"{hands.site.url}/collections/?scope=all")
    hands.write("Search in names, owners and descriptions", "spring campaign")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=spring**")
    hands.link("Browse")
    page.get_by_role("heading", name=NAME).wait_for()


def bookmark(hands):
    hands.link("Bookmark", hands.page.locator("#origin"))
    hands.write("Name", "my field data")
    hands.button("Keep the bookmark")
    hands.page.wait_for_url("**/bookmarks/")
    hands.link("my field data")
    hands.page.locator("#origin .pane-rows").wait_for()


def two_panes(hands):
    page = hands.page
    page.goto(f"{hands.site.url}{at(panes=2)}")
    hands.write("Find a collection", "spring campaign", page.locator("#destination"))
    page.keyboard.press("Enter")
    page.get_by_text("For the second pane of the files page").wait_for()
    hands.link("Choose")
    page.locator("#destination .pane-rows").wait_for()
    assert page.locator("#origin .pane-rows").count() == 1


def make_and_rename(hands):
    page = hands.page
    hands.button("New folder", page.locator("#origin"))
    hands.write("Name", "first")
    hands.button("Make the folder")
    page.get_by_text("The folder is made").wait_for()
    hands.tick("first")
    hands.button("Rename", page.locator("#origin"))
    field = page.get_by_label("New name")
    field.wait_for()
    field.press("Control+a")
    page.keyboard.type("sent here")
    page.keyboard.press("Enter")
    page.locator("#origin").get_by_label("Select sent here").wait_for(state="attached")


def send(hands, script):
    page = hands.page
    page.goto(
        f"{hands.site.url}{at()}"
        f"&destination_id={seed.SHARED}&destination_path=/sent here/"
    )
    hands.tick("full")
    hands.button("Transfer…", page.locator("#origin"))
    hands.unfold("What of a folder goes along")
    hands.button("Add a rule")
    hands.write("Names of rule 1", "*9.dat")
    if not script:
        hands.button("Show what matches")
    page.locator("#filter-preview").get_by_text("file-000009.dat").first.wait_for()
    hands.write("Label", "all the way")
    hands.button("Dry run")
    page.wait_for_url("**/dry-runs/*/")
    for _ in range(0 if script else 180):
        if page.get_by_text("To be copied").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    see_what_it_found(page, hands.press)
    hands.button("Start the transfer")
    page.wait_for_url("**/transfers/*-*/")
    ends(hands, script)


def ends(hands, script):
    page = hands.page
    for _ in range(0 if script else 180):
        if page.get_by_text("Succeeded", exact=True).count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=90_000)


def up_and_down(hands, script):
    page = hands.page
    page.goto(f"{hands.site.url}{at('/sent here/')}")
    hands.link("Upload", page.locator("#origin"))
    page.wait_for_url("**/upload/**")
    if page.get_by_role("button", name="Give consent at Globus").count():
        hands.button("Give consent at Globus")
        allow(page, hands.site, "grace")
    chosen = {"name": "mine.txt", "mimeType": "text/plain", "buffer": b"all mine"}
    page.get_by_label("Files from your computer").set_input_files([chosen])
    if script:
        page.locator("[data-state=done]", has_text="mine.txt").wait_for()
    else:
        hands.button("Upload")
        page.get_by_text("Everything has arrived").wait_for()
    hands.link("Back to the folder")
    hands.tick("mine.txt")
    with page.expect_download() as download:
        hands.button("Download", page.locator("#origin"))
    assert download.value.path().read_bytes() == b"all mine"


def delete(hands, script):
    page = hands.page
    page.goto(f"{hands.site.url}{at()}")
    hands.tick("full")
    hands.button("Delete…", page.locator("#origin"))
    page.get_by_text(f"{TYPED} files").wait_for()
    hands.button("Delete")
    page.get_by_text("Write 1 to say that you mean it").wait_for()
    hands.write("Write 1 to delete", "1")
    hands.button("Delete")
    page.wait_for_url("**/transfers/*-*/")
    ends(hands, script)
    page.goto(f"{hands.site.url}{at()}")
    page.locator("#origin .pane-rows").wait_for()
    assert page.get_by_label("Select full", exact=True).count() == 0


def share(hands):
    page = hands.page
    page.goto(f"{hands.site.url}/collections/{seed.SHARED}/sharing/")
    hands.write("Folder", "/sent here/")
    hands.choose("With", "identity")
    hands.write("Person", seed.MALLORY)
    hands.button("Share it")
    page.get_by_role("row").filter(has_text="/sent here/").first.wait_for()
