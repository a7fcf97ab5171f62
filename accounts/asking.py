"""What Globus wants, and why, in the words of our pages and mails."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import User
from portal.globus.errors import GlobusFailure
from portal.globus.requirements import Kind, Requirement
from portal.globus.scopes import Right

#: more than this are counted
MOST_NAMES = 3

TITLES = {
    Kind.CONSENT: "Globus asks for your consent",
    Kind.IDENTITY: "Globus asks for another identity of yours",
    Kind.DOMAIN: "Globus asks for an identity of a certain organisation",
    Kind.MFA: "Globus asks for a second factor",
    Kind.POLICY: "Globus asks you to sign in by a policy",
    Kind.FRESH: "Globus asks you to sign in again",
    Kind.SIGN_IN: "Please sign in again",
    Kind.BEYOND: "Globus asks for a right that this portal does not use",
}


def sentence(requirement: Requirement, user: User) -> str:
    """What is wanted of ``user``, by whom, and why."""
    first = _REASONS[requirement.kind](requirement, user)
    if requirement.collections and requirement.kind != Kind.CONSENT:
        where = names(requirement.collections, user)
        first += f" You will be asked to allow access to {where} as well."
    return first


def _consent(requirement: Requirement, user: User) -> str:
    reasons = [_RIGHTS[right] for right in requirement.rights]
    plain = [each for each in requirement.https if each not in requirement.collections]
    if requirement.collections:
        where = names(requirement.collections, user)
        reasons.append(f"On {where} your files are reached with an account of yours.")
    if plain:
        reasons.append(f"You are about to use the web server of {names(plain, user)}.")
    return (
        f"{' '.join(reasons)} The portal may do that for you once you have given your "
        "consent at Globus."
    )


_RIGHTS = {
    Right.GROUPS: "You are about to change what groups you are in.",
    Right.TIMERS: "You are about to let Globus repeat a transfer in your name.",
}


def _identity(requirement: Requirement, user: User) -> str:
    known = {row["sub"]: row["username"] for row in user.linked_identities}
    wanted = " and as ".join(known.get(each) or each for each in requirement.identities)
    return f"{_who(requirement, user)} wants you to sign in as {wanted}, now."


def _domain(requirement: Requirement, user: User) -> str:
    domains = " or ".join(requirement.domains)
    return (
        f"{_who(requirement, user)} wants a recent sign-in with an identity of "
        f"{domains}. Choose it on the page of Globus."
    )


def _mfa(requirement: Requirement, user: User) -> str:
    return (
        f"{_who(requirement, user)} wants you to sign in with a second factor, such as "
        "a code or a security key."
    )


def _policy(requirement: Requirement, user: User) -> str:
    return (
        f"{_who(requirement, user)} lets people in by an authentication policy. Globus "
        "knows what it asks for and leads you through it."
    )


def _fresh(requirement: Requirement, user: User) -> str:
    return (
        f"{_who(requirement, user)} wants a recent sign-in, and yours was too long ago."
    )


def _sign_in(requirement: Requirement, user: User) -> str:
    return (
        "Your earlier sign-in with Globus has ended. Sign in again, so that the portal "
        "can work for you."
    )


def _beyond(requirement: Requirement, user: User) -> str:
    return (
        f"{_who(requirement, user)} asks for a right that this portal never asks "
        "people for, so a sign-in here cannot help. Try it in the Globus web app, or "
        "ask the portal’s administrator."
    )


_REASONS = {
    Kind.CONSENT: _consent,
    Kind.IDENTITY: _identity,
    Kind.DOMAIN: _domain,
    Kind.MFA: _mfa,
    Kind.POLICY: _policy,
    Kind.FRESH: _fresh,
    Kind.SIGN_IN: _sign_in,
    Kind.BEYOND: _beyond,
}

LOOP_WORDS = {
    Kind.CONSENT: (
        "You have just allowed this, and Globus asks for it again. It can take a "
        "minute until a consent works everywhere: try again then. If it stays so, ask "
        "the owner of the collection."
    ),
    Kind.SIGN_IN: (
        "You have just signed in, and Globus does not accept that sign-in. Try again "
        "in a minute; if it stays so, ask the portal’s administrator."
    ),
}
LOOP_WORDS_ELSE = (
    "You have just signed in as Globus wanted it, and it asks for the same again, so "
    "one more sign-in would not help. The collection may take none of your "
    "identities: ask its owner who may come in, and how."
)


def names(collections: Iterable[UUID], user: User) -> str:
    """What collections are called; the id where Globus does not say."""
    found = list(collections)
    shown = [f"“{_name(user, each)}”" for each in found[:MOST_NAMES]]
    if len(found) > MOST_NAMES:
        shown.append(f"{len(found) - MOST_NAMES} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _who(requirement: Requirement, user: User) -> str:
    if requirement.about is None:
        return "The collection"
    return f"The collection {names([requirement.about], user)}"


def _name(user: User, collection_id: UUID) -> str:
    name_of = import_string(settings.COLLECTION_NAMES)
    try:
        return str(name_of(user, collection_id))
    except GlobusFailure:
        return str(collection_id)
