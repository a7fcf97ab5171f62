"""What people do, with a real browser, against a site that runs as in production."""

import re
from pathlib import Path

import pytest

from sandbox import seed
from tests.browser.admin_pages import admin_pages
from tests.browser.site import allow, give_consent, sign_in

RUN = "/projects/spring-campaign/runs/2026-03-01/"
ODD = f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/odd names/"
AUDITS = (Path(__file__).parent / "audits.js").read_text().partition("\n")[2].strip()


def look(page, audit):
    """What ``audits.js`` finds wrong with the page."""
    return page.evaluate(f"{AUDITS.rstrip(';')}.{audit}()")


def files_of(collection, path=""):
    return f"/files/?origin_id={collection}&origin_path={path}"


def consent_to_research(page, site, username="ada"):
    page.goto(site.url + files_of(seed.RESEARCH))
    consent = page.get_by_role("button", name="Give consent at Globus")
    if consent.count():
        give_consent(page, site, username)


def is_found(page):
    """What was used before is offered until then, by the page that is left."""
    page.get_by_text("Found", exact=True).wait_for()


def choose(page, name):
    """Of the collections that a search in the form of a transfer has found."""
    is_found(page)
    page.get_by_role("button", name=name).click()


def send_on(page, site):
    """Presses the button, and gives the consent that the destination wants."""
    page.get_by_role("button", name="Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")
    page.get_by_text("It waits for you").wait_for()
    give_consent(page, site)


def watch_to_the_end(page):
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=90_000)


def test_from_the_front_door_to_a_finished_transfer(page_of, site):
    page = page_of("ada")
    page.get_by_role("navigation", name="Main").get_by_text("Collections").click()
    page.get_by_label("Search in names").fill("research storage")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Browse Example University").click()
    give_consent(page, site)  # and is back in the folder
    page.get_by_role("heading", name="Example University Research Storage").wait_for()
    page.get_by_role("link", name="Top").click()
    for folder in ("projects", "spring-campaign", "runs", "2026-03-01"):
        page.get_by_role("grid").get_by_role("link", name=folder, exact=True).click()
    page.get_by_role("gridcell", name="quality.csv", exact=True).wait_for()
    page.get_by_title("Write a path").click()
    assert page.get_by_label("Path").input_value() == RUN

    page.get_by_label("Select quality.csv").check()
    page.get_by_label("Select run.json").check()
    assert page.locator("[data-pick-count]").inner_text().startswith("2 selected, ")
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_label("Find the collection").fill("tutorial")
    page.keyboard.press("Enter")
    choose(page, "Globus Tutorial Collection 2")
    page.get_by_label("Folder", exact=True).fill("/~/from-the-browser/")
    page.get_by_label("Label").fill("two files")
    site.sandbox.set(hold_tasks=True)
    send_on(page, site)
    page.get_by_text("Globus is working on it.").wait_for()
    site.sandbox.set(hold_tasks=False)
    # nothing is clicked any more: the page brings itself up to date
    watch_to_the_end(page)
    page.get_by_text("2 of 2").wait_for()
    assert page.locator("#announcer").inner_text() == "Succeeded"

    page.get_by_role("link", name="/~/from-the-browser/quality.csv").click()
    allow_if_asked(page, site)
    page.get_by_label("Select quality.csv").wait_for()
    page.goto(f"{site.url}/transfers/")
    page.get_by_role("row", name=re.compile("two files")).wait_for()


def allow_if_asked(page, site):
    if page.url.startswith(site.sandbox.url):
        allow(page, site)


def tab_to(page, locator, most=80):
    """Goes there by the tabulator alone; what has the focus must be seen."""
    page.wait_for_load_state()  # the address may name a place to begin at
    for _ in range(most):
        page.keyboard.press("Tab")
        if locator.evaluate("element => element === document.activeElement"):
            outline = locator.evaluate(
                "element => getComputedStyle(element).outlineStyle"
            )
            assert outline != "none"
            return
    raise AssertionError(f"The focus never came to {locator}")


