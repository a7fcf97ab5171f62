"""Everything that can go wrong with Globus, as one tree with a sentence for each.

A class stands for a thing that a caller does differently. What varies between two
failures of one kind (the code, Globus's own words, the scopes that are missing) is
an attribute. ``globus_errors()`` is the one place where the SDK's exceptions become
ours; ``portal.middleware`` is the one place where ours become pages.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import globus_sdk
from globus_sdk import gare

from portal.globus import requirements
from portal.globus.requirements import Requirement


class PortalError(Exception):
    """Something a person can be told about, and go on from.

    ``title`` and ``advice`` are sentences for that person, ``status`` the HTTP status
    of the page that shows them.
    """

    title = "Something went wrong"
    advice = "Please try again."
    status = 500

    def __init__(self, advice: str = "") -> None:
        if advice:
            self.advice = advice
        super().__init__(self.advice)


class GlobusFailure(PortalError):
    """Globus did not do what was asked.

    :ivar code: Globus's code, e.g. ``ClientError.NotFound``; may be empty
    :ivar detail: Globus's own words, untrusted text; may be empty
    :ivar request_id: what to quote to Globus support; may be empty
    """

    title = "Globus did not do this"
    advice = "Globus answered with an error."
    status = 502
    #: a later attempt with the same input may work without anyone's help
    passing = False
    #: what the principal must do at Globus before it can work
    requirement: Requirement | None = None

    def __init__(
        self,
        advice: str = "",
        *,
        code: str = "",
        detail: str = "",
        request_id: str = "",
    ) -> None:
        self.code = code
        self.detail = detail
        self.request_id = request_id
        super().__init__(advice)


class GlobusUnreachable(GlobusFailure):
    """No answer, or "come back later": the same request may work in a minute."""

    title = "Globus cannot be reached"
    advice = "Globus cannot be reached right now. Please try again in a minute."
    status = 503
    passing = True


class RateLimited(GlobusUnreachable):
    """Globus asks for fewer requests.

    :ivar retry_after: seconds to wait, when Globus named them
    """

    title = "Globus asks us to slow down"
    advice = "Globus is receiving too many requests. Please try again in a minute."

    def __init__(self, *, retry_after: int | None = None, **facts: str) -> None:
        self.retry_after = retry_after
        super().__init__(**facts)


class UnexpectedAnswer(GlobusFailure):
    """An answer that makes no sense. Nothing may be concluded from it."""

    title = "Globus gave an answer that we do not understand"
    advice = "The answer from Globus made no sense, so nothing was changed."


class NotFound(GlobusFailure):
    """There is no such collection, path or task – for this principal."""

    title = "Not found at Globus"
    advice = "It does not exist, or it is not visible to you."
    status = 404


class PermissionDenied(GlobusFailure):
    title = "No permission"
    advice = "Globus knows who you are and says no. Ask the owner of the collection."
    status = 403


class Conflict(GlobusFailure):
    """Something like this exists or is going on already."""

    title = "This is going on already"
    advice = "Globus already has this, or is still busy with it."
    status = 409


class SameTaskRunning(Conflict):
    """A task between the same paths has not ended yet.

    :ivar task_id: which, where Globus names it
    """

    title = "The same is under way already"
    advice = (
        "Globus is still busy with a task for the same paths, so it does not take "
        "another one until that has ended."
    )

    def __init__(self, *, task_id: UUID | None = None, **facts: str) -> None:
        self.task_id = task_id
        super().__init__(**facts)


class QueueFull(GlobusFailure):
    """As many tasks of this principal are pending as Globus takes."""

    title = "Globus takes no more tasks for now"
    advice = (
        "Globus takes no more unfinished tasks at a time, 100 as a rule. This one "
        "waits here and is sent when one of them has ended."
    )
    status = 409
    passing = True


class Refused(GlobusFailure):
    """The request itself was wrong; sending it again changes nothing."""

    title = "Globus refused this"
    advice = "Globus did not accept the request as it was."
    status = 400


class CollectionUnavailable(GlobusFailure):
    """The collection's own server failed or is not connected."""

    title = "The collection does not answer"
    advice = "Globus works, but the collection's own server could not do this."
    status = 502
    passing = True


