"""Tokens of people and service accounts, and those that are to be revoked."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import vault
from accounts.models.people import User
from accounts.models.service_accounts import Principal, ServiceAccount
from accounts.secret import Secret

#: A renewal is due somewhere in this span before the token expires; at random, so that
#: the tokens of one sign-in are not all renewed in the same second.
RENEW_EARLIEST = timedelta(minutes=10)
RENEW_LATEST = timedelta(minutes=5)


class StaleToken(Exception):
    """The row was changed since it was read; what was about to be saved is old."""


def only_after_revocation(
    collector: Any, field: Any, sub_objs: models.QuerySet[Any, Any], using: str
) -> None:
    """Whoever is deleted takes no token along that Globus still honours (L27).

    :raises ProtectedError: ``accounts.revocation.revoke_all`` has to come first
    """
    held = [token for token in sub_objs if token.state != Token.State.REVOKED]
    if held:
        raise models.ProtectedError("Their tokens have to be revoked first.", {*held})
    models.CASCADE(collector, field, sub_objs, using)


class TokenQuerySet(models.QuerySet["Token"]):
    def held_for(self, principal: Principal) -> TokenQuerySet:
        return self.filter(**owner_fields(principal))

    def alive(self) -> TokenQuerySet:
        """What the portal can renew by itself."""
        return self.filter(state__in=Token.ALIVE)


def owner_fields(principal: Principal) -> dict[str, Any]:
    """The look-up that finds what belongs to a principal, and to nobody else."""
    if isinstance(principal, User):
        return {"user": principal}
    return {"service_account": principal}


class Token(models.Model):
    """What the portal may do at one resource server for one principal.

    Ok -> Backing off (Auth is out of reach; tried again at ``next_try_at``) -> Ok.
    Ok -> Needs sign-in (the refresh token is dead; only a person can mend it) -> Ok.
    Any -> Revoked (nobody can use it; its tokens went to ``Revocation``) -> Ok, when
    the person signs in again.

    ``generation`` counts what was stored. Every write names the one that it read, so
    that an object kept too long cannot bring back a spent token (T09).
    """

    class State(models.TextChoices):
        OK = "ok", "OK"
        BACKING_OFF = "backing_off", "waiting for Globus Auth"
        NEEDS_SIGN_IN = "needs_sign_in", "needs a new sign-in"
        REVOKED = "revoked"

    ALIVE = (State.OK, State.BACKING_OFF)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, null=True, on_delete=only_after_revocation, related_name="tokens"
    )
    service_account = models.ForeignKey(
        ServiceAccount,
        null=True,
        on_delete=only_after_revocation,
        related_name="tokens",
    )
    resource_server = models.CharField(max_length=255)
    scope = models.TextField(blank=True)
    sealed_access_token = models.BinaryField(null=True, editable=False)
    sealed_refresh_token = models.BinaryField(null=True, editable=False)
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=20, choices=State, default=State.OK)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    #: when somebody last acted with it, to the hour
    used_at = models.DateTimeField(null=True)
    #: when ``accounts.upkeep`` looks at it next; nothing: only when it is used
    renew_at = models.DateTimeField(null=True, default=timezone.now)

    objects = TokenQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["renew_at"],
                condition=Q(state__in=["ok", "backing_off"]),
                name="token_upkeep",
            )
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(service_account__isnull=True),
                name="token_has_one_owner",
            ),
            models.UniqueConstraint(
                fields=["user", "resource_server"], name="one_token_per_user_and_server"
            ),
            models.UniqueConstraint(
                fields=["service_account", "resource_server"],
                name="one_token_per_account_and_server",
            ),
        ]

    def __str__(self) -> str:
        return f"token {self.pk} for {self.resource_server}"

    @property
    def principal(self) -> Principal:
        who = self.user or self.service_account
        assert who is not None
        return who

    @property
    def owner_key(self) -> str:
        if self.user_id:
            return f"user:{self.user_id}"
        return f"service-account:{self.service_account_id}"

    def put(
        self,
        *,
        access_token: str,
        refresh_token: str | None,
        scope: str,
        expires_in: timedelta,
    ) -> None:
        """Takes in what Auth answered; without a refresh token the old one stays."""
        now = timezone.now()
        self.sealed_access_token = vault.seal(
            access_token, self.binding_of("sealed_access_token")
        )
        if refresh_token:
            self.sealed_refresh_token = vault.seal(
                refresh_token, self.binding_of("sealed_refresh_token")
            )
        self.scope = scope
        self.issued_at = now
        self.expires_at = now + expires_in
        self.renew_at = self.expires_at - random.uniform(1, 2) * RENEW_LATEST  # noqa: S311 - only spreads load
        self.state = self.State.OK
        self.next_try_at = None
        self.last_error = ""
        self.failures = 0
        self.generation += 1

    #: the columns that ``put`` changes
    PUT_FIELDS = (
        "sealed_access_token",
        "sealed_refresh_token",
        "scope",
        "issued_at",
        "expires_at",
        "renew_at",
        "state",
        "next_try_at",
        "last_error",
        "failures",
        "generation",
    )

    def store(self) -> None:
        """Saves what ``put`` took in.

        :raises StaleToken: something else was stored since this object was read
        """
        read = Token.objects.filter(pk=self.pk, generation=self.generation - 1)
        if not read.update(**{name: getattr(self, name) for name in self.PUT_FIELDS}):
            raise StaleToken

    def access_token(self) -> Secret:
        assert self.sealed_access_token is not None
        return vault.open_sealed(
            self.sealed_access_token, self.binding_of("sealed_access_token")
        )

    def refresh_token(self) -> Secret | None:
        if self.sealed_refresh_token is None:
            return None
        return vault.open_sealed(
            self.sealed_refresh_token, self.binding_of("sealed_refresh_token")
        )

    def lasts_until(self, moment: datetime) -> bool:
        return (
            self.sealed_access_token is not None
            and self.expires_at is not None
            and self.expires_at > moment
        )

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="token",
            column=column.removeprefix("sealed_").removesuffix("_token"),
            row=str(self.pk),
            owner=self.owner_key,
            purpose=self.resource_server,
        )


class Revocation(models.Model):
    """A token that Globus still has to be told about; gone once it was (RFC 7009).

    It names nobody by reference and holds what the request needs, so that it outlives
    the person or service account, and a new sign-in meanwhile does not touch it.
    """

    class Kind(models.TextChoices):
        REFRESH = "refresh_token", "refresh token"
        ACCESS = "access_token", "access token"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner_key = models.CharField(max_length=60, db_index=True)
    owner_name = models.CharField(max_length=255, blank=True)
    resource_server = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=Kind)
    sealed_token = models.BinaryField(editable=False)
    #: the service account that the token was issued to; nothing: the portal itself
    client_id = models.UUIDField("client ID", null=True)
    sealed_client_secret = models.BinaryField(null=True, editable=False)
    #: when the token is dead anyway
    lapses_at = models.DateTimeField()
    #: nothing when a person has to look
    next_try_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return f"revocation {self.pk} at {self.resource_server}"

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="revocation",
            column=column,
            row=str(self.pk),
            owner=self.owner_key,
            purpose=self.resource_server,
        )
