"""Whether a job can work: a checklist, with a way on beside whatever fails.

It asks Globus as the service account would, and changes nothing. That a folder may be
written is asked by making one that is there already: Globus answers that it exists,
or that the service account may not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from globus_sdk import TransferClient

from accounts import tokens
from accounts.clients import transfer_client
from accounts.models import ServiceAccount
from portal.globus import scopes
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
from portal.globus.transport import WORKER
from transfers.browsing import listing
from transfers.collections import Collection, collection
from transfers.consents import sentence_for, with_own_consent
from transfers.jobs.models import Job
from transfers.paths import is_within, parent
from transfers.policies import policies

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
#: folders above the destination that are tried before "not there" is the answer
MOST_PARENTS = 20
#: paths of a batch that are looked at
MOST_PATHS = 5


@dataclass(frozen=True)
class Check:
    """:ivar key: stays the same from one preflight to the next
    :ivar fix: what to do about it; empty if there is nothing to do
    :ivar grant: an identity that is to be given access, to be copied
    :ivar place: the collection where that is done
    """

    key: str
    title: str
    state: str
    says: str
    fix: str = ""
    grant: str = ""
    place: str = ""

    def as_json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass
class Checklist:
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing is known that will make the job fail."""
        return all(check.state != BAD for check in self.checks)

    @property
    def sentence(self) -> str:
        bad = [check for check in self.checks if check.state == BAD]
        if not bad:
            return "Nothing stands in the way of this job."
        things = "1 thing stands" if len(bad) == 1 else f"{len(bad)} things stand"
        return f"{things} in the way: {', '.join(check.title for check in bad)}."

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [check.as_json() for check in self.checks],
        }

    def add(self, key: str, title: str, state: str, says: str, **more: str) -> None:
        """The same said twice, of two paths of a batch, stands there once."""
        check = Check(key, title, state, says, **more)
        if check not in self.checks:
            self.checks.append(check)


def check(job: Job) -> Checklist:
    """Of a job as it is now. Takes some seconds: it asks Globus about ten times.

    :raises GlobusUnreachable: Globus cannot say anything at the moment
    """
    return check_inputs(job.service_account, job.inputs())


def check_inputs(account: ServiceAccount, inputs: Mapping[str, Any]) -> Checklist:
    """:param inputs: as ``Job.inputs`` gives them"""
    found = Checklist()
    if not _credential(found, account):
        return found
    asking = _Asking(found, account, transfer_client(account, WORKER))
    source = asking.side("source", inputs["source_collection"])
    if source is not None:
        for path in paths_of(inputs, "source"):
            asking.readable(source, path)
    if inputs.get("destination_collection"):
        destination = asking.side("destination", inputs["destination_collection"])
        if destination is not None:
            for path in paths_of(inputs, "destination"):
                asking.writable(destination, path)
            found.add(
                "space",
                "Space at the destination",
                UNKNOWN,
                "Globus does not say how much space is left there. A transfer that "
                "runs out of it goes on until its deadline.",
            )
        _apart(found, inputs)
    return found


def paths_of(inputs: Mapping[str, Any], side: str) -> list[str]:
    """What to look at on one side: of a batch the first few paths, and of a path with
    fields, such as a date, the folder above the first of them.
    """
    items = inputs.get("items") or [inputs]
    found = (_before_fields(item[f"{side}_path"]) for item in items)
    return [*dict.fromkeys(found)][:MOST_PATHS]


def _before_fields(path: str) -> str:
    fixed, brace, _ = path.partition("{")
    return f"{fixed.rpartition('/')[0]}/" if brace else path


def _credential(found: Checklist, account: ServiceAccount) -> bool:
    title = "The service account's credential"
    try:
        tokens.access_token(account, scopes.TRANSFER)
    except GlobusFailure as err:
        if err.passing:
            raise
        fix = "An administrator can test it, and enter a new secret, in the admin."
        found.add("credential", title, BAD, sentence_for(account, err), fix=fix)
        return False
    says = f"“{account.name}” is switched on, and Globus gives it a token."
    found.add("credential", title, OK, says)
    return True


def _apart(found: Checklist, inputs: Mapping[str, Any]) -> None:
    if inputs["source_collection"] == inputs["destination_collection"] and is_within(
        inputs["destination_path"], inputs["source_path"]
    ):
        found.add(
            "apart",
            "Source and destination",
            BAD,
            "The destination lies inside the source.",
            fix="Choose a destination outside of it.",
        )


@dataclass(frozen=True)
class Side:
    """:ivar key: source or destination"""

    key: str
    collection: Collection

    @property
    def name(self) -> str:
        return self.collection.display_name or str(self.collection.id)


