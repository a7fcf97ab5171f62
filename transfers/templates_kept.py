"""Templates: options of a transfer, and maybe its places, that a person uses again."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import QueryDict

from accounts.models import User
from portal.globus.errors import PortalError
from transfers import filters
from transfers.models import TransferTemplate
from transfers.send_options import BOXES, TEXTS
from transfers.storable import storable_text

MOST_TEMPLATES = 100
#: what a template holds; a deadline is a moment, and deleting is confirmed each time
OPTION_FIELDS = (
    "label",
    "sync_level",
    "recursive_symlinks",
    "globus_mail",
    filters.WHAT,
    filters.NAME,
    *TEXTS,
    *BOXES,
)
PLACE_FIELDS = ("origin_id", "origin_path", "destination_id", "destination_path")


class NameTaken(PortalError):
    title = "You have a template of this name"
    advice = "Choose another name, or tick “Replace it”."
    status = 409


class TooMany(PortalError):
    title = "No more templates"
    advice = f"You have {MOST_TEMPLATES} templates. Delete one that you do not need."
    status = 409


def mine(user: User) -> list[TransferTemplate]:
    return [*TransferTemplate.objects.filter(user=user)]


def save(
    user: User, name: str, data: QueryDict, *, with_places: bool, replace: bool
) -> TransferTemplate:
    """
    :param data: of the form of a transfer
    :raises NameTaken: there is one of this name, and it is not to be replaced
    :raises TooMany: there is no room for another
    """
    wanted = (*OPTION_FIELDS, *(PLACE_FIELDS if with_places else ()))
    kept = {each: _storable(data, each) for each in wanted if data.getlist(each)}
    found = TransferTemplate.objects.filter(user=user)
    with transaction.atomic():
        # One at a time, so that two tabs do not pass the limit or meet at a name.
        User.objects.select_for_update().get(pk=user.pk)
        earlier = found.filter(name=name).first()
        if earlier is not None and not replace:
            raise NameTaken
        if earlier is None and found.count() >= MOST_TEMPLATES:
            raise TooMany
        template = earlier or TransferTemplate(user=user, name=name)
        template.fields, template.has_places = kept, with_places
        template.save()
    return template


def _storable(data: QueryDict, name: str) -> list[str]:
    return [storable_text(str(each)) for each in data.getlist(name)]


def rename(template: TransferTemplate, name: str) -> None:
    """:raises NameTaken: another of this person has the name"""
    template.name = name
    try:
        with transaction.atomic():
            template.save(update_fields=["name", "changed_at"])
    except IntegrityError as err:
        raise NameTaken("Choose another name.") from err


def of(user: User, text: str) -> TransferTemplate | None:
    """The person's own of this id, if there is one."""
    try:
        pk = UUID(text)
    except ValueError:
        return None
    return TransferTemplate.objects.filter(user=user, pk=pk).first()


def put(data: QueryDict, template: TransferTemplate) -> None:
    """Fills a form: its options are the template's, its places only if they are empty.

    What was picked stays, so a template with places goes with an empty form only.
    """
    for name in OPTION_FIELDS:
        _fill(data, name, template)
    data["form"] = "transfer"
    if template.has_places and not (data.get("origin_id") or data.get("item")):
        for name in PLACE_FIELDS:
            _fill(data, name, template)


def _fill(data: QueryDict, name: str, template: TransferTemplate) -> None:
    values = template.fields.get(name)
    data.pop(name, None)  # a box that is there, with whatever value, is ticked
    if values:
        data.setlist(name, [str(each) for each in values])
