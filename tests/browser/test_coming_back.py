"""What was picked is there when somebody comes back; rows that broke off come again.

Our pages are in no cache, so a browser makes them anew on the way back.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sandbox import seed
from tests.browser.site import allow, give_consent
from tests.browser.test_files import (
    at,
    cell,
    focus_comes_to,
    grid,
    many,
    summary,
    two,
    until,
)

__all__ = ["many"]

ODD = "/projects/odd%20names/"


def pick(page, name):
    page.locator("#origin").get_by_label(f"Select {name}").check()


def sign_in_again(page, site, username):
    page.wait_for_url(re.compile("/login/"))
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site, username)


def test_back_from_a_form_finds_what_was_picked(page_of, site):
    page = page_of("ada")
    page.goto(site.url + two())
    grid(page)
    pick(page, "paper.tex")
    pick(page, "figures")
    picked = summary(page)
    page.get_by_role("button", name="Transfer…").first.click()
    page.wait_for_url("**/transfers/new/")
    page.go_back()
    grid(page)
    until(page, lambda: summary(page) == picked)
    assert page.get_by_label("Select paper.tex").first.is_checked()


def test_back_from_a_folder_too(page_of, site):
    """However soon after the pick it was opened: no time passes in the page."""
    page = page_of("ada")
    page.clock.install()
    page.goto(site.url + at("/Documents/"))
    grid(page)
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    pick(page, "paper.tex")
    cell(page, "figures").get_by_role("link").click()
    until(page, lambda: "figures" in page.url)
    page.clock.resume()
    page.go_back()
    until(page, lambda: summary(page).startswith("1 selected"))
    assert "figures" not in page.url


def test_back_before_the_folder_had_come(page_of, site):
    """Its rows come while the page of the one before is on its way."""
    page = page_of("ada")
    page.clock.install()
    page.goto(site.url + at("/Documents/"))
    grid(page)
    pick(page, "paper.tex")
    rows, pages = [], []
    page.route("**/files/rows/**figures**", lambda route: rows.append(route))
    cell(page, "figures").get_by_role("link").click()
    until(page, lambda: rows)
    page.route("**/files/?**", lambda route: pages.append(route))
    page.go_back()
    until(page, lambda: pages)
    rows[0].continue_()
    cell(page, "plot.csv").wait_for()
    page.clock.fast_forward(1_000)  # all that is put off is done
    pages[0].continue_()
    cell(page, "paper.tex").wait_for()
    until(page, lambda: summary(page).startswith("1 selected"))


def test_not_when_the_folder_is_another_one_meanwhile(page_of, site, many):
    page = page_of("ada")
    many(page, 3)
    pick(page, "file-000001.dat")
    page.get_by_role("button", name="Transfer…").click()
    page.wait_for_url("**/transfers/new/")
    site.sandbox.generate(seed.LAPTOP, "/many", 4)
    other = page.context.new_page()
    other.goto(site.url + at("/many/"))
    grid(other)
    other.get_by_role("button", name="Refresh").click()
    until(other, lambda: summary(other).startswith("4 entries"))
    page.go_back()
    grid(page)
    until(page, lambda: summary(page).startswith("4 entries"))


def test_a_sign_in_on_the_way_loses_no_pick(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    pick(page, "paper.tex")
    page.context.clear_cookies(name="sessionid")
    grid(page).get_by_role("link", name="Size").click()
    sign_in_again(page, site, "ada")
    grid(page)
    until(page, lambda: summary(page).startswith("1 selected"))


def test_somebody_else_does_not_get_it(page_of, site):
    page = page_of("ada")
    address = f"/files/?origin_id={seed.TUTORIAL_2}&origin_path=/share/godata/"
    page.goto(site.url + address)
    give_consent(page, site)
    grid(page)
    pick(page, "file1.txt")
    page.context.clear_cookies()
    grid(page).get_by_role("link", name="Size").click()
    sign_in_again(page, site, "grace")
    page.goto(site.url + address)
    if page.get_by_role("button", name="Give consent at Globus").count():
        give_consent(page, site, "grace")
    grid(page)
    assert summary(page).startswith("3 entries")
    assert page.evaluate("sessionStorage.getItem('picked')") is None


def test_rows_that_broke_off_are_asked_for_again(page_of, site, many):
    page = page_of("ada")  # an error that nobody caught would fail this test
    found = many(page, 3000)
    cut = {"status": 200, "content_type": "application/json", "body": '{"stamp": "'}
    page.route("**/files/rows/**", lambda route: route.fulfill(**cut), times=1)
    scroll = page.locator("#origin .grid-scroll")
    scroll.evaluate("each => { each.scrollTop = 42 * 2500 }")
    page.get_by_text("Nothing is lost; try again").wait_for()
    scroll.evaluate("each => { each.scrollTop += 5 }")
    found.get_by_role("gridcell", name=re.compile("^file-0025..")).first.wait_for()
    page.get_by_text("Nothing is lost; try again").wait_for(state="detached")


def test_a_name_that_a_field_cannot_hold_stays_when_it_is_not_changed(page_of, site):
    page = page_of("ada")
    page.goto(f"{site.url}/files/?origin_id={seed.RESEARCH}&origin_path={ODD}")
    give_consent(page, site)
    grid(page)
    asked = []
    page.on("request", lambda each: asked.append(each.url))
    row = page.get_by_role("gridcell", name=re.compile("^line"))
    row.focus()
    page.keyboard.press("F2")
    page.get_by_label("New name for line").wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("New name for line").wait_for(state="detached")
    assert not [each for each in asked if "/rename/" in each]


def test_another_name_far_down_leaves_one_there(page_of, site, many):
    page = page_of("ada")
    many(page, 2500)
    cell(page, "file-000000.dat").focus()
    page.keyboard.press("Control+End")
    focus_comes_to(page, "file-002499.dat")
    page.keyboard.press("F2")
    page.get_by_label("New name for").fill("file-002498b.dat")
    page.keyboard.press("Enter")
    focus_comes_to(page, "file-002498b.dat")