class _Asking:
    """Asks Globus as the service account, and writes down what it says."""

    def __init__(
        self, found: Checklist, account: ServiceAccount, client: TransferClient
    ) -> None:
        self._found, self._account, self._client = found, account, client

    def side(self, key: str, collection_id: str) -> Side | None:
        """The collection with its rules; nothing if it cannot be looked at."""
        title = f"The {key} collection"
        try:
            side = Side(key, collection(self._client, UUID(collection_id)))
        except (NotFound, PermissionDenied) as err:
            self._found.add(
                f"{key}-collection",
                title,
                BAD,
                "It was deleted, or the service account may not see it.",
                fix="Check the collection's ID, or ask its owner to let the service "
                "account in." + _words(err),
                grant=self._account.identity_username,
                place=collection_id,
            )
            return None
        self._found.add(f"{key}-collection", title, OK, f"It is “{side.name}”.")
        self._rules(side)
        self._pauses(side)
        return side

    def _rules(self, side: Side) -> None:
        document = side.collection.document
        title = f"Rules of the {side.key} collection"
        if side.collection.high_assurance:
            self._found.add(
                f"{side.key}-assurance",
                title,
                WARN,
                "It holds protected data (high assurance) and asks for the sign-in of "
                "a person. A service account cannot sign in.",
                fix="Use another collection, or ask its manager whether service "
                "accounts are let in.",
            )
        for name, says in _STOPS.items():
            if document.get(name) is True:
                fix = "Wait, or ask the owner of the collection."
                self._found.add(f"{side.key}-{name}", title, BAD, says, fix=fix)
        if side.collection.is_connected is False:
            self._found.add(
                f"{side.key}-offline",
                title,
                BAD,
                "The computer that it is on is not connected to Globus.",
                fix="Start Globus Connect Personal on that computer.",
            )
        for number, sentence in enumerate(policies(side.collection)):
            if sentence not in _SAID_ABOVE and not side.collection.high_assurance:
                self._found.add(f"{side.key}-rule-{number}", title, OK, sentence)

    def _pauses(self, side: Side) -> None:
        with globus_errors():
            answer = self._client.my_effective_pause_rule_list(side.collection.id)
            rules = [rule for rule in answer.get("DATA", []) if isinstance(rule, dict)]
        wanted = {
            "source": ("pause_ls", "pause_task_transfer_read"),
            "destination": ("pause_mkdir", "pause_task_transfer_write"),
        }[side.key]
        for rule in rules:
            if any(rule.get(name) is True for name in wanted):
                message = str(rule.get("message") or "without a reason")[:300]
                self._found.add(
                    f"{side.key}-paused",
                    f"Pauses of the {side.key} collection",
                    BAD,
                    f"Its managers have paused what this job does there: “{message}”.",
                    fix="The job can run once they lift the pause.",
                )
                return

    # --- reading and writing

    def readable(self, side: Side, path: str) -> None:
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
                **self._grant(side),
            )
        except PortalError as err:
            self._could_not("read", title, side, path, err)
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
                **self._grant(side),
            )
        except PortalError as err:
            self._could_not("write", title, side, path, err)
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
        self, key: str, title: str, side: Side, path: str, err: PortalError
    ) -> None:
        if isinstance(err, GlobusUnreachable):
            raise err
        if isinstance(err, GlobusFailure) and err.passing:
            says = f"{err.advice} It was asked for {path}."
            fix = "Try again in a while."
            self._found.add(key, title, BAD, says + _words(err), fix=fix)
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
            self._found.add(key, title, BAD, says, fix=fix)
        elif isinstance(err, PermissionDenied):
            verb = "read" if key == "read" else "write to"
            self._found.add(
                key,
                title,
                BAD,
                f"The service account may not {verb} {path}.",
                fix="Give this identity access there:",
                **self._grant(side),
            )
        elif getattr(err, "code", "") == "OperationPaused":
            says = "The collection's managers have paused this."
            fix = "The job can run once they lift the pause."
            self._found.add(key, title, BAD, says + _words(err), fix=fix)
        else:
            self._found.add(key, title, BAD, err.advice + _words(err))

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


#: a key of the collection's document that stops every job
_STOPS = {
    "gcp_paused": "Its owner has paused it; nothing moves until that ends.",
    "non_functional": "Globus says that it does not work at the moment.",
}
#: what the checks above have said in their own words
_SAID_ABOVE = {
    *_STOPS.values(),
    "The computer that it is on is not connected right now.",
    "Everyone can find it in the search.",
    "Only those who may use it can find it in the search.",
    "Files can also be read with a browser, over HTTPS.",
}


def _folder(path: str) -> str:
    """The folder at a path, or the one in which a file of this path is."""
    return path if path.endswith("/") else f"{path.rpartition('/')[0]}/"


def _words(err: PortalError) -> str:
    """Globus's own, which may be the only ones that say what is wrong."""
    detail = " ".join(getattr(err, "detail", "").split())[:200]
    return f" Globus said: “{detail}”" if detail else ""
