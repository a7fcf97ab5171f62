"""People, their sessions, and how often somebody may try."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin, UserManager
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import (
    AbstractBaseSession,
    BaseSessionManager,
)
from django.db import models
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models.tokens import Token


class PortalUserManager(UserManager["User"]):
    """Makes local accounts for ``createsuperuser``; people come through sign-in."""

    def get_by_natural_key(self, username: str | None) -> User:
        # Only local accounts have a password; a Globus identity has no name here.
        return self.get(username=username, identity_id=None)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by the ``sub`` that Globus Auth gives for one identity.

    Never looked up by name or e-mail, which change hands (security.md L21). The few
    local accounts, made on the command line, have no identity.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    identity_id = models.UUIDField(
        "identity", null=True, unique=True, editable=False, default=None
    )
    #: the identity id for people of Globus, a chosen name for local accounts
    username = models.CharField(max_length=150, unique=True)
    preferred_username = models.CharField(
        "username at Globus", max_length=255, blank=True
    )
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField("e-mail", max_length=255, blank=True)
    organization = models.CharField(max_length=255, blank=True)
    identity_provider_name = models.CharField(
        "identity provider", max_length=255, blank=True
    )
    #: of ``{"sub", "username", "name", "organization"}``; the own one included
    linked_identities = models.JSONField(default=list, blank=True)
    is_active = models.BooleanField("may sign in", default=True)
    is_staff = models.BooleanField("staff", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    #: a row that was read together with this one, for whoever looks for it first
    #: (``accounts.tokens``); the look after that finds what has changed since
    token_read_along: Token | None = None

    objects: ClassVar[PortalUserManager] = PortalUserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering: ClassVar = ["name", "preferred_username"]
        indexes: ClassVar = [
            models.Index(
                fields=["id"], condition=Q(is_active=False), name="user_switched_off"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.preferred_username or self.username

    def get_short_name(self) -> str:
        return str(self)

    @property
    def owner_key(self) -> str:
        return f"user:{self.pk}"

    @property
    def identity_username(self) -> str:
        return self.preferred_username or self.username


class SessionManager(BaseSessionManager["Session"]):
    """Reads a session together with its user, whom nearly every request needs next."""

    def get_queryset(self) -> models.QuerySet[Session]:
        return super().get_queryset().select_related("user")


class Session(AbstractBaseSession):
    """A browser's session, tied to whoever signed in in it, so that it can be ended.

    Made by signing in or by beginning to; deleted by signing out, by "sign out
    everywhere", and by the daily clean-up. The columns beside Django's are copied from
    the data of the session whenever that is saved (``portal.sessions``).
    """

    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="sessions"
    )
    #: such as “Firefox on Linux”; a hint and nothing more
    device = models.CharField(max_length=60, blank=True)
    address = models.GenericIPAddressField(null=True)
    signed_in_at = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)

    objects: ClassVar[SessionManager] = SessionManager()

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"session of {self.user or 'nobody yet'}"  # never its key

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        # Not earlier: the engine needs this model.
        from portal.sessions import SessionStore

        return SessionStore


class Allowance(models.Model):
    """When somebody did what may not be done too often (``portal.limits``)."""

    #: what is counted and for whom: ``begin:address:192.0.2.7``
    key = models.CharField(primary_key=True, max_length=120)
    #: seconds since 1970, oldest first
    taken = models.JSONField(default=list)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.key