def test_by_keyboard_alone(open_page, site):
    site.sandbox.reset()
    page = open_page()
    page.goto(site.url)
    tab_to(page, page.get_by_role("button", name="Sign in with Globus"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.sandbox.url}/**")
    tab_to(page, page.get_by_role("radio", name="ada@").first)
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Allow"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/**")

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to")
    assert skip.evaluate("element => element === document.activeElement")
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Browse files"), most=3)

    page.goto(f"{site.url}/files/?origin_id={seed.LAPTOP}&origin_path=/Documents/")
    page.get_by_role("grid").wait_for()
    tab_to(page, page.get_by_role("gridcell", name="figures", exact=True))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    tab_to(page, page.get_by_role("button", name="Transfer…"))
    page.keyboard.press("Enter")
    page.get_by_label("Find the collection").wait_for()
    tab_to(page, page.get_by_label("Find the collection"))
    page.keyboard.type("tutorial")
    page.keyboard.press("Enter")
    is_found(page)
    tab_to(page, page.get_by_role("button", name="Globus Tutorial Collection 2"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Folder", exact=True))
    page.keyboard.type("/~/by-keyboard/")
    tab_to(page, page.get_by_role("button", name="Start the transfer"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/transfers/*-*/")


def test_menus_open_and_close_by_key(page_of, site):
    page = page_of("ada")
    summary = page.locator("summary", has_text="Your account")
    summary.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert summary.evaluate("element => element === document.activeElement")


def test_without_script(page_of, site):
    page = page_of("ada", java_script_enabled=False)
    consent_to_research(page, site)
    page.goto(site.url + files_of(seed.RESEARCH, RUN))
    page.get_by_label("Select quality.csv").check()
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_label("Find the collection").fill("tutorial")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("button", name="Globus Tutorial Collection 2").click()
    page.get_by_role("button", name="Look into it").click()
    page.get_by_role("button", name="Give consent at Globus").click()
    allow(page, site)
    page.get_by_role("button", name="Go on").click()
    # the form is as it was
    page.get_by_text("quality.csv").wait_for()
    page.get_by_text("Globus Tutorial Collection 2").wait_for()
    page.get_by_label("Folder", exact=True).fill("/~/no-script/")
    page.get_by_role("button", name="Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")
    for _ in range(180):
        if page.get_by_text("Succeeded", exact=True).count():
            break
        page.wait_for_timeout(500)
        page.get_by_role("link", name="Refresh").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    page.locator("summary", has_text="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out").wait_for()


def test_a_transfer_is_cancelled(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(
        f"{site.url}/transfers/new/?origin_id={seed.RESEARCH}"
        f"&item=/projects/telescope/raw/frame-9999.fits"
        f"&destination_id={seed.RESEARCH}&destination_path=/home/ada/in/"
    )
    page.get_by_role("button", name="Start the transfer").click()
    page.get_by_text("Has trouble", exact=True).first.wait_for()
    page.get_by_role("link", name="Cancel the transfer").click()
    page.get_by_role("button", name="Cancel the transfer").click()
    page.get_by_text("Cancelled", exact=True).first.wait_for()
    [asked] = site.sandbox.requests("/cancel")
    assert (asked["method"], asked["status"]) == ("POST", 200)
    assert page.get_by_role("link", name="Cancel the transfer").count() == 0
    page.goto(site.url + files_of(seed.RESEARCH, "/home/ada/in/"))
    assert page.get_by_text("frame-9999.fits").count() == 0


def test_staff_run_a_job(page_of, site):
    page = page_of("grace")
    page.get_by_role("navigation", name="Main").get_by_text("Jobs").click()
    page.get_by_role("link", name="demo-list").click()
    page.get_by_label("Reason").fill("to see")
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    page.get_by_text("to see", exact=True).wait_for()
    page.get_by_role("link", name="See the inventory").click()
    page.wait_for_url("**/inventory/")
    found = page.locator("td .mono").all_inner_texts()
    assert found == [f"/home/share/godata/file{number}.txt" for number in (1, 2, 3)]


def test_hostile_names_do_nothing(page_of, site):
    page = page_of("ada")  # ``open_page`` fails on any dialog
    consent_to_research(page, site)
    page.goto(site.url + ODD)
    page.get_by_text("<img src=x onerror=alert(1)>.txt").wait_for()
    assert page.locator("main img").count() == 0
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_label("Find the collection").fill("research storage")
    page.keyboard.press("Enter")
    choose(page, "Example University Research")
    page.get_by_label("Folder", exact=True).fill("/home/ada/odd/")
    page.get_by_label("Label").fill("<svg onload=alert(1)>")
    page.get_by_role("button", name="Start the transfer").click()
    watch_to_the_end(page)
    # they arrived under the very same names
    page.goto(site.url + files_of(seed.RESEARCH, "/home/ada/odd/"))
    page.get_by_text("<img src=x onerror=alert(1)>.txt").wait_for()
    page.get_by_text("%41 +&?#.txt").wait_for()
    for address in ("/", "/transfers/"):
        page.goto(site.url + address)
        page.get_by_text("<svg onload=alert(1)>").first.wait_for()


NARROW = {"width": 390, "height": 844}


def test_the_menu_of_a_phone(page_of, site):
    page = page_of("grace", viewport=NARROW)
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("link", name="Transfers").first.click()
    assert page.locator("h1").inner_text() == "Transfers"


def test_no_page_of_the_administration_is_wider_than_a_phone(page_of, site):
    page = page_of("root", viewport=NARROW)
    wide = {}
    for name, address in admin_pages(page, site).items():
        page.goto(site.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > NARROW["width"]:
            wide[name] = width
    assert wide == {}


def test_the_identity_of_a_service_account_is_copied(page_of, site):
    page = page_of("root", permissions=["clipboard-read", "clipboard-write"])
    page.goto(site.url + admin_pages(page, site)["admin-accounts-secrets"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("@clients.auth.globus.org")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dark_scheme_is_dark(open_page, site, scheme):
    page = open_page(color_scheme=scheme)
    page.goto(site.url)
    body = page.evaluate("getComputedStyle(document.body).backgroundColor")
    darkest = sum(map(int, re.findall(r"\d+", body)))
    assert (darkest < 200) == (scheme == "dark")


def test_motion_is_reduced_on_request(open_page, site):
    page = open_page(reduced_motion="reduce")
    page.goto(site.url)
    moving = page.evaluate("document.getAnimations().length")
    assert moving == 0


def test_sign_in_comes_back_to_the_page_that_was_asked_for(open_page, site):
    site.sandbox.reset()
    page = open_page()
    page.goto(f"{site.url}/groups/")
    assert page.url.startswith(f"{site.url}/login/")
    sign_in(page, site, "ada", start="")
    assert page.locator("h1").inner_text() == "Groups"
