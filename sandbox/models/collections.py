"""Collections, and who may do what there."""

from django.db import models

from sandbox.models.auth import Identity
from sandbox.models.base import id_field


class Collection(models.Model):
    """A directory that clients may browse.

    ``root`` is a directory name below the data directory's ``collections``; a guest
    collection shares the root of its ``host`` and starts at ``host_path``. With
    ``homes``, the directories below ``/home`` belong to the one they are named
    after, and ``/~/`` is the caller's own.
    """

    id = id_field(primary_key=True)
    display_name = models.CharField(max_length=255)
    entity_type = models.CharField(max_length=32)
    owner = models.ForeignKey(Identity, models.CASCADE)
    endpoint_id = id_field(null=True)
    host = models.ForeignKey("self", models.CASCADE, null=True, related_name="guests")
    host_path = models.CharField(max_length=1024, blank=True)
    root = models.CharField(max_length=64)
    organization = models.CharField(max_length=255, blank=True)
    department = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    keywords = models.TextField(blank=True)
    contact_email = models.CharField(max_length=255, blank=True)
    info_link = models.CharField(max_length=255, blank=True)
    user_message = models.TextField(blank=True)
    public = models.BooleanField(default=True)
    homes = models.BooleanField(default=False)
    default_directory = models.CharField(max_length=1024, default="/")
    high_assurance = models.BooleanField(default=False)
    session_domain = models.CharField(max_length=255, blank=True)
    authentication_timeout_mins = models.IntegerField(null=True)
    connected = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    denied_paths = models.JSONField(default=list)
    #: further keys of the endpoint document that an update has set
    details = models.JSONField(default=dict)
    last_accessed_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.display_name


class DeletedCollection(models.Model):
    """What was a collection: its id is answered with EndpointDeleted."""

    id = id_field(primary_key=True)

    def __str__(self) -> str:
        return self.id


class PauseRule(models.Model):
    """Something that a collection's managers do not let happen for a while.

    ``pauses`` holds the names of section 3.9 without ``pause_``: ls, mkdir, …
    """

    id = id_field(primary_key=True)
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="pauses")
    #: "" is everybody
    identity_id = id_field(blank=True)
    modified_by_id = id_field(blank=True)
    message = models.TextField(blank=True)
    started_at = models.FloatField()
    by_host_manager = models.BooleanField(default=False)
    pauses = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.message


class AccessRule(models.Model):
    """A permission below ``path`` of a collection. Rules only ever add."""

    id = id_field(primary_key=True)
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="rules")
    principal_type = models.CharField(max_length=32)
    principal = id_field(blank=True)
    path = models.CharField(max_length=1024, default="/")
    permissions = models.CharField(max_length=2, default="r")
    created_at = models.FloatField()
    expires_at = models.FloatField(null=True)
    notify_email = models.CharField(max_length=255, blank=True)
    notify_message = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.permissions} for {self.principal_type} at {self.path}"


class Role(models.Model):
    """Someone who helps to run a collection."""

    id = id_field(primary_key=True)
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="roles")
    principal_type = models.CharField(max_length=16, default="identity")
    principal = id_field()
    role = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"{self.role}: {self.principal}"


class Bookmark(models.Model):
    """A named place of one identity."""

    id = id_field(primary_key=True)
    owner = models.ForeignKey(Identity, models.CASCADE)
    name = models.CharField(max_length=255)
    collection_id = id_field()
    path = models.CharField(max_length=1024)
    pinned = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_bookmark_name")
        ]

    def __str__(self) -> str:
        return self.name


class CollectionUse(models.Model):
    """When somebody last listed a collection, for ``recently-used``."""

    identity = models.ForeignKey(Identity, models.CASCADE)
    collection = models.ForeignKey(Collection, models.CASCADE, related_name="uses")
    used_at = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["identity", "collection"], name="one_use_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity_id} at {self.collection_id}"
