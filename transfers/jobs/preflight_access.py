"""Tries to read and to write as a job would, and changes nothing.

That a folder may be written is asked by making one that is there already: Globus
answers that it exists, or that the service account may not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from globus_sdk import TransferClient

from accounts.models import ServiceAccount
from portal.globus.errors import (
    Conflict,
    ConsentRequired,
    GlobusFailure,
    GlobusUnreachable,
    NotADirectory,
    NotFound,
    PermissionDenied,
    PortalError,
    SessionRequired,
    globus_errors,
)
from transfers.browsing import listing
from transfers.consents import sentence_for, with_own_consent
from transfers.jobs.checklist import BAD, OK, Checklist
from transfers.jobs.preflight_rules import Side, words_of
from transfers.paths import parent

#: folders above the destination that are tried before "not there" is the answer
MOST_PARENTS = 20


class TooSlow(Exception):
    """The time that somebody waits for a page is over."""


@dataclass(frozen=True)
class Limit:
    """:ivar until: of ``time.monotonic``; no look begins later"""

    until: float

    @classmethod
    def of_seconds(cls, seconds: float) -> Limit:
        return cls(time.monotonic() + seconds)

    def keep(self) -> None:
        """:raises TooSlow:"""
        if time.monotonic() > self.until:
            raise TooSlow


NO_LIMIT = Limit(math.inf)


class Access:
    """Tries what the job will do, and writes down what Globus says."""

    def __init__(
        self,
        found: Checklist,
        account: ServiceAccount,
        client: TransferClient,
        limit: Limit,
    ) -> None:
        self._found, self._account, self._client = found, account, client
        self.limit = limit

    def readable(self, side: Side, path: str, *, must: bool = True) -> None:
        """:param must: a task waits for what it cannot read, instead of going on"""
        title = "Reading the source"
        before = len(self._found.checks)
        try:
            self._consented(side, partial(self._look, side, path))
        except NotFound:
            self._found.add(
                "read",
                title,
                BAD,
                f"There is nothing at {path}, or the service account may not see it.",
                fix="Check the path. If it is right, give the service account access.",
                blocks=must,
                **self._grant(side),
            )
        except PortalError as err:
            self._could_not("read", title, side, path, err, blocks=must)
        else:
            says = f"The service account can read {path}."
            self._found.add("read", title, OK, says)
        self._in_order(before)

    def _look(self, side: Side, path: str) -> None:
        try:
            listing(self._client, side.collection.id, path, limit=1)
        except NotADirectory:
            with globus_errors():
                self._client.operation_stat(side.collection.id, path)

    def writable(self, side: Side, path: str) -> None:
        """Asks at the folder itself, or at the nearest one above that is there."""
        title = "Writing to the destination"
        before = len(self._found.checks)
        try:
            there = self._consented(side, partial(self._nearest, side, path))
            if there is None:
                raise NotFound
            self._make(side, there)
        except NotFound:
            self._found.add(
                "write",
                title,
                BAD,
                f"Neither {path} nor a folder above it is there, or the service "
                "account may see none of them.",
                fix="Check the path. If it is right, give the service account access.",
                blocks=True,
                **self._grant(side),
            )
        except PortalError as err:
            self._could_not("write", title, side, path, err, blocks=True)
        else:
            says = f"Globus lets the service account write to {there}"
            says += "." if there == _folder(path) else f", below which {path} is made."
            says += " Only the first run shows what the file system itself allows."
            self._found.add("write", title, OK, says)
        self._in_order(before)

    def _nearest(self, side: Side, path: str) -> str | None:
        here: str | None = _folder(path)
        for _ in range(MOST_PARENTS):
            if here is None:
                return None
            self.limit.keep()
            try:
                listing(self._client, side.collection.id, here, limit=1)
            except (NotFound, NotADirectory):
                here = parent(here)
            else:
                return here
        return None

    def _make(self, side: Side, path: str) -> None:
        """Makes a folder that is there: it is refused, and the refusal tells.

        :raises PermissionDenied: the service account may not write there
        """
        try:
            with globus_errors():
                self._client.operation_mkdir(side.collection.id, path)
        except Conflict as err:
            if "Exists" not in err.code:
                raise

    def _consented(self, side: Side, call: Callable[[], Any]) -> Any:
        """Makes a call; says so if the service account had to consent for it."""
        asked = False

        def counted() -> Any:
            nonlocal asked
            try:
                return call()
            except ConsentRequired:
                asked = True
                raise

        answer = with_own_consent(self._account, counted)
        says = "No consent is missing."
        if asked:
            says = "The service account has just consented for itself, as it may."
        self._found.add(
            f"{side.key}-consent", f"Consent for the {side.key} collection", OK, says
        )
        return answer

    def _could_not(
        self,
        key: str,
        title: str,
        side: Side,
        path: str,
        err: PortalError,
        *,
        blocks: bool,
    ) -> None:
        if isinstance(err, GlobusUnreachable):
            raise err
        if isinstance(err, GlobusFailure) and err.passing:
            says = f"{err.advice} It was asked for {path}."
            fix = "Try again in a while."
            self._found.add(key, title, BAD, says + words_of(err), fix=fix)
        elif isinstance(err, ConsentRequired):
            self._found.add(
                f"{side.key}-consent",
                f"Consent for the {side.key} collection",
                BAD,
                "Globus asks for a consent again although the service account has just "
                "given it, or for one that it cannot give.",
                fix="Ask the collection's manager which consents it wants; running the "
                "job again will not help.",
            )
        elif isinstance(err, SessionRequired):
            says = sentence_for(self._account, err)
            fix = "Use a collection that does not ask for sign-ins of people."
            self._found.add(key, title, BAD, says, fix=fix, blocks=blocks)
        elif isinstance(err, PermissionDenied):
            verb = "read" if key == "read" else "write to"
            self._found.add(
                key,
                title,
                BAD,
                f"The service account may not {verb} {path}.",
                fix="Give this identity access there:",
                blocks=blocks,
                **self._grant(side),
            )
        elif getattr(err, "code", "") == "OperationPaused":
            says = "The collection's managers have paused this."
            fix = "The job can run once they lift the pause."
            self._found.add(key, title, BAD, says + words_of(err), fix=fix)
        else:
            self._found.add(key, title, BAD, err.advice + words_of(err))

    def _grant(self, side: Side) -> dict[str, str]:
        return {
            "grant": self._account.identity_username,
            "place": str(side.collection.id),
        }

    def _in_order(self, before: int) -> None:
        """The consent stands above what it was asked for."""
        tail = self._found.checks[before:]
        tail.sort(key=lambda each: not each.key.endswith("-consent"))
        self._found.checks[before:] = tail


def _folder(path: str) -> str:
    """The folder at a path, or the one in which a file of this path is."""
    return path if path.endswith("/") else f"{path.rpartition('/')[0]}/"
