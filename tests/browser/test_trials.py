"""Inventories, preflights and dry runs in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from sandbox import seed
from tests.browser.test_every_page import wrong_with
from tests.portal.processes import eventually


def open_job(page, site, name):
    """To the page of a seeded job; its address."""
    page.goto(f"{site.url}/jobs/")
    page.get_by_role("link", name=name).first.click()
    page.wait_for_url(f"{site.url}/jobs/*-*/")
    return page.url


@pytest.fixture
def inventory_page(page_of, site):
    """Grace in front of an inventory just taken."""
    page = page_of("grace")
    open_job(page, site, "demo-list")
    page.get_by_role("button", name="Run now").click()
    see = page.get_by_role("link", name="See the inventory")
    expect(see).to_be_visible()
    see.click()
    page.wait_for_url("**/inventory/")
    return page


def test_an_inventory_is_searched_sorted_and_narrowed(inventory_page):
    page = inventory_page
    assert wrong_with(page) == []
    page.get_by_label("Search in paths").fill("FILE2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("/share/godata/file2.txt")).to_be_visible()
    expect(page.get_by_text("/share/godata/file1.txt")).to_have_count(0)
    page.get_by_label("Search in paths").fill("")
    page.get_by_label("Order").select_option("-size")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("td .mono").first).to_have_text(re.compile("file3.txt$"))
    page.get_by_role("region", name="By type").get_by_role("link").first.click()
    page.wait_for_url("**type=.txt**")
    assert wrong_with(page) == []


def test_a_preflight_by_keyboard_with_its_identity_to_copy(page_of, site):
    page = page_of("grace", permissions=["clipboard-read", "clipboard-write"])
    address = open_job(page, site, "demo-transfer")
    site.sandbox.collection(seed.HARVEST, denied_paths=["/sensors"])
    page.goto(f"{address}preflight/")
    page.locator("form.actions button").focus()
    page.keyboard.press("Enter")
    said = page.get_by_text("The service account may not read /sensors/.")
    expect(said).to_be_visible()
    assert wrong_with(page) == []
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{seed.HARVEST_CLIENT_ID}@clients.auth.globus.org"


def test_a_preflight_and_a_dry_run_without_a_script(page_of, site):
    page = page_of("grace")
    address = open_job(page, site, "demo-transfer")
    state = page.context.storage_state()
    plain = page.context.browser.new_context(
        java_script_enabled=False, storage_state=state
    )
    page = plain.new_page()
    for what, outcome in (
        ("preflight", "Nothing stands in the way"),
        ("dry-run", "over what is there"),
    ):
        page.goto(f"{address}{what}/")
        page.locator("form.actions button").click()

        def has_ended(what=what, outcome=outcome):
            page.goto(f"{address}{what}/")
            return page.get_by_text(outcome).count()

        assert eventually(has_ended)
    expect(page.get_by_text("/sensors/2026-01-01.csv")).to_be_visible()
    assert page.get_by_role("button", name="Copy").count() == 0
    plain.close()
