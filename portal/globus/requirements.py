"""What Globus may want of a person before it goes on, read and checked.

It arrives as one of the documents that ``globus_sdk.gare`` knows, as a variant of them
that it does not take, or within the text of a 502 from a collection's own server
(globus-services 3.11). All of it is text from outside: what is kept are ids, names and
domains of a known shape, and requests to Auth are built anew from those.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from portal.globus.scopes import (
    RIGHT_OF_SCOPE,
    SIGN_IN_SCOPES,
    Right,
    collections_in,
    further_scopes,
    https_collections_in,
    rights_in,
    roots_in,
    sign_in_scopes,
    with_data_access,
)

Value = TypeVar("Value")

MOST_VALUES = 20
MOST_COLLECTIONS = 50
LONGEST_MESSAGE = 500
#: how far the text of a collection's server is searched, and for how many documents
LONGEST_TEXT = 50_000
MOST_DOCUMENTS = 20
DEEPEST = 6

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_LOCAL_PART = re.compile(r"[A-Za-z0-9._+\-]{1,128}")
_ENDPOINT = re.compile(rf"/endpoint/({_UUID.pattern})(?:/|\Z)", re.IGNORECASE)


class Kind(StrEnum):
    """What stands in front when it is told to a person."""

    CONSENT = "consent"
    IDENTITY = "identity"
    DOMAIN = "domain"
    MFA = "mfa"
    POLICY = "policy"
    FRESH = "fresh"
    SIGN_IN = "sign_in"
    BEYOND = "beyond"


@dataclass(frozen=True)
class Requirement:
    """Consents to give and properties that the sign-in must have.

    An empty one wants any sign-in, which brings new tokens.

    :ivar collections: whose ``data_access`` is to be consented to
    :ivar https: whose own server is to be used
    :ivar rights: beyond the base set of every sign-in
    :ivar identities: ids or usernames, all of which must have signed in
    :ivar domains: one identity of any of these must have signed in
    :ivar fresh: earlier sign-ins do not count (``prompt=login``)
    :ivar beyond: a scope is wanted that this portal never asks for
    :ivar message: Globus's words, shown as text and sent nowhere
    :ivar about: the collection that wants it, where that is known
    """

    collections: tuple[UUID, ...] = ()
    https: tuple[UUID, ...] = ()
    rights: tuple[Right, ...] = ()
    identities: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    policies: tuple[UUID, ...] = ()
    mfa: bool = False
    fresh: bool = False
    beyond: bool = False
    message: str = ""
    about: UUID | None = None

    @property
    def kind(self) -> Kind:
        if self.beyond:
            return Kind.BEYOND
        for value, kind in (
            (self.identities, Kind.IDENTITY),
            (self.domains, Kind.DOMAIN),
            (self.mfa, Kind.MFA),
            (self.policies, Kind.POLICY),
            (self.wants_consent, Kind.CONSENT),
            (self.fresh, Kind.FRESH),
        ):
            if value:
                return kind
        return Kind.SIGN_IN

    @property
    def wants_consent(self) -> bool:
        return bool(self.collections or self.https or self.rights)

    @property
    def sign_in_scopes(self) -> list[str]:
        """What a sign-in that fulfils it asks for; the base set is always in it."""
        return sign_in_scopes(self.collections, self.https, self.rights)

    @property
    def consent_scopes(self) -> list[str]:
        """What must have been consented to beyond the base set."""
        nested = [with_data_access(self.collections)] if self.collections else []
        return nested + further_scopes(self.collections, self.https, self.rights)

    @property
    def wants_session(self) -> bool:
        """Whether how the person signed in matters, beside that they did."""
        return bool(
            self.identities or self.domains or self.policies or self.mfa or self.fresh
        )

    def authorize_parameters(self) -> dict[str, str]:
        """For the authorize URL (globus-services 2.2); scopes are asked beside it."""
        found = {
            "session_required_identities": ",".join(self.identities),
            "session_required_single_domain": ",".join(self.domains),
            "session_required_policies": ",".join(map(str, self.policies)),
            "session_required_mfa": "True" if self.mfa else "",
            "prompt": "login" if self.fresh else "",
        }
        return {name: value for name, value in found.items() if value}

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` reads; only what is set."""
        found: dict[str, Any] = {
            "collections": [str(each) for each in self.collections],
            "https": [str(each) for each in self.https],
            "rights": [str(each) for each in self.rights],
            "session_required_identities": list(self.identities),
            "session_required_single_domain": list(self.domains),
            "session_required_policies": [str(each) for each in self.policies],
            "session_required_mfa": self.mfa,
            "prompt": "login" if self.fresh else "",
            "beyond": self.beyond,
            "session_message": self.message,
            "about": str(self.about) if self.about else "",
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Requirement:
        """A stored one; read as carefully as one that just arrived."""
        found = read_parameters(data)
        return replace(
            found,
            collections=_unique(
                (*found.collections, *_uuids(data.get("collections"))), MOST_COLLECTIONS
            ),
            https=_unique((*found.https, *_uuids(data.get("https"))), MOST_COLLECTIONS),
            rights=_unique((*found.rights, *_rights(data.get("rights")))),
            beyond=found.beyond or data.get("beyond") is True,
            about=next(iter(_uuids(data.get("about"))), None),
        )


def read_parameters(data: Mapping[str, Any]) -> Requirement:
    """``authorization_parameters``, lists or comma strings; what is odd is left out."""
    scopes = _texts(data.get("required_scopes"), split=False)
    return replace(
        read_scopes(scopes),
        identities=_unique(_identities(data.get("session_required_identities"))),
        domains=_unique(_domains(data.get("session_required_single_domain"))),
        policies=_unique(_uuids(data.get("session_required_policies"))),
        mfa=_is_true(data.get("session_required_mfa")),
        fresh=data.get("prompt") == "login",
        message=tidy_message(data.get("session_message")),
    )


def read_scopes(scope_strings: Iterable[str]) -> Requirement:
    """What to consent to; ``beyond`` if that is nothing that this portal asks for.

    Whatever stands in the base set comes with every sign-in.
    """
    texts = list(scope_strings)
    roots = roots_in(texts)
    found = Requirement(
        collections=_unique(sorted(collections_in(texts)), MOST_COLLECTIONS),
        https=_unique(sorted(https_collections_in(texts)), MOST_COLLECTIONS),
        rights=_unique(sorted(rights_in(texts))),
    )
    known = bool(roots) and roots <= {*SIGN_IN_SCOPES, *RIGHT_OF_SCOPE}
    return replace(found, beyond=bool(texts) and not found.wants_consent and not known)


def tidy_message(value: object) -> str:
    """One line of a message, without what could disguise it."""
    if not isinstance(value, str):
        return ""
    words = " ".join(value[: LONGEST_MESSAGE * 4].split())
    shown = (char for char in words if unicodedata.category(char)[0] != "C")
    return "".join(shown)[:LONGEST_MESSAGE].strip()


def collection_of(resource: object) -> UUID | None:
    """The collection that an error's ``resource`` names, if it does."""
    match = _ENDPOINT.search(resource[:500]) if isinstance(resource, str) else None
    return UUID(match[1]) if match else None


def in_document(document: object) -> Requirement | None:
    """The requirement that an error document states in a shape of its own."""
    found = list(_stated(document, 0))
    return _joined(found) if found else None


def in_text(text: str) -> Requirement | None:
    """The requirement in the words of a collection's server, if there is one.

    GridFTP answers are lines that start with their code, and hold a JSON document; it
    may be cut off in the middle, and its line ends may be written out as ``\\r\\n``.
    """
    plain = _unfolded(text[:LONGEST_TEXT])
    found = [
        requirement
        for document in _documents(plain)
        if (requirement := in_document(document))
    ]
    if not found and "not_from_allowed_domain" in plain:
        found = [_cut_off(plain)]
    return _joined(found) if found else None


def _stated(value: object, depth: int) -> Iterator[Requirement]:
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for each in value[:MOST_VALUES]:
            yield from _stated(each, depth + 1)
    if not isinstance(value, dict):
        return
    parameters = value.get("authorization_parameters")
    if isinstance(parameters, dict):
        yield insistent(read_parameters(parameters))
    if str(value.get("DATA_TYPE", "")).startswith("not_from_allowed_domain"):
        domains = {"session_required_single_domain": value.get("allowed_domains")}
        yield insistent(read_parameters(domains))
    if value.get("code") == "ConsentRequired" and not isinstance(parameters, dict):
        scopes = [
            *_texts(value.get("required_scopes"), split=False),
            *_texts(value.get("required_scope"), split=False),
        ]
        if scopes:
            yield read_parameters({"required_scopes": scopes})
    for name in ("detail", "error", "errors"):
        yield from _stated(value.get(name), depth + 1)


def insistent(found: Requirement) -> Requirement:
    """The sign-ins that there are did not do, so only a new one can.

    A session that has become too old is reported in the same words as one of the wrong
    domain.
    """
    wants_only_consent = (
        found.wants_consent or found.beyond
    ) and not found.wants_session
    return found if wants_only_consent else replace(found, fresh=True)


def _joined(found: list[Requirement]) -> Requirement:
    return Requirement(
        collections=_unique(
            (c for each in found for c in each.collections), MOST_COLLECTIONS
        ),
        https=_unique((c for each in found for c in each.https), MOST_COLLECTIONS),
        rights=_unique(r for each in found for r in each.rights),
        identities=_unique(i for each in found for i in each.identities),
        domains=_unique(d for each in found for d in each.domains),
        policies=_unique(p for each in found for p in each.policies),
        mfa=any(each.mfa for each in found),
        fresh=any(each.fresh for each in found),
        beyond=any(each.beyond for each in found),
        message=next((each.message for each in found if each.message), ""),
    )


def _unfolded(text: str) -> str:
    """Without written-out line ends and the codes in front of continued lines."""
    lines = text.replace("\\r", "\r").replace("\\n", "\n").splitlines()
    return "\n".join(re.sub(r"^\d{3}-", "", line) for line in lines)


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(MOST_DOCUMENTS):
        if position < 0:
            return
        try:
            document, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield document
        position = text.find("{", end)


def _cut_off(text: str) -> Requirement:
    """The domains of a document that does not end."""
    match = re.search(r'"allowed_domains"\s*:\s*\[([^\]]*)\]?', text)
    quoted = re.findall(r'"([^"]*)"', match[1]) if match else []
    return Requirement(domains=_unique(_domains(quoted)), fresh=True)


def _texts(value: object, *, split: bool = True) -> list[str]:
    if isinstance(value, str):
        value = value.split(",") if split else [value]
    if not isinstance(value, list | tuple):
        return []
    return [each for each in value[: MOST_VALUES * 5] if isinstance(each, str)]


def _uuids(value: object) -> list[UUID]:
    tidy = (text.strip() for text in _texts(value))
    return [UUID(text) for text in tidy if _UUID.fullmatch(text)]


def _rights(value: object) -> list[Right]:
    known = set(Right)
    return [Right(text) for text in _texts(value) if text in known]


def _domains(value: object) -> list[str]:
    tidy = (text.strip().removeprefix("@").lower() for text in _texts(value))
    return [text for text in tidy if _DOMAIN.fullmatch(text)]


def _identities(value: object) -> list[str]:
    tidy = (text.strip() for text in _texts(value))
    return [text for text in tidy if _UUID.fullmatch(text) or _is_username(text)]


def _is_username(text: str) -> bool:
    name, _, domain = text.partition("@")
    return bool(_LOCAL_PART.fullmatch(name) and _DOMAIN.fullmatch(domain))


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _unique(values: Iterable[Value], most: int = MOST_VALUES) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))[:most]
