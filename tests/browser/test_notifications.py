"""Notifications in a browser: asked for by a click, one for each thing, and no more."""

from __future__ import annotations

from tests.browser.site import Site
from tests.browser.test_browser import NARROW, consent_to_research
from tests.browser.test_every_page import wrong_with
from tests.browser.test_watching import RUN, send, waits_for

#: A headless browser shows nothing; what it would show is written down for all tabs.
RECORDER = """
window.Notification = class {
  static get permission() { return localStorage.getItem("permission") || "default"; }
  static async requestPermission() {
    localStorage.setItem("permission", "granted");
    return "granted";
  }
  constructor(title, { body, tag }) {
    const told = JSON.parse(localStorage.getItem("told") || "[]");
    localStorage.setItem("told", JSON.stringify([...told, [tag, body]]));
  }
};
"""

#: milliseconds between two looks of a browser, as ``notices.js`` has it
EVERY = 20_000


def told(page):
    return page.evaluate("JSON.parse(localStorage.getItem('told') || '[]')")


def wishes(page, site: Site):
    page.goto(f"{site.url}/notifications/")
    page.get_by_label("A transfer is done").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("You are told in this way from now on.").wait_for()


def test_several_tabs_show_each_thing_once(page_of, site):
    page = page_of("ada")
    page.context.add_init_script(RECORDER)
    page.context.clock.install()
    consent_to_research(page, site)
    wishes(page, site)
    switch = page.get_by_role("button", name="Switch on in this browser")
    switch.click()
    page.get_by_text("Switched on in this browser.").wait_for()
    others = [page.context.new_page() for _ in range(2)]
    for tab in others:
        tab.goto(f"{site.url}/groups/")

    send(page, site, "done and told", RUN)
    waits_for(page, "Succeeded")
    for _ in range(180):
        if told(page):
            break
        page.wait_for_timeout(500)
        page.context.clock.fast_forward(EVERY)
    for tab in (page, *others):
        tab.reload()
    [(_, says)] = told(page)
    assert says == "“done and told” is done"

    page.goto(f"{site.url}/notifications/")
    page.get_by_role("link", name="“done and told” is done").wait_for()
    page.get_by_role("button", name="Switch off in this browser").click()
    page.get_by_text("Switched off in this browser.").wait_for()


#: Leaves the page in the very moment in which it says what it has shown.
LEAVER = """
const real = window.fetch;
window.fetch = (address, options) => {
  const answer = real(address, options);
  if (options.method === "POST" && !localStorage.getItem("left")) {
    localStorage.setItem("left", `kept alive: ${options.keepalive}`);
    location.assign("/groups/");
  }
  return answer;
};
"""


def test_what_was_shown_is_known_also_of_a_tab_that_was_left(page_of, site):
    page = page_of("ada")
    page.context.add_init_script(RECORDER)
    consent_to_research(page, site)
    wishes(page, site)
    send(page, site, "told while leaving", RUN)
    waits_for(page, "Succeeded")
    news = f"{site.url}/notifications/new/"
    expect_news(page, news, 1)

    page.context.add_init_script(LEAVER)
    page.goto(f"{site.url}/notifications/")
    page.get_by_role("button", name="Switch on in this browser").click()
    with page.expect_navigation(url="**/groups/"):
        page.reload()
    assert len(told(page)) == 1
    # By chance it may arrive without, too.
    assert page.evaluate("localStorage.getItem('left')") == "kept alive: true"
    expect_news(page, news, 0)


def expect_news(page, address, count):
    for _ in range(240):
        answer = page.request.get(address)
        assert answer.status in (200, 204)
        if (len(answer.json()["news"]) if answer.status == 200 else 0) == count:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"never {count} at {address}")


def test_nothing_is_asked_for_before_it_is_switched_on(page_of, site):
    page = page_of("ada")
    page.context.add_init_script(RECORDER)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/notifications/")
    page.get_by_text("Switched off in this browser.").wait_for()
    assert not [url for url in asked if url.endswith("/notifications/new/")]
    assert page.evaluate("Notification.permission") == "default"


def test_the_page_works_by_keyboard_on_a_phone_and_without_script(page_of, site):
    page = page_of("ada", java_script_enabled=False, viewport=NARROW)
    page.goto(f"{site.url}/notifications/")
    page.get_by_label("Mail", exact=True).select_option("digest")
    page.get_by_label("Hour of the daily mail").select_option("7")
    page.get_by_label("Your time zone").fill("Europe/London")
    page.keyboard.press("Enter")
    page.get_by_text("You are told in this way from now on.").wait_for()
    assert page.get_by_label("Mail", exact=True).input_value() == "digest"
    page.get_by_text("This takes a browser that can do it").wait_for()
    assert not page.get_by_role("button", name="Switch on").is_visible()

    page.get_by_label("Address").fill("http://hooks.example.org/")
    page.get_by_role("button", name="Set it, with a new key").click()
    page.get_by_text("begins with https://").wait_for()


def test_nothing_is_wrong_where_there_is_a_webhook(page_of, site):
    page = page_of("ada", viewport=NARROW)
    page.goto(f"{site.url}/notifications/")
    page.get_by_label("ddress").last.fill("https://127.0.0.1/hook")
    page.get_by_role("button", name="Set it, with a new key").click()
    page.get_by_text("Copy the key of your webhook now").wait_for()
    assert wrong_with(page) == []
    page.goto(f"{site.url}/notifications/")
    page.get_by_role("button", name="Send a test").click()
    page.get_by_text("Given up").wait_for()
    assert wrong_with(page) == []
    page.get_by_role("button", name="Take it away").click()
    page.get_by_text("The webhook is gone.").wait_for()
