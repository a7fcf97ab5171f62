"""Who a command acts as, and the exit statuses that scripts can rely on.

Whoever has a shell is an operator and may do everything. With ``--as`` a command acts
as a person and keeps to what they may do on the pages.
"""

from __future__ import annotations

from argparse import ArgumentParser
from uuid import UUID

from django.core.management.base import CommandError

from accounts.models import User
from transfers.jobs import permissions
from transfers.jobs.models import Job
from transfers.jobs.permissions import Action
from transfers.storable import storable_text

FAILED, NOT_FOUND, NOT_ALLOWED, WRONG_INPUT, TIMED_OUT = 1, 2, 3, 4, 5
EXIT_CODES = (
    "Exit status: 0 done, 1 it failed, 2 there is no such job or it is switched off, "
    "3 the person may not do this, 4 the input is wrong, 5 it did not end in time."
)


def shown(text: str) -> str:
    """For a terminal: what is not printable becomes visible."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def add_person(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="as_person",
        metavar="USERNAME",
        help="act as this person, by identity username or id, with their rights",
    )


def acting_person(name: str | None) -> User | None:
    """:raises CommandError: there is no such person, or more than one"""
    if not name:
        return None
    name = storable_text(name)
    found = list(User.objects.filter(preferred_username=name)[:2])
    if not found:
        found = list(User.objects.filter(username=name)[:2])
    if not found:
        found = (
            list(User.objects.filter(identity_id=_id(name))[:2]) if _id(name) else []
        )
    if len(found) != 1:
        many = "more than one person" if found else "nobody"
        raise CommandError(
            f"There is {many} with the username “{shown(name)}” here. An identity id "
            "is always one person.",
            returncode=NOT_FOUND,
        )
    return found[0]


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def named_job(name: str, person: User | None, action: Action) -> Job:
    """:raises CommandError: there is none, for this person, or they may not do this"""
    rows = Job.objects.all()
    if person is not None:
        if not permissions.is_staff(person):
            raise CommandError(
                f"{person} is not staff, so jobs are not for them.",
                returncode=NOT_ALLOWED,
            )
        rows = permissions.jobs_open_to(person)
    rows = rows.select_related("service_account", "owner")
    job = rows.filter(name=storable_text(name)).first()
    if job is None:
        raise CommandError(f"There is no job “{shown(name)}”.", returncode=NOT_FOUND)
    if person is not None and not permissions.may(person, action, job):
        raise CommandError(
            permissions.MayNot(action, job).advice, returncode=NOT_ALLOWED
        )
    return job