class NotConnected(CollectionUnavailable):
    """A personal collection whose computer is off, or not on the network."""

    title = "The computer of this collection is not connected"
    advice = (
        "It is a personal collection, and Globus does not reach the computer that it "
        "is on. Start Globus Connect Personal there, or ask its owner to; then try "
        "again."
    )
    status = 503


class Paused(CollectionUnavailable):
    """Who manages the collection does not let this happen for a while."""

    title = "This collection is paused"
    advice = (
        "Those who manage the collection have paused it for now. Nothing is lost: try "
        "again later, or ask them when it goes on."
    )
    status = 503


class TooLarge(GlobusFailure):
    """More entries in a folder than Globus lists."""

    title = "This folder is too large to be listed"
    advice = (
        "Globus does not list folders of more than 100,000 entries. Write the path of "
        "a folder within it above, or transfer this folder as a whole."
    )
    status = 422


class AlreadyThere(Conflict):
    """A name that something else in the folder has."""

    title = "This name is taken"
    advice = "There is something with this name already. Choose another one."


class NotADirectory(GlobusFailure):
    title = "This is not a folder"
    advice = "The path names a file, so there is nothing to list in it."
    status = 404


class ConsentRequired(GlobusFailure):
    """The principal must first allow the portal one or more scopes.

    :ivar required_scopes: scope strings as Globus gave them
    """

    title = "Globus asks for your consent"
    advice = "Globus needs your consent before the portal may do this for you."
    status = 403

    def __init__(
        self,
        *,
        required_scopes: tuple[str, ...],
        about: UUID | None = None,
        **facts: str,
    ) -> None:
        self.required_scopes = required_scopes
        found = requirements.read_scopes(required_scopes)
        self.requirement = replace(found, about=about)
        super().__init__(**facts)


class SessionRequired(GlobusFailure):
    """The principal must sign in (again) in a certain way.

    :ivar parameters: ``session_required_*``, ``session_message``, ``prompt``
    """

    title = "Globus asks you to sign in again"
    advice = "The collection wants a fresh or different sign-in before it lets you in."
    status = 403

    def __init__(
        self,
        *,
        parameters: Mapping[str, Any],
        about: UUID | None = None,
        **facts: str,
    ) -> None:
        self.parameters = dict(parameters)
        found = requirements.insistent(requirements.read_parameters(parameters))
        self.requirement = replace(found, about=about)
        super().__init__(**facts)


class SignInRequired(GlobusFailure):
    """The portal holds no usable token any more; only a new sign-in brings one."""

    title = "Please sign in again"
    advice = "Your earlier sign-in with Globus has ended. Sign in again to go on."
    status = 403
    requirement = Requirement()


class CredentialRefused(GlobusFailure):
    """Globus Auth does not accept a service account's client id and secret."""

    title = "The service account's secret does not work"
    advice = (
        "Globus Auth refused the client id and secret of this service account. "
        "An administrator can enter a new secret."
    )
    status = 403


