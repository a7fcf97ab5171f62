"""The form of a transfer in a real browser: rules, lines, templates, a dry run."""

from __future__ import annotations

import re

from sandbox import seed
from tests.browser.send_states import (
    CAMPAIGN,
    add_rule,
    button,
    fill_table,
    form_of,
    see_what_it_found,
    states,
    unfold,
)
from tests.browser.test_browser import NARROW, consent_to_research, tab_to
from tests.browser.test_every_page import wrong_with
from tests.browser.test_watching import RUN, send
from tests.portal.processes import eventually

ODD = "/projects/odd names/"


def test_rules_are_previewed_while_they_are_written(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(site.url + form_of(CAMPAIGN))
    unfold(page, "What of a folder goes along")
    add_rule(page, 1, "Leave out files", "*")
    preview = page.locator("#filter-preview")
    left_out = preview.get_by_role("list", name="Left out")
    left_out.get_by_text("README.md").wait_for()
    assert page.get_by_label("Names of rule 1").input_value() == "*"

    add_rule(page, 2, "Copy", "*.md")
    preview.get_by_text("Left out").first.wait_for()
    button(page, "Move rule 2 up").click()
    preview.get_by_role("list", name="Go along").get_by_text("README.md").wait_for()
    assert page.get_by_label("Names of rule 1").input_value() == "*.md"
    button(page, "Remove rule 1").click()
    left_out.get_by_text("README.md").wait_for()
    assert page.get_by_label("Names of rule 2").count() == 0


def test_a_preview_that_does_not_come_is_said_below_the_rules(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(site.url + form_of(CAMPAIGN))
    unfold(page, "What of a folder goes along")
    page.route("**/transfers/new/preview/", lambda route: route.abort())
    add_rule(page, 1, "Leave out files", "*")
    page.get_by_role("alert").get_by_text("The portal did not answer.").wait_for()
    page.unroute("**/transfers/new/preview/")

    page.get_by_label("Names of rule 1").fill("*.md")
    left_out = page.locator("#filter-preview").get_by_role("list", name="Left out")
    left_out.get_by_text("README.md").wait_for()
    assert page.get_by_role("alert").count() == 0

    page.context.clear_cookies()
    page.get_by_label("Names of rule 1").fill("*.txt")
    said = page.get_by_role("alert").get_by_text("the next page says why")
    said.wait_for()
    assert page.get_by_label("Names of rule 1").input_value() == "*.txt"


def test_hostile_names_stand_in_the_preview_without_effect(page_of, site):
    page = page_of("ada")  # ``open_page`` fails on any dialog
    consent_to_research(page, site)
    page.goto(site.url + form_of(ODD))
    unfold(page, "What of a folder goes along")
    add_rule(page, 1, "Leave out", "<svg onload=alert(2)>")
    preview = page.locator("#filter-preview")
    preview.get_by_text("<img src=x onerror=alert(1)>.txt").wait_for()
    assert page.locator("main img").count() == 0
    page.get_by_label("Label").fill("<svg onload=alert(1)>")
    button(page, "Dry run").click()
    see_what_it_found(page)
    page.get_by_text("<img src=x onerror=alert(1)>.txt").first.wait_for()
    assert page.locator("main img, main svg[onload]").count() == 0


def test_a_dry_run_is_watched_and_the_transfer_started_from_it(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(site.url + form_of(CAMPAIGN, "/home/ada/tried/"))
    page.get_by_label("Label").fill("tried first")
    button(page, "Dry run").click()
    page.wait_for_url(f"{site.url}/transfers/dry-runs/*/")
    see_what_it_found(page)
    button(page, "Start the transfer").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    page.get_by_role("heading", name="tried first").wait_for()


def test_lines_and_templates_without_a_script(page_of, site):
    page = page_of("ada", java_script_enabled=False)
    consent_to_research(page, site)
    page.goto(site.url + form_of("", "/home/ada/lines/"))
    fill_table(page)
    button(page, "Start the transfer").click()
    page.get_by_text("Line 2: a/../b").wait_for()
    button(page, "Remove row 2").click()
    button(page, "As text, or from a file").click()
    box = page.get_by_label("Lines of")
    assert box.input_value() == f"{CAMPAIGN}README.md read-me.md\n"
    unfold(page, "What of a folder goes along")
    button(page, "Add a rule").click()
    page.get_by_label("Names of rule 1").fill("*.tmp")
    button(page, "Show what matches").click()
    page.get_by_text("Choose a folder to send first").wait_for()
    button(page, "Remove rule 1").click()
    page.get_by_label("Which files to copy").select_option("1")
    unfold(page, "Keep these options")
    page.get_by_label("Its name").fill("by size")
    button(page, "Keep the template").click()
    page.get_by_text("“by size” is kept").wait_for()
    assert box.input_value() == f"{CAMPAIGN}README.md read-me.md\n"
    page.get_by_label("Which files to copy").select_option("")
    page.get_by_label("Begin with a template").select_option(label="by size")
    button(page, "Fill it in").click()
    assert page.get_by_label("Which files to copy").input_value() == "1"
    button(page, "Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")
    assert "only files whose size differed" in page.locator(".facts").inner_text()
    assert "read-me.md" in names_once_there(page, site, "/home/ada/lines/")


def names_once_there(page, site, folder):
    """What a folder holds as soon as it holds something."""
    boxes = page.locator("#origin").get_by_label(re.compile("^Select (?!all)"))

    def has_some():
        page.goto(f"{site.url}/files/?origin_id={seed.RESEARCH}&origin_path={folder}")
        page.locator("#origin").wait_for()
        return boxes.count()

    assert eventually(has_some)
    labels = [box.get_attribute("aria-label") for box in boxes.all()]
    return [label.removeprefix("Select ") for label in labels]


def test_by_keyboard_alone(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(site.url + form_of(CAMPAIGN))
    tab_to(page, page.locator("summary", has_text="What of a folder"))
    page.keyboard.press("Enter")
    tab_to(page, button(page, "Add a rule"))
    page.keyboard.press("Enter")
    page.get_by_label("Names of rule 1").wait_for()
    tab_to(page, page.get_by_label("Names of rule 1"))
    page.keyboard.type("*.md")
    page.locator("#filter-preview").get_by_role("list", name="Left out").wait_for()


def test_deleting_wants_the_name_typed(page_of, site):
    page = page_of("ada")
    consent_to_research(page, site)
    page.goto(site.url + form_of(CAMPAIGN, "/home/ada/mirror/"))
    unfold(page, "Deleting at the destination")
    page.get_by_label("Delete what the source does not have").check()
    button(page, "Start the transfer").click()
    page.get_by_text("Type the name of the destination collection, or").wait_for()
    assert site.sandbox.requests("/v0.10/transfer") == []
    page.get_by_label("To confirm, type").fill("mirror")
    button(page, "Start the transfer").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    said = page.locator(".facts").inner_text()
    assert "Deletes what is only at the destination" in said
    there = names_once_there(page, site, "/home/ada/mirror/spring-campaign/")
    assert "README.md" in there


def test_the_deadline_is_in_the_persons_own_zone(page_of, site):
    page = page_of("ada", timezone_id="Pacific/Auckland")
    page.goto(f"{site.url}/transfers/new/")
    assert page.get_by_label("Time zone").input_value() == "Pacific/Auckland"


def test_a_deadline_is_changed_in_the_persons_own_zone(page_of, site):
    page = page_of("ada", timezone_id="Pacific/Auckland")
    consent_to_research(page, site)
    site.sandbox.set(hold_tasks=True)
    send(page, site, "to be changed", RUN)
    transfer = page.url.rstrip("/")
    page.goto(f"{transfer}/edit/")
    assert page.get_by_label("Time zone").input_value() == "Pacific/Auckland"
    page.get_by_label("Give up at").fill("2098-12-30T08:05")
    button(page, "Store").click()
    page.get_by_text("The change is stored.").wait_for()

    page.goto(f"{transfer}/edit/")
    assert page.get_by_label("Time zone").input_value() == "Pacific/Auckland"
    assert page.get_by_label("Give up at").input_value() == "2098-12-30T08:05"


def test_nothing_is_wrong_with_the_form_and_around_it(page_of, site):
    """Brought into its states on a phone, and looked at there as everywhere else."""
    page = page_of("ada", viewport=NARROW)
    consent_to_research(page, site)
    assert {name: wrong_with(page) for name in states(page, site)} == {
        name: []
        for name in (
            *("table", "text", "open", "dry-run"),
            *("templates", "rename", "delete"),
        )
    }
