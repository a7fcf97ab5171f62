"""What people have going on, as the app that does it tells us.

``accounts`` knows nothing of transfers; ``settings.WORK_OF_PEOPLE`` names who does.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Any, Protocol, cast
from uuid import UUID

from django.conf import settings

from accounts.models import User


class WorkOfPeople(Protocol):
    def consequences(self, user: User) -> list[str]:
        """What becomes of their work when the portal may not act for them any more."""

    def obstacles(self, user: User) -> list[str]:
        """What they must hand over before their account can be deleted."""

    def known_about(self, user: User) -> dict[str, Any]:
        """Their work in plain values."""

    def collection_names(self, user: User, ids: Collection[UUID]) -> dict[UUID, str]:
        """What Globus called them last, for those that their work was about."""

    def forget(self, user: User) -> None:
        """Takes out the rows of their own work."""


def of_people() -> WorkOfPeople:
    return cast(WorkOfPeople, import_module(settings.WORK_OF_PEOPLE))
