"""The main job, carried out over HTTP and through the queue, step by step.

A scripted person signs in, lists a collection and transfers files through the portal's
own pages; then two jobs of a service account go through a worker. What was transferred
is compared byte for byte on disk, where the sandbox keeps its collections.
"""

import filecmp
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import requests

from portal.scripted_browser import Form, NotOnPage, Page, ScriptedBrowser
from portal.supervisor import POLL_SECONDS, ProgramFailed

# Where the portal's pages are, and what their fields are called
SIGN_IN_PAGE = "/login/"
SIGN_IN_FORM = "/login/globus/"
ACCOUNT_PAGE = "/account/"
FILES_PAGE = "/files/"
TRANSFER_FORM = "/transfers/new/"
DONE, FAILED = "Succeeded", "Failed"

TRANSFER_SECONDS = 60.0


class Unexpected(Exception):
    """A step did not bring what it should; the text says why."""


@dataclass(frozen=True)
class Folder:
    """A folder of a collection.

    :ivar path: absolute, with a slash at its end
    """

    collection_id: str
    path: str


@dataclass(frozen=True)
class Surroundings:
    """What the steps act on.

    :ivar person: the username of somebody who may use the portal
    :ivar sent: the folder that the person transfers, and where to
    :ivar harvested: what the job ``demo-transfer`` transfers, and where to
    :ivar collections: where the sandbox keeps them, a folder for each
    :ivar run_job: runs a job of the portal by name and returns its report
    :ivar check: raises if a program of the demo has ended meanwhile
    """

    portal_url: str
    person: str
    identity_id: str
    listed: Folder
    sent: tuple[Folder, Folder]
    listed_by_job: Folder
    harvested: tuple[Folder, Folder]
    collections: Path
    run_job: Callable[[str], str]
    check: Callable[[], None]

    def on_disk(self, folder: Folder) -> Path:
        return self.collections / folder.collection_id / folder.path.strip("/")


