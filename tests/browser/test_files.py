"""The files page with a real browser: by mouse, by keys, without script, small."""

from __future__ import annotations

import re

import pytest

from sandbox import seed
from tests.browser.site import allow, give_consent, settled
from tests.browser.test_axe import problems
from tests.browser.test_browser import choose, look, send_on, watch_to_the_end

CAMPAIGN = "/projects/spring-campaign/"
RUN = f"{CAMPAIGN}runs/2026-03-01/"
NARROW = {"width": 390, "height": 844}


def at(path="", collection=seed.LAPTOP, **more):
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/files/?origin_id={collection}&origin_path={path}{extra}"


def two(first="/Documents/", second="/~/", other=seed.LAPTOP):
    return at(first, destination_id=other, destination_path=second)


def grid(page, side="origin"):
    """The grid of a pane, once the script has made one."""
    found = page.locator(f"#{side}").get_by_role("grid")
    found.wait_for()
    return found


def names(page, side="origin"):
    return grid(page, side).locator("tbody .c-name bdi").all_inner_texts()


def cell(page, name):
    """The cell of a grid with this name, and no other that holds it."""
    return page.get_by_role("gridcell", name=name, exact=True)


def focused(page):
    """What has the focus: the text of a cell, or what it is called."""
    return page.evaluate(
        """() => {
            const here = document.activeElement;
            const name = here.innerText?.trim() || here.getAttribute("aria-label");
            return here.tagName === "BODY" ? "" : name || here.tagName;
        }"""
    )


def until(page, looks_right, most=600):
    """Looks again and again; the content policy keeps Playwright from doing so."""
    for _ in range(most):
        if looks_right():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"It never came to that; the focus is on {focused(page)!r}")


def focus_comes_to(page, name):
    until(page, lambda: focused(page) == name)


def summary(page, side="origin"):
    return page.locator(f"#{side} [data-pick-count]").inner_text()


@pytest.fixture
def many(site):
    """``many(page, 2500)``: a folder of that many files on the laptop."""

    def made(page, count):
        site.sandbox.generate(seed.LAPTOP, "/many", count, 1024)
        page.goto(site.url + at("/many/"))
        return grid(page)

    return made


