"""The form of a job in a browser: with script, by keyboard, and without script."""

from __future__ import annotations

from playwright.sync_api import expect

from sandbox import seed
from tests.browser.test_axe import problems
from tests.portal.processes import eventually


def fill_in(page, name):
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Service account").select_option(label="Nightly harvest")
    page.get_by_label("Source collection’s ID").fill(
        "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
    )
    page.get_by_label("Source path").fill("/home/share/godata/")
    page.get_by_label("What it does").select_option("list")
    page.get_by_label("When it runs").select_option("cron")
    page.get_by_label("Cron line").fill("0 2 * * *")
    page.get_by_label("Time zone").fill("Europe/London")


def test_a_look_at_a_step_keeps_all_that_was_written(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "with script")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Check that it can be read").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It can be read: 3 entries").wait_for()
    assert page.evaluate("window.sameDocument")
    assert page.get_by_label("Name", exact=True).input_value() == "with script"
    words = page.locator("#summary").inner_text()
    assert "Every night at 02:00 Europe/London, Nightly harvest lists" in words
    page.get_by_role("button", name="Show the next ten").click()
    page.locator("ol.due > li").nth(9).wait_for()
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="with script").wait_for()


def test_the_form_works_without_script_on_a_phone(page_of, site):
    page = page_of(
        "grace", java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "without script")
    page.get_by_role("button", name="Check that it can be read").click()
    page.get_by_text("It can be read: 3 entries").wait_for()
    page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.get_by_label("Name", exact=True).input_value() == "without script"
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="without script").wait_for()
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("heading", name="Run of without script").wait_for()


def check_all_of_it(page):
    page.wait_for_load_state()
    page.get_by_role("button", name="Check all of it").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Nothing stands in the way of this job.").wait_for()


def test_a_schedule_is_added_and_removed_by_keyboard(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "by keyboard")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Add a schedule").focus()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="Schedule 2").wait_for()
    page.keyboard.press("Enter")  # the focus is where it was
    third = page.get_by_role("group", name="Schedule 3")
    third.get_by_label("Cron line").fill("30 12 * * 6")
    page.get_by_role("button", name="Remove schedule 2").focus()
    page.keyboard.press("Enter")
    third.wait_for(state="detached")
    second = page.get_by_role("group", name="Schedule 2")
    assert second.get_by_label("Cron line").input_value() == "30 12 * * 6"
    check_all_of_it(page)
    assert page.evaluate("window.sameDocument")
    assert page.get_by_label("Name", exact=True).input_value() == "by keyboard"
    assert problems(page) == []
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="by keyboard").wait_for()
    page.get_by_text("Every Saturday at 12:30 Europe/London").first.wait_for()


PRESS_AS_SOON_AS_IT_IS_THERE = """() => {
    window.sameDocument = true;
    const watching = new MutationObserver(() => {
        if (!document.querySelector("#step-when .further")) return;
        watching.disconnect();
        document.querySelector("#add-schedule").click();
    });
    watching.observe(document.body, { childList: true, subtree: true });
}"""


def test_a_button_that_was_just_swapped_in_works_at_once(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    page.evaluate(PRESS_AS_SOON_AS_IT_IS_THERE)
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_role("group", name="Schedule 3").wait_for()
    assert page.evaluate("window.sameDocument")


def test_schedules_and_the_preflight_work_without_script_on_a_phone(page_of, site):
    page = page_of(
        "grace", java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "schedules without script")
    page.get_by_role("button", name="Add a schedule").click()
    second = page.get_by_role("group", name="Schedule 2")
    second.get_by_label("Cron line").fill("30 12 * * 6")
    page.get_by_role("button", name="Show the next ten").click()
    expect(page.locator("ol.due > li")).to_have_count(10)
    check_all_of_it(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Remove schedule 2").click()
    assert page.get_by_role("group", name="Schedule 2").count() == 0
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="schedules without script").wait_for()


def test_whom_to_let_in_is_copied_by_one_click(page_of, site):
    page = page_of("grace", permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "for the clipboard")
    page.get_by_label("Source collection’s ID").fill(seed.VAULT)
    page.get_by_label("Source path").fill("/keys/")
    page.get_by_role("button", name="Check all of it").click()
    step = page.locator("#step-preflight")
    step.get_by_role("button", name="Copy").first.click()
    step.get_by_role("button", name="Copied").wait_for()
    identity = step.locator("[data-copy-text]").first.inner_text()
    assert identity.endswith("@clients.auth.globus.org")
    assert page.evaluate("navigator.clipboard.readText()") == identity


def test_the_calendar_offers_the_zone_of_the_browser(page_of, site):
    page = page_of("grace", timezone_id="Europe/Paris")
    page.goto(f"{site.url}/jobs/calendar/?zone=UTC")
    page.get_by_role("link", name="In Europe/Paris").click()
    page.get_by_text(", in Europe/Paris").wait_for()
    assert page.get_by_role("link", name="In Europe/Paris").count() == 0


def test_a_job_is_tried_on_a_phone_before_it_is_saved(page_of, site):
    page = page_of(
        "grace", java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "tried first")
    page.get_by_label("Source collection’s ID").fill(seed.HARVEST)
    page.get_by_label("Source path").fill("/sensors/")
    page.get_by_label("Destination collection’s ID").fill(seed.ARCHIVE)
    page.locator("[name=destination_path]").fill("/incoming/tried/")
    page.get_by_label("What it does").select_option("transfer")
    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("heading", name="Dry run").wait_for()
    assert eventually(
        lambda: page.reload() and page.get_by_text("5 new entries").count()
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Back to the form").click()
    assert page.get_by_label("Name", exact=True).input_value() == "tried first"
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="tried first").wait_for()
    page.get_by_text("Every night at 02:00 Europe/London").first.wait_for()
