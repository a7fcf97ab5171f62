"""The form of a job when the portal, the sign-in or the job itself went away."""

from __future__ import annotations

from tests.browser.site import sign_in
from tests.browser.test_axe import problems
from tests.browser.test_jobs import fill_in

LOOK = "Check that it can be read"


def look(page):
    page.get_by_role("button", name=LOOK).focus()
    page.keyboard.press("Enter")


def name_in(page):
    return page.get_by_label("Name", exact=True).input_value()


def test_a_look_that_got_no_answer_is_said_beside_its_button(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "no answer")
    page.evaluate("window.sameDocument = true")
    ways = (
        (lambda route: route.abort(), "The portal did not answer."),
        (lambda route: route.fulfill(status=502, body="<h1>nginx"), "did not answer."),
        (
            lambda route: route.fulfill(
                status=413,
                body='<div class="notice" role="alert"><p class="notice-title">This is '
                "too much at once</p><p>Send less.</p></div>",
            ),
            "This is too much at once. Send less.",
        ),
    )
    for answer, words in ways:
        page.route("**/jobs/new/", answer, times=1)
        look(page)
        beside = page.locator("#step-source").get_by_role("alert")
        beside.get_by_text(words).wait_for()
        assert page.evaluate("document.activeElement.id") == "check-source"
        assert beside.count() == 1
    assert problems(page) == []
    look(page)
    page.get_by_text("It can be read: 3 entries").wait_for()
    assert beside.count() == 0
    assert page.evaluate("document.activeElement.id") == "check-source"
    assert page.evaluate("window.sameDocument")
    assert name_in(page) == "no answer"


def test_a_look_after_signing_out_in_another_tab_keeps_the_form(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "signed out")
    page.context.clear_cookies()
    look(page)
    page.get_by_role("heading", name="Your form is still here").wait_for()
    sign_in(page.context.new_page(), site, "grace")
    for _ in range(2):  # the sign-in has changed the token of forms
        page.get_by_role("button", name="Open the form as it was").click()
    page.get_by_role("heading", name="New job").wait_for()
    assert name_in(page) == "signed out"
    page.goto(f"{site.url}/jobs/?q=signed+out")
    page.get_by_text("No job fits").wait_for()


def test_a_look_after_signing_in_again_in_another_tab_keeps_the_form(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "signed in again")
    page.context.clear_cookies()
    sign_in(page.context.new_page(), site, "grace")
    look(page)
    page.get_by_role("button", name="Open the form as it was").click()
    page.get_by_role("heading", name="New job").wait_for()
    assert name_in(page) == "signed in again"


def test_a_look_at_a_job_that_was_deleted_keeps_the_form(page_of, site):
    page = page_of("grace")
    page.goto(f"{site.url}/jobs/new/")
    fill_in(page, "deleted")
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Name", exact=True).fill("deleted, and kept")
    other = page.context.new_page()
    other.goto(page.url.removesuffix("edit/"))
    other.get_by_role("button", name="Delete").click()
    other.get_by_role("heading", name="Jobs", exact=True).wait_for()
    look(page)
    page.get_by_text("It can be read: 3 entries").wait_for()
    page.get_by_role("button", name="Save the job").click()
    page.get_by_text("has been deleted meanwhile").wait_for()
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="deleted, and kept").wait_for()
