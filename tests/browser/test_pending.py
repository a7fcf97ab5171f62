"""A transfer with a selection and options is stopped by Globus, and nothing is lost."""

import re

import pytest

from sandbox import seed
from tests.browser.site import allow, give_consent, settled, sign_in

RUN = "/projects/spring-campaign/runs/2026-03-01/"
PICKED = f"/files/?origin_id={seed.RESEARCH}&origin_path={RUN}"


def pick_and_fill_in(page, site, *, script):
    """Two things are picked, a destination and options are chosen."""
    page.goto(f"{site.url}{PICKED}&destination_id={seed.TUTORIAL_2}&destination_path=/")
    # The other pane asks for its own, which is left for later.
    if page.locator("#origin-failure").count():
        give_consent(page, site)
    if script:
        settled(page)
    boxes = page.locator("#origin").get_by_label(re.compile("^Select (?!all)"))
    boxes.first.wait_for()
    labels = [boxes.nth(each).get_attribute("aria-label") or "" for each in range(2)]
    names = [label.removeprefix("Select ") for label in labels]
    for each in range(2):
        boxes.nth(each).check()
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_label("Label").fill("two of <them> & more")
    page.get_by_label("Encrypt on the way").check()
    page.get_by_label("Verify checksums").uncheck()
    page.get_by_label("Which files to copy").select_option("2")
    return names


def assert_form_is_whole(page, names):
    page.wait_for_load_state()
    assert page.get_by_label("Label").input_value() == "two of <them> & more"
    assert page.get_by_label("Encrypt on the way").is_checked()
    assert not page.get_by_label("Verify checksums").is_checked()
    assert page.get_by_label("Which files to copy").input_value() == "2"
    items = page.locator('input[name="item"]')
    found = [items.nth(each).get_attribute("value") for each in range(items.count())]
    assert [path.removeprefix(RUN).rstrip("/") for path in found] == names


def assert_sent_is_whole(page, names):
    page.wait_for_url(re.compile(r".*/transfers/[0-9a-f-]{36}/"))
    assert page.locator("h1").inner_text() == "two of <them> & more"
    table = page.get_by_role("group", name="What was picked")
    found = table.locator("tbody td:first-child").all_inner_texts()
    assert [path.removeprefix(RUN).rstrip("/") for path in found] == names
    said = page.locator(".facts").inner_text()
    assert "Encrypted on the way" in said
    assert "Checksums are not verified" in said
    assert "only files that were newer, or whose size differed" in said


def go_on(page, site, *, script):
    """A script presses the button; without one, the person does."""
    if not script:
        page.get_by_role("button", name="Go on").click()
    page.wait_for_url(re.compile(re.escape(site.url) + "/transfers/.*"))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_form_goes_on_after_a_consent_with_all_that_was_in_it(page_of, site, script):
    page = page_of("ada", java_script_enabled=script)
    names = pick_and_fill_in(page, site, script=script)
    page.get_by_role("button", name="Look into it").click()
    page.get_by_text("Globus asks for your consent").wait_for()
    give_consent(page, site)
    go_on(page, site, script=script)

    page.get_by_text("Folders in").wait_for()
    assert page.url == f"{site.url}/transfers/new/"
    assert_form_is_whole(page, names)

    page.get_by_role("button", name="Start the transfer").click()
    assert_sent_is_whole(page, names)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_form_outlives_its_session(page_of, site, script):
    page = page_of("ada", java_script_enabled=script)
    names = pick_and_fill_in(page, site, script=script)
    [session] = [each for each in page.context.cookies() if "sessionid" in each["name"]]
    page.context.clear_cookies(name=session["name"])
    page.get_by_role("button", name="Start the transfer").click()
    page.get_by_text("What you sent is kept").wait_for()
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site)
    go_on(page, site, script=script)
    assert_sent_is_whole(page, names)


def test_a_step_up_in_the_browser(page_of, site):
    page = page_of("ada")
    clinic = f"{site.url}/files/?origin_id={seed.CLINICAL}&origin_path=/"
    site.sandbox.advance(3_600)
    page.goto(clinic)
    page.get_by_text("asks for an identity of a certain organisation").wait_for()
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site)
    page.wait_for_url(re.compile(r".*/files/\?origin_id=.*"))
    page.locator("#origin .c-name").first.wait_for()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_form_outlives_every_cookie(page_of, site, script):
    page = page_of("ada", java_script_enabled=script)
    names = pick_and_fill_in(page, site, script=script)
    page.context.clear_cookies()
    page.get_by_role("button", name="Start the transfer").click()
    page.get_by_text("Your form is still here").wait_for()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in, in a new tab").click()
    sign_in(opened.value, site, "ada", start="")
    page.get_by_role("button", name="Open the form as it was").click()
    page.get_by_text("You are signed in as").wait_for()
    page.get_by_role("button", name="Open the form as it was").click()
    page.get_by_text("items picked").wait_for()
    assert_form_is_whole(page, names)
