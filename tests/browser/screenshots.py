"""``python -m tests.browser.screenshots FOLDER``: a picture of every page.

Each page is taken wide and light, wide and dark, and as on a phone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from sandbox import seed
from tests.browser.site import Site, running_browser, running_site, sign_in

VARIANTS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
CAMPAIGN = "/projects/spring-campaign/runs/"
NOBODYS = "00000000-0000-4000-8000-000000000000"


def files(collection: str, path: str = "") -> str:
    return f"/files/?origin_id={collection}&origin_path={path}"


#: name -> address; what is made on the way is added by ``prepare``
RESEARCHER = {
    "home-new": "/",
    "collections-recent": "/collections/",
    "collections-search": "/collections/?q=tutorial&scope=all",
    "collections-none": "/collections/?q=nosuchthing&scope=all",
    "collection": f"/collections/{seed.RESEARCH}/",
    "collection-protected": f"/collections/{seed.CLINICAL}/",
    "files-start": "/files/",
    "files": files(seed.RESEARCH, CAMPAIGN + "2026-03-01/"),
    "files-links": files(seed.RESEARCH, "/projects/telescope/"),
    "files-odd-names": files(seed.RESEARCH, "/projects/odd names/"),
    "files-empty": files(seed.RESEARCH, "/projects/empty folder/"),
    "files-missing": files(seed.RESEARCH, "/projects/no-such-folder/"),
    "files-forbidden": files(seed.VAULT, "/keys/"),
    "new-empty": "/transfers/new/",
    "new-filled": (
        f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={CAMPAIGN}"
        f"&destination_id={seed.TUTORIAL_2}&destination_path=/home/ada/"
    ),
    "transfers-none": "/transfers/",
    "groups": "/groups/",
    "account": "/account/",
    "attention-none": "/attention/",
    "not-found": f"/transfers/{NOBODYS}/",
    "jobs-forbidden": "/jobs/",
}
STAFF = {"jobs": "/jobs/", "job-new": "/jobs/new/", "home-staff": "/"}
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
    for variant, options in VARIANTS.items():
        context = browser.new_context(**options)
        yield from visit(context.new_page(), site, ANONYMOUS, variant, only)
        page = context.new_page()
        sign_in(page, site, "ada")
        places = RESEARCHER
        if variant != next(iter(VARIANTS)):
            places = {
                k: v for k, v in places.items() if not k.endswith(("-new", "-none"))
            }
        yield from visit(page, site, places, variant, only)
        made = prepare(page, site) if variant == "wide" else made
        yield from visit(page, site, made, variant, only)
        context.close()

        context = browser.new_context(**options)
        page = context.new_page()
        sign_in(page, site, "grace")
        yield from visit(page, site, STAFF, variant, only)
        ran = run_jobs(page, site) if variant == "wide" else ran
        yield from visit(page, site, ran, variant, only)
        context.close()


def visit(
    page: Page, site: Site, places: dict[str, str], variant: str, only: str
) -> Iterator[tuple[str, Page]]:
    for name, address in places.items():
        if only not in name:
            continue
        page.goto(site.url + address)
        yield f"{name}-{variant}", page


def prepare(page: Page, site: Site) -> dict[str, str]:
    """Transfers in several states; the pages that show them."""
    made: dict[str, str] = {}

    def address() -> str:
        return page.url.removeprefix(site.url)

    send(page, site, "spring campaign, first run", CAMPAIGN + "2026-03-01/")
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    made["transfer-succeeded"] = address()
    send(
        page,
        site,
        "frames that went missing",
        "/projects/telescope/raw/frame-9999.fits",
    )
    page.get_by_text("Faults so far").wait_for(timeout=60_000)
    page.goto(page.url + "cancel/")
    made["transfer-cancel"] = address()
    page.goto(page.url.removesuffix("cancel/"))
    made["transfer-faults"] = address()
    send(page, site, "", CAMPAIGN + "2026-03-02/", destination=seed.VAULT)
    page.wait_for_timeout(6000)
    made["transfer-other"] = address()
    page.goto(f"{site.url}/transfers/new/?origin_id={seed.RESEARCH}")
    page.get_by_role("button", name="Start the transfer").click()
    made |= {"home": "/", "transfers": "/transfers/", "attention": "/attention/"}
    return made


def send(
    page: Page, site: Site, label: str, path: str, destination: str = seed.TUTORIAL_2
) -> None:
    page.goto(
        f"{site.url}/transfers/new/?origin_id={seed.RESEARCH}&origin_path={path}"
        f"&destination_id={destination}&destination_path=/home/ada/"
    )
    page.get_by_label("Label").fill(label)
    page.get_by_role("button", name="Start the transfer").click()
    page.wait_for_url(f"{site.url}/transfers/*-*/")


def run_jobs(page: Page, site: Site) -> dict[str, str]:
    page.goto(f"{site.url}/jobs/")
    page.get_by_role("link", name="demo-list").click()
    job = page.url.removeprefix(site.url)
    page.get_by_label("Reason").fill("to see what arrived overnight")
    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(f"{site.url}/jobs/runs/*/")
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    return {"run": page.url.removeprefix(site.url), "job": job}


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
