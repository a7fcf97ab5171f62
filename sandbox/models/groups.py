"""Groups and their members."""

from django.db import models

from sandbox.models.auth import Identity
from sandbox.models.base import id_field


class Group(models.Model):
    """A Globus group."""

    id = id_field(primary_key=True)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    #: "" is a group without a parent
    parent_id = id_field(blank=True)
    group_type = models.CharField(max_length=16, default="regular")
    terms_and_conditions = models.TextField(null=True)  # noqa: DJ001 - JSON null
    policies = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One identity in one group, also as someone invited or gone."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="memberships")
    identity = models.ForeignKey(Identity, models.CASCADE)
    role = models.CharField(max_length=16, default="member")
    status = models.CharField(max_length=16, default="active")
    fields = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "identity"], name="one_membership_per_identity"
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity_id} in {self.group_id}"
