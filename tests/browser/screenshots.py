"""``python -m tests.browser.screenshots FOLDER``: a picture of every page.

Each page is taken wide and light, wide and dark, and as on a phone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from sandbox import seed
from tests.browser import pages
from tests.browser.admin_pages import admin_pages
from tests.browser.send_states import states
from tests.browser.site import (
    Site,
    give_consent,
    running_browser,
    running_site,
    sign_in,
)

VARIANTS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
CAMPAIGN = "/projects/spring-campaign/runs/"
NOBODYS = "00000000-0000-4000-8000-000000000000"


def files(collection: str, path: str = "") -> str:
    return f"/files/?origin_id={collection}&origin_path={path}"


def preview(path: str) -> str:
    return f"/collections/{seed.RESEARCH}/preview/?path={path}"


#: name -> address; what is made on the way is added by ``prepare``
RESEARCHER = {
    "collections-recent": "/collections/",
    "collections-search": "/collections/?q=tutorial&scope=all",
    "collections-none": "/collections/?q=nosuchthing&scope=all",
    "collection": f"/collections/{seed.RESEARCH}/",
    "collection-protected": f"/collections/{seed.CLINICAL}/",
    "files-start": "/files/",
    "files": files(seed.RESEARCH, CAMPAIGN + "2026-03-01/"),
    "files-two": (
        f"{files(seed.RESEARCH, CAMPAIGN)}&destination_id={seed.RESEARCH}"
        "&destination_path=/projects/"
    ),
    "files-second": f"{files(seed.RESEARCH, CAMPAIGN)}&panes=2",
    "files-links": files(seed.RESEARCH, "/projects/telescope/"),
    "files-odd-names": files(seed.RESEARCH, "/projects/odd names/"),
    "files-empty": files(seed.RESEARCH, "/projects/empty folder/"),
    "files-missing": files(seed.RESEARCH, "/projects/no-such-folder/"),
    "files-forbidden": files(seed.VAULT, "/keys/"),
    "upload": f"/collections/{seed.RESEARCH}/upload/?path=/home/ada/",
    "upload-no-server": f"/collections/{seed.LAPTOP}/upload/",
    "preview-text": preview("/projects/spring-campaign/README.md"),
    "preview-table": preview("/projects/spring-campaign/results/variants.csv"),
    "preview-other": preview("/projects/telescope/raw/frame-0001.fits"),
    "new-empty": "/transfers/new/",
    "new-filled": (
        f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={CAMPAIGN}"
        f"&destination_id={seed.TUTORIAL_2}&destination_path=/home/ada/"
    ),
    "templates-none": "/transfers/templates/",
    "transfers-none": "/transfers/",
    "groups": "/groups/",
    "account": "/account/",
    "account-consents": "/account/consents/",
    "account-take-back": "/account/take-back/",
    "account-delete": "/account/delete/",
    "attention-none": "/attention/",
    "notifications": "/notifications/",
    "timers-start": "/timers/",
    "not-found": f"/transfers/{NOBODYS}/",
    "jobs-forbidden": "/jobs/",
}
#: before a consent was given
FIRST = {"home-new": "/", "files-consent": files(seed.RESEARCH, CAMPAIGN)}
STAFF = {
    "jobs": "/jobs/",
    "job-new": "/jobs/new/",
    "job-import": "/jobs/import/",
    "jobs-waiting": "/jobs/waiting/",
    "home-staff": "/",
}
ANONYMOUS = {
    "sign-in": "/login/",
    "sign-in-failed": "/complete/globus/?state=wrong&code=x",
    "admin-login": "/admin/login/",
}


def main(folder: Path, only: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with running_site() as site, running_browser() as browser:
        for name, page in shots(site, browser, only):
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            print(name)


def shots(site: Site, browser: Browser, only: str) -> Iterator[tuple[str, Page]]:
    made: dict[str, str] = {}
    ran: dict[str, str] = {}
    for variant, options in VARIANTS.items():
        context = browser.new_context(**options)
        page = context.new_page()
        yield from visit(page, site, ANONYMOUS, variant, only)
        sign_in(page, site, "ada")
        if not made:
            yield from visit(page, site, FIRST, variant, only)
            # Brings the consent for the listing too.
            page.goto(site.url + RESEARCHER["upload"])
            give_consent(page, site)
        yield from visit(page, site, RESEARCHER, variant, only)
        yield from visit(page, site, others(pages.RESEARCHER), variant, only)
        if not made:
            made = yield from prepare(page, site)
        yield from visit(page, site, made, variant, only)
        context.close()

        context = browser.new_context(**options)
        page = context.new_page()
        sign_in(page, site, "grace")
        yield from visit(page, site, STAFF, variant, only)
        yield from visit(page, site, others(pages.MANAGER), variant, only)
        yield from visit(page, site, others(pages.OF_STAFF), variant, only)
        if not ran:
            ran = yield from run_jobs(page, site)
        yield from visit(page, site, ran, variant, only)
        context.close()

        context = browser.new_context(**options)
        page = context.new_page()
        sign_in(page, site, "root")
        yield from visit(page, site, admin_pages(page, site), variant, only)
        context.close()


def others(places: Sequence[str]) -> dict[str, str]:
    """Pages of ``pages`` that have no name here; ``test_every_page`` misses none."""
    named = {*RESEARCHER.values(), *STAFF.values(), *FIRST.values()}
    return {
        f"page-{re.sub('[^a-z0-9]+', '-', place).strip('-')[:80]}": place
        for place in places
        if place not in named and "{" not in place
    }


def visit(
    page: Page, site: Site, places: dict[str, str], variant: str, only: str
) -> Iterator[tuple[str, Page]]:
    for name, address in places.items():
        if only not in name:
            continue
        page.goto(site.url + address)
        yield f"{name}-{variant}", page


def prepare(
    page: Page, site: Site
) -> Generator[tuple[str, Page], None, dict[str, str]]:
    """Transfers in several states; the pages that show them."""
    made: dict[str, str] = {}

    send(page, site, "spring campaign, first run", CAMPAIGN + "2026-03-01/")
    page.get_by_text("It waits for you").wait_for(timeout=60_000)
    yield "transfer-waiting-wide", page
    give_consent(page, site)
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    made["transfer-succeeded"] = page.url.removeprefix(site.url)
    made["transfer-files"] = made["transfer-succeeded"] + "files/"
    made["transfer-again"] = made["transfer-succeeded"] + "again/"

    gone = "/projects/telescope/raw/frame-9999.fits"
    send(page, site, "frames that went missing", gone, picked=True)
    page.get_by_text("Faults so far").wait_for(timeout=60_000)
    made["transfer-faults"] = page.url.removeprefix(site.url)
    made["transfer-cancel"] = made["transfer-faults"] + "cancel/"
    made["transfer-edit"] = made["transfer-faults"] + "edit/"

    send(page, site, "the same frames", gone, picked=True)
    page.get_by_text("The same is under way already").wait_for(timeout=60_000)
    made["transfer-blocked"] = page.url.removeprefix(site.url)

    site.sandbox.pause(seed.RESEARCH, "New disks until Friday.")
    send(page, site, "paused by its owner", "/projects/telescope/raw/")
    page.get_by_text("New disks until Friday.").first.wait_for(timeout=60_000)
    made["transfer-paused"] = page.url.removeprefix(site.url)
    site.sandbox.resume()

    fill_in(page, site, "", "/projects/", destination=seed.RESEARCH)
    page.get_by_label("Folder", exact=True).fill("/projects/../elsewhere/")
    page.get_by_role("button", name="Start the transfer").click()
    page.get_by_text("This is not sent yet").wait_for()
    yield "new-wrong-wide", page

    page.get_by_label("Folder", exact=True).fill("/home/ada/")
    page.get_by_role("button", name="Look into it").click()
    yield "new-folders-wide", page
    page.get_by_role("button", name="Change").first.click()
    page.get_by_label("Find the collection").fill("tutorial")
    page.keyboard.press("Enter")
    page.get_by_text("Found", exact=True).wait_for()
    yield "new-found-wide", page

    page.goto(site.url + files(seed.RESEARCH, "/projects/spring-campaign/"))
    page.get_by_label("Select results").check()
    page.get_by_label("Select README.md").check()
    yield "files-picked-wide", page
    page.get_by_role("button", name="Delete…").click()
    yield "files-delete-wide", page
    page.go_back()
    page.get_by_label("Select results").check()
    page.get_by_role("button", name="Transfer…").click()
    yield "new-picked-wide", page
    for name in states(page, site):
        yield f"send-{name}-wide", page
    return made | {
        "home": "/",
        "templates": "/transfers/templates/",
        "transfers": "/transfers/",
        "attention": "/attention/",
    }


def send(
    page: Page, site: Site, label: str, path: str, *, picked: bool = False
) -> None:
    """:param picked: as if it had been picked in its folder, so nobody looks at it"""
    fill_in(page, site, label, path, picked=picked)
    page.get_by_role("button", name="Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")


def fill_in(
    page: Page,
    site: Site,
    label: str,
    path: str,
    destination: str = seed.TUTORIAL_2,
    *,
    picked: bool = False,
) -> None:
    name = "item" if picked else "origin_path"
    page.goto(
        f"{site.url}/transfers/new/?origin_id={seed.RESEARCH}&{name}={path}"
        f"&destination_id={destination}&destination_path=/home/ada/"
    )
    page.get_by_label("Label").fill(label)


def run_jobs(
    page: Page, site: Site
) -> Generator[tuple[str, Page], None, dict[str, str]]:
    page.goto(f"{site.url}/jobs/")
    page.get_by_role("link", name="demo-list").click()
    job = page.url.removeprefix(site.url)
    page.get_by_label("Reason").fill("to see what arrived overnight")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(f"{site.url}/jobs/runs/*/")
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    run = page.url.removeprefix(site.url)
    page.goto(f"{site.url}{job}edit/")
    page.get_by_label("When it runs").select_option("cron")
    page.get_by_label("Cron line").fill("0 2 * * *")
    page.get_by_label("Time zone").fill("Europe/London")
    page.get_by_role("button", name="Check that it can be read").click()
    page.get_by_text("It can be read").wait_for(timeout=60_000)
    page.get_by_role("button", name="Save the job").click()
    page.wait_for_url(f"{site.url}{job}")
    shut = yield from make_a_job_that_cannot_work(page, site)
    return shut | {
        "run": run,
        "run-again": f"{run}again/",
        "inventory": f"{run}inventory/",
        "inventories": f"{job}inventories/",
        "preflight": f"{job}preflight/",
        "dry-run": f"{job}dry-run/",
        "job": job,
        "job-edit": f"{job}edit/",
        "job-export": f"{job}export/globus/",
        "job-webhook": f"{job}webhook/",
        "jobs-ran": "/jobs/",
        "jobs-calendar": "/jobs/calendar/",
        "jobs-month": "/jobs/calendar/?span=month",
        "jobs-figures": "/jobs/figures/",
    }


def make_a_job_that_cannot_work(
    page: Page, site: Site
) -> Generator[tuple[str, Page], None, dict[str, str]]:
    """Its destination may only be read: the form says so, and its first run too."""
    page.goto(f"{site.url}/jobs/new/")
    page.get_by_label("Name", exact=True).fill("sensors to the publications")
    page.get_by_label("Service account").select_option(label="Nightly harvest")
    page.get_by_label("Source collection’s ID").fill(seed.HARVEST)
    page.get_by_label("Source path").fill("/sensors/")
    page.get_by_label("Destination collection’s ID").fill(seed.ARCHIVE)
    page.get_by_label("Destination path", exact=True).fill(
        "/published/{scheduled_for:%Y}/"
    )
    page.get_by_label("What it does").select_option("mirror")
    page.get_by_label("Which files to copy").select_option("1")
    page.get_by_label("When it runs").select_option("cron")
    page.get_by_label("Cron line").fill("0 2 * * *")
    page.get_by_label("Time zone").fill("America/New_York")
    page.get_by_role("button", name="Add a schedule").click()
    second = page.get_by_role("group", name="Schedule 2")
    second.get_by_label("Cron line").fill("30 12 * * 6,7")
    page.get_by_role("button", name="Show the next ten").click()
    page.locator("ol.due > li").nth(9).wait_for(timeout=60_000)
    page.get_by_role("button", name="Check all of it").click()
    page.get_by_text("in the way: Writing to the destination").wait_for(timeout=60_000)
    yield "job-new-checked-wide", page
    page.set_viewport_size({"width": 390, "height": 844})
    yield "job-new-checked-phone", page
    page.set_viewport_size({"width": 1360, "height": 900})
    page.get_by_role("button", name="Save the job").click()
    page.get_by_role("heading", name="sensors to the publications").wait_for()
    job = page.url.removeprefix(site.url)
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(f"{site.url}/jobs/runs/*/")
    page.get_by_text("Failed", exact=True).first.wait_for(timeout=60_000)
    run = page.url.removeprefix(site.url)
    page.goto(f"{site.url}{job}dry-run/")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("Would move").first.wait_for(timeout=60_000)
    return {
        "job-shut": job,
        "job-shut-edit": f"{job}edit/",
        "job-shut-preflight": f"{job}preflight/",
        "job-shut-dry-run": f"{job}dry-run/",
        "run-shut": run,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
