"""Addresses of the administration, once somebody who may see them is signed in."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.site import Site

LISTS = {
    "admin": "/admin/",
    "admin-accounts": "/admin/accounts/serviceaccount/",
    "admin-add": "/admin/accounts/serviceaccount/add/",
    "admin-people": "/admin/accounts/user/",
    "admin-audit": "/admin/accounts/auditevent/",
    "admin-groups": "/admin/auth/group/add/",
    "admin-jobs": "/admin/transfers/job/",
    "admin-runs": "/admin/transfers/run/",
    "admin-transfers": "/admin/transfers/transfer/",
}
OF_ACCOUNT = ("change", "secrets", "switch-off", "revoke", "delete", "history")
OF_PERSON = ("change", "switch-off", "revoke", "end-sessions", "history")


def admin_pages(page: Page, site: Site) -> dict[str, str]:
    """``{name: address}``; of what lists show, the first."""
    found = {**LISTS}
    for name, parts in (("accounts", OF_ACCOUNT), ("people", OF_PERSON)):
        first = first_of(page, site, LISTS[f"admin-{name}"])
        found |= {f"admin-{name}-{part}": f"{first}{part}/" for part in parts}
    for name in ("audit", "jobs"):
        found[f"admin-{name}-one"] = (
            first_of(page, site, LISTS[f"admin-{name}"]) + "change/"
        )
    return found


def first_of(page: Page, site: Site, address: str) -> str:
    page.goto(site.url + address)
    link = page.locator("#result_list tbody th a").first.get_attribute("href")
    assert link, address
    return link.partition("?")[0].removesuffix("change/")