class TooMany(PortalError):
    """Somebody does something more often than anyone needs to.

    :ivar retry_after: seconds
    """

    title = "That was too often"
    advice = "There were too many sign-ins from here within a short time."
    status = 429

    def __init__(self, advice: str = "", *, retry_after: int) -> None:
        self.retry_after = retry_after
        minutes = -(-retry_after // 60)
        wait = "a minute" if minutes <= 1 else f"{minutes} minutes"
        super().__init__(f"{advice or self.advice} Please try again in {wait}.")


class SignInFailed(PortalError):
    """A sign-in that did not come to an end. Nobody was signed in.

    :ivar way_on: the template of what can be done about it, where that is more than
        to sign in
    :ivar next: the page of ours that the sign-in was for, where that is known
    """

    way_on = ""
    next = ""

    title = "You are not signed in"
    advice = "The sign-in could not be completed. Please start again."
    status = 400


class SignInDeclined(SignInFailed):
    advice = "You declined at Globus, so nobody was signed in. You can start again."
    status = 403


class SignInNotOurs(SignInFailed):
    """Missing, wrong, used or old ``state`` (RFC 6749 section 10.12)."""

    advice = (
        "This sign-in was not started in this browser, or it was used already, or it "
        "took too long. Please start again."
    )
    status = 400


class SignInUnverified(SignInFailed):
    advice = "The answer from Globus could not be verified, so nobody was signed in."
    status = 502


class SignInNotFresh(SignInUnverified):
    """Asked to show who they are anew, and Globus did not report that they did."""

    advice = (
        "Globus did not report that you just signed in there, and this needs it. "
        "Please start again and sign in at Globus when it asks you to."
    )


class ScopeNotGranted(SignInUnverified):
    """:ivar scopes: what was asked for and is missing"""

    title = "Globus did not grant everything"

    def __init__(self, *, scopes: tuple[str, ...]) -> None:
        self.scopes = scopes
        super().__init__(
            "The portal asked for rights that it cannot work without, and Globus did "
            f"not grant: {', '.join(scopes)}. Please start again and allow all of them."
        )


class SignInUnreachable(SignInFailed):
    advice = "Globus could not be reached to finish the sign-in. Please try again."
    status = 503


class SignInTimedOut(SignInUnreachable):
    advice = "Globus took too long to finish the sign-in. Please try again."
    status = 504


class PortalNotAccepted(SignInFailed):
    """Auth refused the portal's own client id and secret."""

    advice = (
        "Globus does not accept this portal's own credentials, so nobody can sign in. "
        "Please tell the portal's administrator."
    )
    status = 502


class SignInConflict(SignInFailed):
    title = "Somebody else is signed in here"
    advice = (
        "Someone else is signed in in this browser. Sign out first, then sign in with "
        "the other identity."
    )
    status = 409


class AccountDisabled(SignInFailed):
    advice = (
        "This account has been switched off. Please ask the portal's administrator."
    )
    status = 403


class NotAllowedIn(SignInFailed):
    """The portal is for the members of a Globus group.

    :ivar group_id: whom to ask
    :ivar group_name: text of Globus; empty if the group does not show itself
    :ivar username: who was not let in
    :ivar linked: the usernames of their other identities
    """

    title = "This portal is for members of a group"
    advice = (
        "You are signed in at Globus, but you are not a member of the group that this "
        "portal is for. Ask its managers to add you, then sign in again."
    )
    status = 403
    way_on = "accounts/_not_allowed_in.html"

    def __init__(
        self,
        *,
        group_id: str,
        group_name: str = "",
        username: str = "",
        linked: tuple[str, ...] = (),
    ) -> None:
        self.group_id = group_id
        self.group_name = group_name
        self.username = username
        self.linked = linked
        super().__init__()


@contextmanager
def globus_errors() -> Iterator[None]:
    """Turns what ``globus_sdk`` raises into this module's tree, cause kept."""
    try:
        yield
    except globus_sdk.GlobusAPIError as err:
        raise failure_from(err) from err
    except globus_sdk.NetworkError as err:
        raise GlobusUnreachable from err
    except globus_sdk.GlobusError as err:
        raise UnexpectedAnswer from err


def failure_from(err: globus_sdk.GlobusAPIError) -> GlobusFailure:
    """The class that fits an API error; facts tagged in globus-services 2.7, 3.11."""
    code = str(err.code or "")
    facts = {
        "code": code,
        "detail": str(err.message or ""),
        "request_id": str(getattr(err, "request_id", None) or ""),
    }
    wanted = _requirement_failure(err, facts)
    if wanted is not None:
        return wanted
    if err.http_status == 429:
        seconds = err.headers.get("Retry-After", "")
        return RateLimited(
            retry_after=int(seconds) if seconds.isdecimal() else None, **facts
        )
    if "NotDirectory" in code:
        return NotADirectory(**facts)
    if code.endswith("PermissionDenied"):
        return PermissionDenied(**facts)
    if code.endswith("Exists"):
        return AlreadyThere(**facts)
    if code.endswith("Conflict") or "LimitExceeded" in code:
        return _conflict(facts)
    for ending, kind in _BY_ENDING.items():
        if code.endswith(ending):
            return kind(**facts)
    if "ExternalError" in code or "EndpointError" in code or "GCDisconnected" in code:
        return CollectionUnavailable(**facts)
    if err.http_status >= 500:
        return GlobusUnreachable(**facts)
    return _BY_STATUS.get(err.http_status, UnexpectedAnswer)(**facts)


#: the ends of codes that say more than their status
_BY_ENDING: dict[str, type[GlobusFailure]] = {
    "SizeLimit": TooLarge,
    "GCDisconnected": NotConnected,
    "GCPaused": Paused,
    "OperationPaused": Paused,
}
_BY_STATUS: dict[int, type[GlobusFailure]] = {
    400: Refused,
    401: SignInRequired,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: Refused,
}


_SAME_TASK = re.compile(r"identical path|already (running|in progress)", re.IGNORECASE)
_QUEUE_FULL = re.compile(r"(pending|queued|unfinished|too many)\b.*\btask", re.I | re.S)
_TASK_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)


