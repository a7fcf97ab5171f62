"""The whole portal for a browser: web, worker, beat, servers and sandbox, all real."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import Browser, Page, sync_playwright

from portal import demo
from sandbox.testing import Sandbox

#: as ``install.sh`` looks for it
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
#: settings of the portal that the other tests use; this site brings its own
OF_THE_TEST_RUN = (
    "DATABASE_",
    "DJANGO_",
    "EMAIL_",
    "GLOBUS_",
    "PORTAL_",
    "PUBLIC_",
    "REDIS_",
)
#: nothing of a browser that calls home, and what a machine without a screen needs
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


@dataclass(frozen=True)
class Site:
    """A portal of its own, which people use with browsers.

    :ivar sandbox: the knobs of the Globus that it speaks to
    """

    url: str
    sandbox: Sandbox


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """What ``manage.py demo`` runs, in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="cw-") as name:
        port, sandbox_port = demo.free_ports(2)
        place = demo.Place(Path(name), port, sandbox_port, throw_away=True, parent=0)
        with (
            surroundings_of_a_shell(),
            demo.embedded_at(place) as servers,
            demo.supervisor_at(place) as supervisor,
        ):
            demo.start(place, servers, supervisor)
            yield Site(place.url, knobs_of(place))


@contextlib.contextmanager
def surroundings_of_a_shell() -> Iterator[None]:
    """Without what the test run has set for its own portal and sandbox."""
    with mock.patch.dict(os.environ):
        for name in [*os.environ]:
            if name.startswith(OF_THE_TEST_RUN):
                del os.environ[name]
        yield


def knobs_of(place: demo.Place) -> Sandbox:
    surroundings = {"GLOBUS_SDK_SERVICE_URL_AUTH": f"{place.sandbox_url}/auth/"}
    nothing_to_stop: Any = None
    return Sandbox(nothing_to_stop, surroundings)


def chromium() -> str:
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, PROGRAMS)), None
    )
    assert found, "make browser installs a Chromium"
    return found


@contextlib.contextmanager
def running_browser(*flags: str) -> Iterator[Browser]:
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*FLAGS, *as_root, *flags]
        )
        yield browser
        browser.close()


def sign_in(page: Page, site: Site, username: str, start: str = "/") -> None:
    """From the page in front, over the sandbox's page, to the home page.

    :param start: nothing, to begin where the page is
    """
    if start:
        page.goto(site.url + start)
    page.get_by_role("button", name="Sign in with Globus").click()
    allow(page, site, username)


def allow(page: Page, site: Site, username: str = "ada") -> None:
    """Says yes at Globus, and is back in the portal."""
    page.wait_for_url(f"{site.sandbox.url}/**")
    page.get_by_role("radio", name=f"{username}@").first.check()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{site.url}/**")


def give_consent(page: Page, site: Site, username: str = "ada") -> None:
    page.get_by_role("button", name="Give consent at Globus").first.click()
    allow(page, site, username)
