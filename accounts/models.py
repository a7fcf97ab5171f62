"""Who is asking, and what the portal keeps to act for them."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import (
    AbstractBaseUser,
    Group,
    PermissionsMixin,
    UserManager,
)
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import vault
from accounts.secret import Secret
from accounts.wishes import Wishes as Wishes
from portal.globus import scopes

CLIENT_IDENTITY_DOMAIN = "clients.auth.globus.org"


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


class Role(models.TextChoices):
    """What a person may do with one service account; each is given by itself."""

    USE = "use", "choose it in jobs and run them"
    VIEW = "view", "see it in the administration"
    MANAGE = "manage", "change, test, switch off and delete it"
    ROTATE = "rotate", "enter, test, promote and retire its secrets"


class ServiceAccountQuerySet(models.QuerySet["ServiceAccount"]):
    def open_to(self, user: User, *roles: Role) -> ServiceAccountQuerySet:
        """Those for which ``user`` holds one of the roles; administrators hold all.

        A named owner may see and use what they answer for.
        """
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        held = Q()
        for role in roles:
            held |= Q(**{f"can_{role}": True})
        holders = Q(user=user) | Q(group__in=user.groups.all())
        if user.is_staff:
            holders |= Q(all_staff=True)
        mine = ServiceAccountRole.objects.filter(held, holders)
        found = Q(pk__in=mine.values("service_account"))
        if {Role.USE, Role.VIEW} & set(roles):
            found |= Q(owner=user)
        return self.filter(found)


def only_transfer() -> list[str]:
    return [scopes.TRANSFER]


class ServiceAccount(models.Model):
    """A client identity that acts by itself, by the client credentials grant.

    Access at Globus is given to ``identity_username``; what the portal lets it do is
    written in the job rows that name it.
    https://docs.globus.org/guides/recipes/automate-with-service-account/
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    client_id = models.UUIDField("client ID", unique=True)
    purpose = models.TextField(blank=True)
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="owned_service_accounts"
    )
    #: what the portal may ask of Auth in its name: resource servers, by their names
    allowed_servers = models.JSONField("may act at", default=only_transfer)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=500, blank=True)
    #: since when people know that its credential does not work
    broken_told_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ServiceAccountQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.enabled and not self.disabled_reason.strip():
            raise ValidationError(
                {"disabled_reason": "Say why, so that others know what to wait for."}
            )

    @property
    def owner_key(self) -> str:
        return f"service-account:{self.pk}"

    @property
    def identity_username(self) -> str:
        """The name to copy into a collection's permissions."""
        return f"{self.client_id}@{CLIENT_IDENTITY_DOMAIN}"


#: Whoever a token is held for. Nothing in ``transfers`` knows which of the two it has.
Principal = User | ServiceAccount


class ServiceAccountRole(models.Model):
    """What a person, a group or everybody on the staff may do with a service account.

    Staff are those whom a Globus group or an administrator made so.
    """

    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.CASCADE, related_name="roles"
    )
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    group = models.ForeignKey(
        Group, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    all_staff = models.BooleanField("all staff", default=False)
    can_use = models.BooleanField("use", default=False)
    can_view = models.BooleanField("view", default=False)
    can_manage = models.BooleanField("manage", default=False)
    can_rotate = models.BooleanField("rotate", default=False)

    class Meta:
        verbose_name = "role"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True, all_staff=False)
                | Q(user__isnull=True, group__isnull=False, all_staff=False)
                | Q(user__isnull=True, group__isnull=True, all_staff=True),
                name="role_has_one_holder",
                violation_error_message="Name a person, or a group, or all staff.",
            ),
            models.UniqueConstraint(
                fields=["service_account", "user"], name="one_role_row_per_person"
            ),
            models.UniqueConstraint(
                fields=["service_account", "group"], name="one_role_row_per_group"
            ),
            models.UniqueConstraint(
                fields=["service_account"],
                condition=Q(all_staff=True),
                name="one_role_row_for_all_staff",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder}: {', '.join(self.roles) or 'nothing'}"

    @property
    def holder(self) -> str:
        return (
            "all staff" if self.all_staff else str(self.user or f"group {self.group}")
        )

    @property
    def roles(self) -> list[str]:
        return [str(role) for role in Role if getattr(self, f"can_{role}")]