def _conflict(facts: dict[str, str]) -> GlobusFailure:
    """Globus tells its conflicts apart in words only (globus-services 3.6, 3.10)."""
    said = facts["detail"]
    if _SAME_TASK.search(said):
        named = _TASK_ID.search(said)
        return SameTaskRunning(task_id=UUID(named[0]) if named else None, **facts)
    if _QUEUE_FULL.search(said):
        return QueueFull(**facts)
    return Conflict(**facts)


#: With these, Globus wants something even where it does not say what.
_REQUIREMENT_CODES = ("AuthPolicyFailed", "AuthorizationRequired", "ConsentRequired")


def _requirement_failure(
    err: globus_sdk.GlobusAPIError, facts: dict[str, str]
) -> GlobusFailure | None:
    """What the person has to do first, in whichever shape Globus says so."""
    body = err.raw_json if isinstance(err.raw_json, dict) else {}
    about = requirements.collection_of(body.get("resource"))
    parameters = _gare_parameters(err)
    if parameters is None:
        found = requirements.in_document(body)
        if found is None and err.http_status == 502:
            found = requirements.in_text(facts["detail"])
        if found is None:
            return None
        parameters = found.as_json()
        if found.wants_consent:
            parameters["required_scopes"] = found.consent_scopes
    scopes = tuple(parameters.pop("required_scopes", ()))
    if scopes and set(parameters) <= {"session_message"}:
        return ConsentRequired(required_scopes=scopes, about=about, **facts)
    if not parameters and facts["code"] not in _REQUIREMENT_CODES:
        return None
    if scopes:
        parameters["required_scopes"] = list(scopes)
    return SessionRequired(parameters=parameters, about=about, **facts)


def _gare_parameters(err: globus_sdk.GlobusAPIError) -> dict[str, Any] | None:
    """The parameters that are set, if the SDK can read the error.

    It stumbles over an empty list of errors, and puts the scopes of its older shapes
    aside as unknown.
    """
    try:
        wanted = gare.to_gare(err)
    except (IndexError, TypeError, AttributeError):
        return None
    if wanted is None:
        return None
    given = wanted.authorization_parameters
    named = {name: getattr(given, name) for name in _GARE_NAMES}
    if not named["required_scopes"]:
        named["required_scopes"] = _scopes_aside(given.extra)
    return {name: value for name, value in named.items() if value}


_GARE_NAMES = (
    "session_message",
    "session_required_identities",
    "session_required_single_domain",
    "session_required_policies",
    "session_required_mfa",
    "prompt",
    "required_scopes",
)


def _scopes_aside(extra: Mapping[str, Any]) -> list[str]:
    found = extra.get("required_scopes") or extra.get("required_scope") or []
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list):
        return []
    return [text for text in texts if isinstance(text, str)]
