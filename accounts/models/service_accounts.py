"""Service accounts, their secrets, and who may do what with them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts import vault
from accounts.models.people import User
from accounts.secret import Secret
from portal.globus import scopes

CLIENT_IDENTITY_DOMAIN = "clients.auth.globus.org"


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
