"""A transfer is sent, stalls, is mended through a consent, repeated and cancelled."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from sandbox import seed
from tests.browser.site import allow, sign_in
from tests.browser.test_axe import problems
from tests.browser.test_browser import consent_to_research
from tests.browser.test_files import until

RUN = "/projects/spring-campaign/runs/2026-03-01/"
GONE = "/projects/telescope/raw/frame-9999.fits"


def send(page, site, label, item, folder="/home/ada/in/", **options):
    """As if the item had been picked in its folder."""
    page.goto(
        f"{site.url}/transfers/new/?origin_id={seed.RESEARCH}&item={item}"
        f"&destination_id={seed.RESEARCH}&destination_path={folder}"
    )
    page.get_by_label("Label").fill(label)
    for name in options.get("check", ()):
        page.get_by_label(name).check()
    page.get_by_role("button", name="Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")
    return page.url


def waits_for(page, text):
    page.get_by_text(text).first.wait_for(timeout=90_000)


def on_its_way(page_of, site, label):
    """The page of a transfer that Globus works on until the sandbox lets it end."""
    page = page_of("ada")
    consent_to_research(page, site)
    site.sandbox.set(hold_tasks=True)
    send(page, site, label, RUN)
    waits_for(page, "Globus is working on it.")
    return page


def test_it_stalls_is_mended_through_a_consent_watched_and_repeated(
    page_of, open_page, site
):
    page = on_its_way(page_of, site, "stopped on its way")
    address = page.url
    site.sandbox.withdraw_consents(username=seed.ADA)
    site.sandbox.set(hold_tasks=False)
    waits_for(page, "Globus may not act for you there any more.")

    page = open_page()  # another day, another browser
    sign_in(page, site, "ada")
    page.goto(f"{site.url}/attention/")
    assert page.locator(".needs .bubble").inner_text() == "1"
    page.get_by_role("button", name=re.compile("Sign in again")).first.click()
    allow(page, site)
    page.goto(address)
    waits_for(page, "Succeeded")
    page.goto(f"{site.url}/attention/")
    page.get_by_text("Nothing needs you").wait_for()
    assert page.locator(".needs").count() == 0

    page.goto(address)
    page.get_by_role("link", name="Files that arrived").click()
    expect(page.get_by_role("row")).to_have_count(4)
    page.goto(address)
    page.get_by_role("link", name="Send again…").click()
    page.get_by_label("The same once more").check()
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(lambda url: "/again/" not in url)
    assert page.url != address
    waits_for(page, "Succeeded")
    page.get_by_text("Repeats", exact=True).wait_for()

    site.sandbox.set(hold_tasks=True)
    send(page, site, "stopped by its owner", RUN, folder="/home/ada/other/")
    waits_for(page, "Globus is working on it.")
    page.get_by_role("link", name="Cancel the transfer").click()
    page.get_by_role("button", name="Cancel the transfer").click()
    site.sandbox.set(hold_tasks=False)
    waits_for(page, "Cancelled")


#: what the worker asks, however many look: the task list for all tasks at once, and
#: for a task in trouble its events once in a while
OF_THE_MONITOR = ("/task_list", "/event_list", "/pause_info", "/token")


def test_pages_that_watch_ask_the_portal_and_never_globus(page_of, site):
    page = on_its_way(page_of, site, "watched by many")
    address = page.url
    tabs = [page]
    for place in (address, f"{site.url}/", f"{site.url}/transfers/"):
        tabs.append(page.context.new_page())
        tabs[-1].goto(place)
    polls = []
    for tab in tabs:
        tab.on("response", lambda answer: polls.append((answer.url, answer.status)))
    site.sandbox.forget_requests()
    began = time.monotonic()
    for _ in range(120):
        page.wait_for_timeout(500)
        if len({url for url, status in polls if status == 304}) >= 3:
            break
    elapsed = time.monotonic() - began
    assert len({url for url, status in polls if status == 304}) >= 3
    # A task of an earlier test, which the monitor still looks for, is not found.
    asked = [each["path"] for each in site.sandbox.requests() if each["status"] != 404]
    assert [path for path in asked if not path.endswith(OF_THE_MONITOR)] == []
    assert sum(path.endswith("/task_list") for path in asked) <= elapsed / 5 + 2
    site.sandbox.set(hold_tasks=False)


def test_the_same_again_names_what_is_in_the_way(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    send(page, site, "the first", GONE)
    waits_for(page, "Has trouble")
    waits_for(page, "FILE_NOT_FOUND")
    second = send(page, site, "the second", GONE)
    waits_for(page, "The same is under way already")
    assert problems(page) == []
    page.get_by_role("button", name="Cancel the other one, then send this").click()
    page.goto(second)
    waits_for(page, "Has trouble")

    page.goto(f"{site.url}/transfers/")
    page.get_by_role("checkbox", name="the second").check()
    page.get_by_role("button", name="Cancel the picked ones").click()
    page.get_by_role("button", name="Cancel them").click()
    page.get_by_role("row", name=re.compile("the second.*Cancelled", re.S)).wait_for(
        timeout=90_000
    )


#: the next look brings rows, as if something had changed, in the place of these
ASK_FOR_ALL = """() => {
  const rows = document.querySelector("#activity-rows");
  rows.removeAttribute("hx-headers");
  rows.querySelector("tbody").dataset.old = "yes";
}"""


def test_a_pick_outlives_the_rows_that_are_brought_up_to_date(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    send(page, site, "stays", GONE)
    waits_for(page, "Has trouble")
    page.goto(f"{site.url}/transfers/")
    page.get_by_role("checkbox", name="stays").check()
    page.get_by_role("checkbox", name="stays").focus()
    with page.expect_response(lambda answer: "/transfers/rows/" in answer.url):
        page.get_by_role("checkbox", name="stays").focus()
    page.evaluate(ASK_FOR_ALL)
    page.locator("#activity-rows [data-old]").wait_for(state="detached")
    assert page.get_by_role("checkbox", name="stays").is_checked()


def test_a_press_outlives_what_is_brought_up_to_date(page_of, site):
    page = on_its_way(page_of, site, "pressed for long")
    looks = []
    page.on("response", lambda answer: looks.append(answer.url))
    page.get_by_role("link", name="Cancel the transfer").hover()
    page.mouse.down()
    page.locator("#live").evaluate("live => live.removeAttribute('hx-headers')")
    # the answer of the second brings the part anew, and the third is asked for by that
    until(page, lambda: sum("/progress/" in url for url in looks) >= 3)
    page.mouse.up()
    page.wait_for_url("**/cancel/")


#: a button of what is brought up to date; who presses it is noted
ADD_A_BUTTON = """live => {
  live.removeAttribute("hx-headers");
  live.dataset.old = "yes";
  const button = "<button type='button' id='probe'>Mend</button>";
  live.insertAdjacentHTML("beforeend", button);
  const probe = document.getElementById("probe");
  probe.addEventListener("click", () => { document.body.dataset.clicked = "yes"; });
  probe.focus();
}"""


def test_a_press_of_a_key_outlives_it_too(page_of, site):
    page = on_its_way(page_of, site, "pressed by a key")
    page.locator("#live").evaluate(ADD_A_BUTTON)
    page.keyboard.down(" ")
    for _ in range(2):  # the first may have been on its way
        with page.expect_response("**/progress/"):
            pass
    page.keyboard.up(" ")
    assert page.locator("body").get_attribute("data-clicked") == "yes"
    page.locator("#live[data-old]").wait_for(state="detached")


def test_a_release_that_is_never_heard_of_stops_nothing_for_good(page_of, site):
    page = on_its_way(page_of, site, "released elsewhere")
    page.locator("#live").evaluate(ADD_A_BUTTON)
    page.locator("#probe").dispatch_event("pointerdown")
    for _ in range(2):
        with page.expect_response("**/progress/"):
            pass
    assert page.locator("#live").get_attribute("data-old") == "yes"
    page.evaluate(
        "{ const now = performance.now() + 60000; performance.now = () => now; }"
    )
    page.locator("#live[data-old]").wait_for(state="detached")


#: the next look brings the part anew, in the place of this, where a table is unfolded
UNFOLD_AND_ASK = """live => {
  live.removeAttribute("hx-headers");
  live.dataset.old = "yes";
  const table = "<details id='speeds' open><summary>As a table</summary></details>";
  live.insertAdjacentHTML("beforeend", table);
}"""


def test_what_is_unfolded_stays_so_when_it_is_brought_up_to_date(page_of, site):
    page = on_its_way(page_of, site, "with a table")

    def with_a_table(route):
        answer = route.fetch()
        table = "<details id='speeds'><summary>As a table</summary></details></div>"
        body = answer.text().rstrip().removesuffix("</div>") + table
        route.fulfill(response=answer, body=body)

    page.route("**/progress/", with_a_table)
    page.locator("#live").evaluate(UNFOLD_AND_ASK)
    page.locator("#live[data-old]").wait_for(state="detached")
    assert page.locator("#speeds").evaluate("table => table.open")


#: as above; here is a list that is longer than its box, scrolled and with the focus
SCROLL_AND_ASK = """(live, events) => {
  live.removeAttribute("hx-headers");
  live.dataset.old = "yes";
  live.insertAdjacentHTML("beforeend", events);
  const probe = document.getElementById("probe");
  probe.scrollTop = 150;
  probe.focus();
}"""


def test_what_is_scrolled_and_has_the_focus_stays_so(page_of, site):
    page = on_its_way(page_of, site, "with a long list")
    lines = "<p>An event</p>" * 100
    events = f"<div id='probe' class='scroll events' tabindex='0'>{lines}</div>"

    def with_events(route):
        answer = route.fetch()
        body = answer.text().rstrip().removesuffix("</div>") + events + "</div>"
        route.fulfill(response=answer, body=body)

    page.route("**/progress/", with_events)
    page.locator("#live").evaluate(SCROLL_AND_ASK, events)
    page.locator("#live[data-old]").wait_for(state="detached")
    probe = page.locator("#probe")
    assert probe.evaluate("events => events.scrollTop") == 150
    assert probe.evaluate("events => events === document.activeElement")


def test_everything_works_without_script(page_of, site):
    page = page_of("ada", java_script_enabled=False)
    consent_to_research(page, site)
    address = send(page, site, "without script", RUN)
    for _ in range(180):
        if page.get_by_text("Succeeded", exact=True).count():
            break
        page.wait_for_timeout(500)
        page.goto(address)
    page.get_by_role("link", name="Send again…").click()
    page.get_by_label("let me change it").check()
    page.get_by_role("button", name="Go on").click()
    assert page.get_by_label("Label").input_value() == "without script"
    assert page.get_by_label("File or folder").input_value() == RUN
    page.goto(f"{site.url}/transfers/")
    page.get_by_label("Order").select_option("label")
    page.get_by_role("button", name="Show").click()
    assert "sort=label" in page.url
    page.get_by_role("row", name=re.compile("without script")).wait_for()