class ServiceAccountSecret(models.Model):
    """One of the client secrets of a service account; write-only for everyone.

    New -> Active -> Retired -> Active again, should the newer one not work. At most
    one is active and one is new: the second slot lets a new secret be entered and
    tested before the old one goes. Of the retired ones the latest is kept.
    """

    class State(models.TextChoices):
        NEW = "new"
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.CASCADE, related_name="secrets"
    )
    label = models.CharField(max_length=100)
    sealed_secret = models.BinaryField(editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    promoted_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    #: when a token was last asked for with it, to the hour
    used_at = models.DateTimeField(null=True)
    last_tested_at = models.DateTimeField(null=True)
    #: what that test found; see ``accounts.credential_check``
    last_test_result = models.CharField(max_length=30, blank=True)
    #: when people were told that nobody uses it, and that it is old
    unused_reminder_at = models.DateTimeField(null=True)
    age_reminder_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["service_account"],
                condition=Q(state="active"),
                name="one_active_secret",
            ),
            models.UniqueConstraint(
                fields=["service_account"],
                condition=Q(state="new"),
                name="one_new_secret",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.get_state_display()})"

    def seal(self, secret: str) -> None:
        self.sealed_secret = vault.seal(secret, self.binding_of("sealed_secret"))

    def open(self) -> Secret:
        return vault.open_sealed(self.sealed_secret, self.binding_of("sealed_secret"))

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="service_account_secret",
            column=column,
            row=str(self.pk),
            owner=f"service-account:{self.service_account_id}",
        )


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


class AuditEvent(models.Model):
    """Something that was done with a credential, a right or a sign-in. Never changed.

    Names and ids are copied, not referenced: an entry outlives whoever it is about.
    ``kind`` reads ``subject:object:verb`` (``person:session:sign-in``).
    """

    class Outcome(models.TextChoices):
        OK = "ok", "OK"
        REFUSED = "refused"
        FAILED = "failed"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    kind = models.CharField(max_length=100, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OK)
    #: who did it: the id of a user; empty for the portal itself and for strangers
    actor_id = models.UUIDField(null=True, db_index=True)
    actor_name = models.CharField(max_length=255, blank=True)
    #: whom or what it concerns: ``user:<id>`` or ``service-account:<id>``
    owner_key = models.CharField(max_length=60, blank=True, db_index=True)
    owner_name = models.CharField(max_length=255, blank=True)
    #: the row of the token or secret that was used or changed
    credential_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=32, blank=True)
    #: small facts for people, never a secret and never text from outside unchecked
    detail = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["kind", "at"], name="audit_kind_at"),
            models.Index(fields=["request_id"], name="audit_request"),
            models.Index(fields=["credential_id"], name="audit_credential"),
            models.Index(fields=["address"], name="audit_address"),
            models.Index(
                fields=["-id"], condition=~Q(outcome="ok"), name="audit_not_ok"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.kind} {self.outcome}"


class PendingAction(models.Model):
    """What a person was doing when Globus asked them for something first.

    Kept -> Left (for Globus) -> Returned -> Fulfilled (what was asked is done, and was
    checked) -> Used, once. Nothing goes on after ``expires_at``; the row stays a while
    longer, so that a form can be opened again with all that was in it.

    The body of a POST is sealed: it holds no credential, but paths and labels say what
    somebody works on, and it outlives the request by hours.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="pending_actions"
    )
    #: of ``portal.globus.requirements.Requirement.as_json``
    requirement = models.JSONField(default=dict)
    #: two actions with the same one want the same of the same person
    fingerprint = models.CharField(max_length=64)
    method = models.CharField(max_length=4, default="GET")
    #: with its query
    path = models.TextField()
    #: the page that the form was on
    came_from = models.TextField(blank=True)
    sealed_body = models.BinaryField(null=True, editable=False)
    #: what of the request could not be kept, in a sentence
    left_out = models.CharField(max_length=200, blank=True)
    #: kept when nobody was signed in any more; the next sign-in is what it waits for
    was_signed_out = models.BooleanField(default=False)
    #: Globus asked for this again just after it was done
    asked_again = models.BooleanField(default=False)
    #: what the last sign-in did not show, in a sentence
    lacking = models.CharField(max_length=300, blank=True)
    rounds = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    left_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    fulfilled_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["user", "fingerprint"], name="pending_of_person")
        ]

    def __str__(self) -> str:
        return f"pending action {self.pk}"

    def seal_body(self, body: str) -> None:
        self.sealed_body = vault.seal(body, self.binding_of("sealed_body"))

    def body(self) -> Secret | None:
        if self.sealed_body is None:
            return None
        return vault.open_sealed(self.sealed_body, self.binding_of("sealed_body"))

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="pending_action",
            column=column,
            row=str(self.pk),
            owner=f"user:{self.user_id}",
        )


class RequirementNotice(models.Model):
    """Something that work in the background needs of a person, told once.

    Open -> Settled (the person signed in since). There is one open notice for one
    requirement, however many transfers wait for it and whoever notices.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    fingerprint = models.CharField(max_length=64)
    #: what Globus wants, for the mail
    says = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "fingerprint"],
                condition=Q(settled_at__isnull=True),
                name="one_open_notice",
            )
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}"


