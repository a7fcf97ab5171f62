"""The form of a job in a browser: with script, by keyboard, and without script."""

from __future__ import annotations


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