def test_one_pane_by_mouse(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/"))
    grid(page).get_by_role("link", name="Documents").click()
    cell(page, "paper.tex").wait_for()
    assert "origin_path=%2FDocuments%2F" in page.url
    assert "Documents" in page.title()
    page.get_by_label("Select paper.tex").check()
    assert summary(page) == "1 selected, 24 bytes"
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_text("1 item picked").wait_for()
    page.go_back()
    grid(page)
    page.locator("#origin").get_by_role("link", name="Up", exact=True).click()
    cell(page, "Documents").wait_for()
    assert focused(page) == "Documents"  # where it came from
    page.go_back()
    cell(page, "paper.tex").wait_for()


def test_two_panes_and_a_transfer_by_dragging(page_of, site):
    page = page_of("ada")
    page.goto(site.url + two(second="/home/ada/", other=seed.TUTORIAL_2))
    page.get_by_role("button", name="Give consent at Globus").wait_for()
    assert names(page) == ["figures", "paper.tex"]  # the other pane is not in its way
    page.goto(site.url + two("/Documents/", "/"))
    row = grid(page).get_by_role("row").filter(has_text="paper.tex")
    inner = grid(page, "destination").get_by_role("row").filter(has_text="Documents")
    row.drag_to(inner)
    page.get_by_text("1 item picked").wait_for()
    assert page.get_by_label("Folder", exact=True).input_value() == "/Documents/"

    page.goto(site.url + two("/Documents/", "/Documents/figures/"))
    settled(page)
    page.locator("#origin").get_by_label("Select paper.tex").check()
    page.locator("#origin").get_by_role("button", name="Transfer…").click()
    page.get_by_text("1 item picked").wait_for()
    chosen = page.get_by_label("Folder", exact=True).input_value()
    assert chosen == "/Documents/figures/"


def test_panes_move_on_their_own_swap_and_close(page_of, site):
    page = page_of("ada")
    page.goto(site.url + two("/Documents/figures/", "/"))
    settled(page)
    page.locator("#origin").get_by_label("Select plot.csv").check()
    grid(page, "destination").get_by_role("link", name="Documents").click()
    cell(page.locator("#destination"), "paper.tex").wait_for()
    assert summary(page).startswith("1 selected")  # the other pane stayed as it was
    assert page.locator("#origin").get_by_label("Select plot.csv").is_checked()
    shared = page.url
    page.get_by_role("link", name="Swap the panes").click()
    grid(page)
    assert page.url != shared
    page.locator("#destination").get_by_title("Close this pane").click()
    grid(page)
    assert page.locator("#destination").count() == 0
    page.goto(shared)
    assert names(page, "destination") == ["figures", "paper.tex"]


def test_a_tick_outlives_the_other_pane_also_before_its_rows_came(page_of, site):
    page = page_of("ada")
    held = []

    def slowly(route):
        held.append(route) if "figures" in route.request.url else route.continue_()

    page.route("**/files/rows/**", slowly)
    page.goto(site.url + two("/Documents/figures/", "/"))
    page.locator("#origin").get_by_label("Select plot.csv").check()
    grid(page, "destination").get_by_role("link", name="Documents").click()
    cell(page.locator("#destination"), "paper.tex").wait_for()
    for route in held:
        route.continue_()
    grid(page)
    assert summary(page).startswith("1 selected")
    assert page.locator("#origin").get_by_label("Select plot.csv").is_checked()


def test_enter_on_a_file_shows_it_or_says_why_not(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    cell(page, "paper.tex").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/preview/?path=**paper.tex")
    # a laptop has none
    assert page.locator("h1").inner_text() == "This collection has no HTTPS server"

    page.goto(f"{site.url}/collections/{seed.RESEARCH}/upload/?path=/home/ada/")
    give_consent(page, site)
    page.goto(site.url + at(RUN, seed.RESEARCH))
    grid(page)
    cell(page, "run.json").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/preview/?path=**run.json")
    assert page.locator("h1").inner_text() == "run.json"
    assert page.locator("pre").inner_text().startswith("{")


def test_by_keys_alone(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/"))
    grid(page)
    cells = page.locator("#origin table [tabindex='0']")
    assert cells.count() == 1  # one tab stop
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == "Documents":
            break
    page.keyboard.press("Enter")
    cell(page, "paper.tex").wait_for()
    focus_comes_to(page, "figures")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "paper.tex"
    page.keyboard.press("Shift+Space")
    assert summary(page).startswith("1 selected")
    said = page.locator("#announcer")
    until(page, lambda: said.inner_text().startswith("1 selected"))
    page.keyboard.press("ArrowRight")
    assert focused(page) == "File"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert focused(page) == "Select paper.tex" or focused(page) == "TD"
    page.keyboard.press("Control+a")
    assert summary(page).startswith("2 selected")
    page.keyboard.press("Escape")
    assert summary(page) == "2 entries, 24 bytes in files"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Name"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("origin_sort=-name"))
    assert page.locator("#origin th.c-name").get_attribute("aria-sort") == "descending"
    assert focused(page) == "Name"  # the focus survives
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Backspace")
    focus_comes_to(page, "Documents")


def test_another_name_in_place_and_back(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    cell(grid(page), "paper.tex").focus()
    page.keyboard.press("F2")
    field = page.get_by_label("New name for paper.tex")
    assert field.input_value() == "paper.tex"
    field.fill("figures")
    page.keyboard.press("Enter")
    page.get_by_text("This name is taken").wait_for()
    field.fill("draft.tex")
    page.keyboard.press("Enter")
    cell(page, "draft.tex").wait_for()
    focus_comes_to(page, "draft.tex")
    assert page.get_by_text("This name is taken").count() == 0
    page.get_by_label("Select draft.tex").check()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name for draft.tex").fill("paper.tex")
    page.keyboard.press("Enter")
    cell(page, "paper.tex").wait_for()


def test_many_rows_are_a_window(page_of, site, many):
    page = page_of("ada")
    found = many(page, 3000)
    assert found.get_attribute("aria-rowcount") == "3001"
    assert found.locator("tbody tr[data-index]").count() < 80
    cell(found, "file-000000.dat").focus()
    page.keyboard.press("Control+End")
    cell(page, "file-002999.dat").wait_for()
    until(page, lambda: "2999" in focused(page))
    page.keyboard.press("PageUp")
    page.keyboard.press("Control+Home")
    until(page, lambda: "000000" in focused(page))
    page.mouse.move(400, 600)
    page.mouse.wheel(0, 60_000)
    scroll = page.locator("#origin .grid-scroll")
    until(page, lambda: scroll.evaluate("each => each.scrollTop") >= 59_999)
    page.get_by_role("gridcell", name=re.compile("^file-0014..")).first.wait_for()
    page.keyboard.press("ArrowDown")  # goes on from where the focus was
    until(page, lambda: "000001" in focused(page))


def test_what_is_selected_survives_order_filter_and_scrolling(page_of, site, many):
    page = page_of("ada")
    found = many(page, 2500)
    page.get_by_label("Select file-000003.dat").check()
    page.get_by_label("Select file-000005.dat").click(modifiers=["Shift"])
    assert summary(page) == "3 selected, 3.0 KiB"
    found.get_by_role("link", name="Name").click()
    cell(page, "file-002499.dat").wait_for()
    assert summary(page) == "3 selected, 3.0 KiB"
    page.get_by_label("Filter by name").fill("00000?.dat")
    cell(page, "file-002499.dat").wait_for(state="detached")
    page.get_by_text("Nothing here fits the filter").wait_for()
    page.get_by_label("Filter by name").fill("*00000?.dat")
    cell(page, "file-000009.dat").wait_for()
    assert page.get_by_label("Select file-000004.dat").is_checked()
    assert "origin_filter=" in page.url
    page.get_by_label("Filter by name").fill("")
    cell(page, "file-002499.dat").wait_for()
    page.get_by_label("Select all").click()
    until(page, lambda: summary(page).startswith("2,500 "))
    page.get_by_label("Select file-002498.dat").uncheck()
    assert summary(page) == "2,499 selected, 2.4 MiB"
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("heading", name="Delete 2,499 entries?").wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Write 2499 to say that you mean it").wait_for()
    page.get_by_label("Write 2499").fill("2499")
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    page.goto(site.url + at("/many/"))
    assert names(page) == ["file-002498.dat"]


def test_a_large_selection_is_sent_as_one(page_of, site, many):
    page = page_of("ada")
    many(page, 400)
    page.get_by_label("Select all").click()
    page.get_by_role("button", name="Transfer…").click()
    page.get_by_text("400 items picked").wait_for()
    page.get_by_label("Find the collection").fill("research storage")
    page.keyboard.press("Enter")
    choose(page, "Example University Research")
    page.get_by_label("Folder", exact=True).fill("/home/ada/many/")
    send_on(page, site)
    watch_to_the_end(page)
    page.get_by_text("400 of 400").wait_for()


def test_without_script_everything_works_page_by_page(page_of, site):
    site.sandbox.generate(seed.LAPTOP, "/paged", 170, 10)
    page = page_of("ada", java_script_enabled=False)
    page.goto(site.url + at("/paged/"))
    page.get_by_role("link", name="Size").click()
    page.get_by_label("Filter by name").fill("*1*")
    page.get_by_role("button", name="Filter").click()
    page.get_by_text("89 of 170 entries fit").wait_for()
    page.goto(site.url + at("/paged/"))
    page.get_by_role("link", name="More").click()
    page.get_by_label("Select file-000160.dat").check()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("renamed.dat")
    page.get_by_role("button", name="Rename").click()
    page.get_by_text("It has its new name").wait_for()
    assert "origin_offset=150" in page.url
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name").fill("inner")
    page.get_by_role("button", name="Make the folder").click()
    page.get_by_text("The folder is made").wait_for()
    page.goto(site.url + at("/paged/"))
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name").fill("inner")
    page.get_by_role("button", name="Make the folder").click()
    page.get_by_text("There is something with this name already").wait_for()
    page.get_by_role("link", name="Back").click()
    page.get_by_label("Select inner").check()
    page.get_by_label("Select file-000001.dat").check()
    page.get_by_role("button", name="Size").click()
    page.get_by_text("Everything below was counted").wait_for()
    page.get_by_role("link", name="Back").click()
    page.get_by_label("Select file-000001.dat").check()
    page.get_by_role("button", name="Copy path").click()
    commands = page.get_by_label("For the Globus command line").input_value()
    assert commands == f"globus stat {seed.LAPTOP}:/paged/file-000001.dat"
    page.get_by_role("link", name="Back").click()
    page.get_by_text("With all 171").click()
    page.get_by_role("button", name="Delete all…").click()
    page.get_by_role("heading", name="Delete 171 entries?").wait_for()
    page.get_by_role("link", name="Keep everything").click()
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("171 entries").wait_for()


def test_a_consent_on_the_way_and_the_folder_appears(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/"))
    page.goto(site.url + at(RUN, seed.RESEARCH))
    give_consent(page, site)
    assert names(page) == ["quality.csv", "reads.fastq.gz", "run.json"]


def test_what_was_ticked_before_the_script_came_stays(page_of, site):
    page = page_of("ada")
    held = []
    page.route("**/files/rows/**", lambda route: held.append(route))
    page.goto(site.url + at("/Documents/"))
    page.get_by_label("Select paper.tex").check()
    until(page, lambda: held)
    held[0].continue_()
    grid(page)
    assert summary(page) == "1 selected, 24 bytes"
    assert page.get_by_label("Select paper.tex").is_checked()


def test_a_session_that_ended_leads_back_to_the_same_view(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    page.context.clear_cookies(name="sessionid")
    grid(page).get_by_role("link", name="Size").click()
    page.wait_for_url(re.compile("/login/"))
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site)
    assert "origin_path=/Documents/" in page.url
    assert names(page) == ["figures", "paper.tex"]


def test_a_folder_that_changed_elsewhere_lets_the_selection_go(page_of, site):
    site.sandbox.generate(seed.LAPTOP, "/first", 3)
    page = page_of("ada")
    page.goto(site.url + at("/first/"))
    grid(page)
    page.get_by_label("Select file-000001.dat").check()
    other = page.context.new_page()
    other.goto(site.url + at("/first/"))
    cell(grid(other), "file-000000.dat").focus()
    other.keyboard.press("F2")
    other.get_by_label("New name").fill("aaa.dat")
    other.keyboard.press("Enter")
    cell(grid(other), "aaa.dat").wait_for()
    grid(page).get_by_role("link", name="Size").click()
    cell(grid(page), "aaa.dat").wait_for()
    assert summary(page).startswith("3 entries")
    said = page.locator("#announcer")
    until(page, lambda: "The folder has changed" in said.inner_text())


def test_a_portal_that_does_not_answer_keeps_what_is_shown(page_of, site):
    page = page_of("ada")
    page.goto(site.url + at("/Documents/"))
    grid(page)
    page.get_by_label("Select paper.tex").check()
    page.route("**/files/rows/**", lambda route: route.abort())
    grid(page).get_by_role("link", name="Size").click()
    page.get_by_text("Nothing is lost; try again").wait_for()
    assert names(page) == ["figures", "paper.tex"]
    assert summary(page).startswith("1 selected")
    page.unroute("**/files/rows/**")
    grid(page).get_by_role("link", name="Name").click()
    page.get_by_text("Nothing is lost; try again").wait_for(state="detached")


def test_hostile_names_stand_in_the_grid_and_do_nothing(page_of, site):
    page = page_of("ada")  # ``open_page`` fails on any dialog
    site.sandbox.generate(seed.LAPTOP, "/odd", 1)
    page.goto(site.url + at("/odd/"))
    cell(grid(page), "file-000000.dat").focus()
    old = "file-000000.dat"
    for name in ("<img src=x onerror=alert(1)>", "'\"><svg onload=alert(1)>", "=cmd"):
        page.keyboard.press("F2")
        page.locator(".name-edit").fill(name)
        page.keyboard.press("Enter")
        cell(page, name).wait_for()
        assert cell(page, old).count() == 0
        focus_comes_to(page, name)
        old = name
    assert page.locator("main img, main td svg:not(.icon)").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_and_our_own_eyes_find_nothing(page_of, site, width):
    page = page_of("ada", viewport={"width": width, "height": 844})
    site.sandbox.generate(seed.LAPTOP, "/many", 300)
    for address in (
        two("/Documents/", "/many/"),
        two("/nowhere/", "/"),
        at("/many/", origin_filter="nothing"),
        at("/many/", panes=2),
        at("/many/", columns="bytes,rights,user,group"),
    ):
        page.goto(site.url + address)
        settled(page)
        for box in page.get_by_label("Select file-000001.dat").all():
            box.check()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert problems(page) == [], (address, scheme)
            assert look(page, "lowContrast") == [], (address, scheme)
        assert look(page, "structure") == [], address
        assert look(page, "smallTargets") == [], address
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, address
        for table in page.get_by_role("grid").all():
            room = table.locator("xpath=..").bounding_box()["width"]
            assert table.bounding_box()["width"] > room - 20, address
