"""One file of a collection over its HTTPS server, for a person.

Brings together what ``portal.globus.https_door`` needs: the server that the Transfer
API named, the absolute path, and a token that the person consented to. None of these
comes from an address or a form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.core.cache import cache

from accounts import tokens
from accounts.clients import transfer_client
from accounts.models import User
from portal.globus import https_door
from portal.globus.errors import (
    Conflict,
    ConsentRequired,
    NotFound,
    PermissionDenied,
    PortalError,
    Refused,
    SignInRequired,
    UnexpectedAnswer,
)
from portal.globus.https_door import Answer, Source, TokenRefused
from portal.globus.scopes import https_scopes
from transfers import browsing, collections
from transfers.collections import Collection
from transfers.paths import HOME, BadPath, join, name_of, normalised, parent

Result = TypeVar("Result")

#: how long a collection's document is believed; a download in parts asks often
KEPT_SECONDS = 60


class NoServer(PortalError):
    """The collection is reached by transfers only."""

    title = "This collection has no HTTPS server"
    status = 409

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        super().__init__(why_not(collection))


def why_not(collection: Collection) -> str:
    """Why single files of the collection cannot be up- or downloaded."""
    if not collection.holds_files:
        return "This is an endpoint: it has collections, and no files of its own."
    if collection.entity_type.startswith("GCP"):
        return (
            "It is on somebody's own computer (Globus Connect Personal), and such "
            "collections can be reached by transfers only."
        )
    return (
        "Its administrator has not switched HTTPS on, so that it can be reached by "
        "transfers only."
    )


@dataclass(frozen=True)
class RemoteFile:
    """:ivar path: absolute, as the collection's server wants it"""

    user: User
    collection: Collection
    path: str

    @property
    def name(self) -> str:
        return name_of(self.path)

    @property
    def folder(self) -> str:
        return parent(self.path) or "/"

    @property
    def source(self) -> Source:
        return Source(self.collection.https_server, self.path)

    def look(self) -> Answer:
        return self._ask(lambda token: https_door.look(self.source, token))

    def fetch(self, *, wanted: str = "", unless: str = "") -> Answer:
        return self._ask(
            lambda token: https_door.fetch(
                self.source, token, wanted=wanted, unless=unless
            )
        )

    def exists(self) -> bool | None:
        """Whether something is there; None where the person may not know."""
        try:
            self.look().close()
        except NotFound:
            return False
        except PermissionDenied:
            return None
        return True

    def store(self, body: Iterator[bytes], length: int, *, replace: bool) -> None:
        """Sends the file; with a token that worked a moment ago, since a body that
        was sent cannot be sent again. So look first."""
        token = token_for(self.user, self.collection)
        try:
            https_door.store(
                self.source, token.secret.reveal(), body, length, replace=replace
            )
        except TokenRefused as err:
            raise consent_for(self.collection) from err

    def _ask(self, call: Callable[[str], Result]) -> Result:
        """Asks; a token that is refused is renewed once, then the person is needed."""
        token = token_for(self.user, self.collection)
        try:
            return call(token.secret.reveal())
        except TokenRefused as err:
            if err.lacks_scope:
                raise consent_for(self.collection) from err
        except PermissionDenied:
            self._look_for_more()
            raise
        token = token_for(self.user, self.collection, refused=token.generation)
        try:
            return call(token.secret.reveal())
        except TokenRefused as err:
            raise consent_for(self.collection) from err

    def _look_for_more(self) -> None:
        """A server says no by its status alone; Transfer says what sign-in is wanted.

        :raises SessionRequired: that is it
        """
        if self.collection.high_assurance:
            client = transfer_client(self.user)
            browsing.listing(client, self.collection.id, self.folder, limit=1)


def collection_of(user: User, collection_id: UUID) -> Collection:
    """As Transfer described it to this person within the last minute."""
    key = f"collection:{user.pk}:{collection_id}"
    found = cache.get(key)
    if not isinstance(found, Collection):
        found = collections.collection(transfer_client(user), collection_id)
        cache.set(key, found, KEPT_SECONDS)
    return found


def with_server(user: User, collection_id: UUID) -> Collection:
    """:raises NoServer: it has none"""
    found = collection_of(user, collection_id)
    if not found.https_server:
        raise NoServer(found)
    return found


def check_token(user: User, collection: Collection) -> None:
    """Lets the collection's server look at the token, before much is sent with it.

    What it says of its root, which is no file, does not matter.

    :raises ConsentRequired: the token is dead
    :raises CollectionUnavailable: the server does not answer
    """
    with suppress(NotFound, PermissionDenied, Refused, Conflict, UnexpectedAnswer):
        RemoteFile(user, collection, "/").look().close()


def file_at(user: User, collection_id: UUID, path: str) -> RemoteFile:
    """:raises BadPath: before anybody is asked
    :raises NoServer: there is no way to the file but a transfer
    """
    wanted = normalised(path)
    if wanted.endswith("/"):
        raise BadPath("This is the path of a folder; name a file.")
    found = with_server(user, collection_id)
    token_for(user, found)  # what is missing is asked for before anything else
    return RemoteFile(user, found, _absolute(user, found, wanted))


def file_in(user: User, collection_id: UUID, folder: str, name: str) -> RemoteFile:
    """A file that may not be there yet.

    :param name: as the person's computer has it; one name, not a path
    """
    return file_at(user, collection_id, join(normalised(folder, folder=True), name))


def _absolute(user: User, collection: Collection, path: str) -> str:
    """The server knows no home folder; Transfer says where it is."""
    if not path.startswith(HOME):
        return path
    key = f"home:{user.pk}:{collection.id}"
    home = cache.get(key)
    if not isinstance(home, str):
        client = transfer_client(user)
        found = browsing.listing(client, collection.id, HOME, limit=1)
        home = normalised(found.absolute_path or HOME, folder=True)
        cache.set(key, home, KEPT_SECONDS)
    return home + path.removeprefix(HOME)


def token_for(
    user: User, collection: Collection, *, refused: int | None = None
) -> tokens.FreshToken:
    """:raises ConsentRequired: with everything that the collection needs, at once"""
    server = str(collection.id)
    wanted = https_scopes(collection.id, is_mapped=collection.needs_data_access)
    try:
        found = [
            tokens.access_token(user, server, scope=each, refused=refused)
            for each in wanted
        ]
    except (ConsentRequired, SignInRequired) as err:
        raise consent_for(collection) from err
    return found[-1]


def consent_for(collection: Collection) -> ConsentRequired:
    wanted = https_scopes(collection.id, is_mapped=collection.needs_data_access)
    return ConsentRequired(required_scopes=tuple(wanted), about=collection.id)