@dataclass
class Walkthrough:
    surroundings: Surroundings
    browser: ScriptedBrowser = field(default_factory=ScriptedBrowser)

    def run(self) -> bool:
        """Prints a line for each step; false if one failed."""
        steps = {
            f"sign-in as {self.surroundings.person}": self.sign_in,
            "listing of a collection": self.list_collection,
            "transfer of files between two collections": self.transfer,
            "listing by a service account, through the queue": self.list_by_job,
            "transfer by a service account, through the queue": self.transfer_by_job,
        }
        passed = [carried_out(what, step) for what, step in steps.items()]
        return all(passed)

    def sign_in(self) -> str:
        page = self.visit(SIGN_IN_PAGE)
        self.through_globus(page, page.form_to(SIGN_IN_FORM))
        account = self.visit(ACCOUNT_PAGE)
        account.expect(self.surroundings.person)
        return f"{ACCOUNT_PAGE} shows {self.surroundings.person}"

    def through_globus(self, page: Page, form: Form) -> Page:
        """From the portal to the sandbox's authorize page and back."""
        return self.allow(self.browser.submit(page, form))

    def allow(self, question: Page) -> Page:
        """Says yes on the sandbox's authorize page."""
        if not question.forms:
            raise Unexpected(f"Globus asks nothing: {question}")
        answer = question.forms[0].filled(
            identity=self.surroundings.identity_id, decision="allow"
        )
        back = self.browser.submit(question, answer)
        if not back.url.startswith(self.surroundings.portal_url):
            raise Unexpected(f"the way back from Globus ended at {back.url}")
        return back

    def list_collection(self) -> str:
        page = self.visit_consenting(listing_of(self.surroundings.listed))
        names = self.names_on_disk(self.surroundings.listed)
        for name in names:
            page.expect(name)
        return f"{', '.join(names)}, as on disk"

    def transfer(self) -> str:
        source, destination = self.surroundings.sent
        self.expect_absent(destination)
        page = self.visit_consenting(
            f"{listing_of(source)}&destination_id={destination.collection_id}"
            f"&destination_path={quote(destination.path)}"
        )
        pick = page.form_to(TRANSFER_FORM)
        pick = pick.filled(pick=pick.choices.get("pick", []))
        page = self.browser.submit(page, pick)
        form = page.form_to(TRANSFER_FORM).filled(label="Demo", do="send")
        self.watch(self.browser.submit(page, form))
        return self.compare(source, destination)

    def watch(self, page: Page) -> None:
        """Look at a transfer's page until it says that it is over."""
        address = page.url
        give_up_at = time.monotonic() + TRANSFER_SECONDS
        while not page.title.startswith(DONE):
            self.surroundings.check()
            if page.title.startswith(FAILED) or time.monotonic() > give_up_at:
                raise Unexpected(f"the transfer did not succeed: {page}")
            time.sleep(POLL_SECONDS)
            page = self.visit_consenting(address)

    def list_by_job(self) -> str:
        report = self.surroundings.run_job("demo-list")
        for name in self.names_on_disk(self.surroundings.listed_by_job):
            if name not in report:
                raise Unexpected(f"{name} is not in the report: {report.strip()}")
        return last_line(report)

    def transfer_by_job(self) -> str:
        source, destination = self.surroundings.harvested
        self.expect_absent(destination)
        report = self.surroundings.run_job("demo-transfer")
        return f"{last_line(report)}; {self.compare(source, destination)}"

    def names_on_disk(self, folder: Folder) -> list[str]:
        """:raises Unexpected: there are none"""
        names = sorted(
            each.name for each in self.surroundings.on_disk(folder).iterdir()
        )
        if not names:
            raise Unexpected(f"there is nothing in {folder.path}")
        return names

    def expect_absent(self, folder: Folder) -> None:
        """Copies that were there before would prove nothing."""
        if files_below(self.surroundings.on_disk(folder)):
            raise Unexpected(f"{folder.path} had files before the transfer")

    def compare(self, source: Folder, destination: Folder) -> str:
        return same_files(
            self.surroundings.on_disk(source), self.surroundings.on_disk(destination)
        )

    def visit(self, path: str) -> Page:
        return self.browser.visit(urljoin(self.surroundings.portal_url, path))

    def visit_consenting(self, path: str) -> Page:
        """Visit a page; where the portal asks for a consent, give it and go on."""
        page = self.visit(path)
        way_on = page.find_form(f"{urlsplit(page.url).path}way-on/")
        if way_on:
            return self.through_globus(page, way_on)
        consent = page.find_form(SIGN_IN_FORM)
        return self.through_globus(page, consent) if consent else page


def carried_out(what: str, step: Callable[[], str]) -> bool:
    """Take a step and print how it went."""
    try:
        detail = step()
    except (
        NotOnPage,
        OSError,
        ProgramFailed,
        Unexpected,
        requests.RequestException,
    ) as err:
        say(f"FAIL {what}: {in_one_line(str(err))}")
        return False
    say(f"PASS {what} ({detail})")
    return True


def in_one_line(text: str) -> str:
    """The first line and, of a log or a traceback, the last one."""
    lines = text.strip().splitlines() or ["no reason given"]
    return lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def listing_of(folder: Folder) -> str:
    return (
        f"{FILES_PAGE}?origin_id={folder.collection_id}"
        f"&origin_path={quote(folder.path)}"
    )


def same_files(source: Path, destination: Path) -> str:
    """Compare all files of a folder with their copies, byte for byte.

    :returns: how much that was
    :raises Unexpected: a copy is missing or differs, or there is nothing to compare
    """
    names = [str(path.relative_to(source)) for path in files_below(source)]
    if not names:
        raise Unexpected(f"there are no files in {source}")
    _, different, missing = filecmp.cmpfiles(source, destination, names, shallow=False)
    if different or missing:
        raise Unexpected(
            f"of {len(names)} files {len(different)} differ, {len(missing)} are missing"
        )
    size_bytes = sum(path.stat().st_size for path in files_below(source))
    return f"{len(names)} files, {size_bytes:,} bytes, the same on disk"


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no report"])[-1]