class Webhook(models.Model):
    """An address that somebody wants to be told at; what is sent is signed.

    The key is shown once, when it is made, and sealed from then on. An address that
    takes nothing any more is switched off (``off_at``) until somebody looks at it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.CharField("address", max_length=1000)
    sealed_key = models.BinaryField(editable=False)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    #: messages in a row that were given up
    failures = models.PositiveSmallIntegerField(default=0)
    off_at = models.DateTimeField(null=True)
    off_because = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"webhook {self.pk}"

    def seal_key(self, key: str) -> None:
        self.sealed_key = vault.seal(key, self.binding_of("sealed_key"))

    def key(self) -> Secret:
        return vault.open_sealed(self.sealed_key, self.binding_of("sealed_key"))

    def binding_of(self, column: str) -> vault.Binding:
        return vault.Binding(
            table="webhook", column=column, row=str(self.pk), owner=f"webhook:{self.pk}"
        )


class OutboxMessage(models.Model):
    """Something to be told once, to a person by mail or to a webhook.

    Waiting -> Sent or Given up. Held -> In a digest, which is a message of its own.
    Quiet: nobody wants it by mail, or it was mended before it left. Put in with
    whatever it is about, in one transaction; ``key`` says what that is, so that it is
    told once however often it is noticed. Pages that are open show those of a person
    as well (``shown_at``).
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        HELD = "held", "Waits for the digest"
        QUIET = "quiet", "Not mailed"
        SENT = "sent"
        IN_DIGEST = "in_digest", "Sent in a digest"
        GIVEN_UP = "given_up", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: what happened to what, and whom it is told: ``run:<id>:failed:user:<id>``
    key = models.CharField(max_length=250, unique=True)
    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="outbox_messages"
    )
    webhook = models.ForeignKey(
        Webhook, null=True, on_delete=models.CASCADE, related_name="outbox_messages"
    )
    subject = models.CharField(max_length=200)
    #: the text of the mail
    body = models.TextField(blank=True)
    #: the document for a webhook
    payload = models.JSONField(default=dict, blank=True)
    #: a page of ours, for whoever is told in the browser
    path = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    #: when it is tried (again); while a worker has it, when it is taken for dead
    next_try_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    #: when a browser of the person has shown it, or there is nothing to show
    shown_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(webhook__isnull=True),
                name="message_has_one_recipient",
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["user", "created_at"],
                condition=Q(user__isnull=False, shown_at__isnull=True),
                name="outbox_unshown",
            ),
            models.Index(
                fields=["user"], condition=Q(state="held"), name="outbox_held"
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(state="waiting"),
                name="outbox_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class AuditUnsealed(models.Model):
    """An entry that waits for its seal. A trigger adds it with the entry."""

    event_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"entry {self.event_id}"


class AuditSeal(models.Model):
    """A link of the chain over the audit. Never changed.

    ``digest`` covers one entry and the digest before it, so that an entry or a link
    that was changed or taken out shows (``manage.py verify_audit``). Links are made
    one after the other by a worker function, so that nobody who writes an entry waits.
    """

    number = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    #: SHA-256, in hexadecimal digits
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["number"]

    def __str__(self) -> str:
        return f"seal {self.number} of entry {self.event_id}"
