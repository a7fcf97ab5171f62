"""What pages read from an address or a form."""

from uuid import UUID

from django.http import HttpRequest

from portal.globus.errors import PortalError


class NoSuchCollection(PortalError):
    title = "This is not a collection’s ID"
    advice = "A collection’s ID looks like 6c54cade-bde5-45c1-bdea-f4bd71dba2cc."
    status = 404


def whole(request: HttpRequest, name: str) -> int:
    """A number of the address that is not negative; 0 for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0


def collection_id_of(text: str) -> UUID:
    """:raises NoSuchCollection: the text is no id"""
    try:
        return UUID(text.strip())
    except ValueError as err:
        raise NoSuchCollection from err
