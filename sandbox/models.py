"""What the sandbox remembers. Moments are seconds since 1970 on the virtual clock."""

from typing import Any

from django.db import models


def id_field(**options: Any) -> "models.CharField[str, str]":
    """A UUID as text, which is how every client sends and compares it."""
    return models.CharField(max_length=64, **options)


class Setting(models.Model):
    """A value that outlives a restart: the clock, the knobs."""

    name = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()

    def __str__(self) -> str:
        return self.name


class Identity(models.Model):
    """Someone whom Globus Auth knows: a person's identity, or a client's.

    Identities with the same ``person`` are linked: one identity set.
    """

    id = id_field(primary_key=True)
    person = models.CharField(max_length=64, db_index=True)
    username = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255, null=True)  # noqa: DJ001 - JSON null
    email = models.CharField(max_length=255, null=True)  # noqa: DJ001 - JSON null
    organization = models.CharField(max_length=255, null=True)  # noqa: DJ001
    provider = id_field()
    provider_name = models.CharField(max_length=255)
    is_client = models.BooleanField(default=False)
    #: the identity that a person signs in with when only the person is named
    is_primary = models.BooleanField(default=False)
    status = models.CharField(max_length=16, default="used")

    def __str__(self) -> str:
        return self.username


class Client(models.Model):
    """A registered application. Each has an identity of its own, with the same id."""

    class Kind(models.TextChoices):
        CONFIDENTIAL = "confidential"
        NATIVE = "native"
        TEMPLATE = "template"
        #: its tasks stay, nothing else of it does
        DELETED = "deleted"

    id = id_field(primary_key=True)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    #: the client that this one is an instance of, or ""
    template_id = id_field(blank=True, default="")
    secret_hash = models.CharField(max_length=64, blank=True)
    redirect_uris = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.name


class Policy(models.Model):
    """An authentication policy: what a session must show to satisfy it."""

    id = id_field(primary_key=True)
    display_name = models.CharField(max_length=255)
    #: domains of which an identity must be signed in; empty allows any
    domains = models.JSONField(default=list)
    #: how old that sign-in may be; null is any age
    timeout_seconds = models.IntegerField(null=True)
    required_mfa = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.display_name


class BrowserSession(models.Model):
    """A signed-in browser at Auth: who proved to be whom, and when.

    ``authentications`` is ``{identity id: {"auth_time": …, "acr": …, "amr": …}}``.
    """

    id = id_field(primary_key=True)
    key_hash = models.CharField(max_length=64, unique=True)
    authentications = models.JSONField(default=dict)
    created_at = models.FloatField()

    def __str__(self) -> str:
        return self.id


class AuthorizationCode(models.Model):
    """One code of one sign-in. Used once, within its lifetime."""

    code_hash = models.CharField(max_length=64, primary_key=True)
    client = models.ForeignKey(Client, models.CASCADE)
    identity = models.ForeignKey(Identity, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.CASCADE)
    redirect_uri = models.TextField()
    scope = models.TextField()
    state = models.TextField(blank=True)
    nonce = models.TextField(blank=True)
    code_challenge = models.CharField(max_length=128, blank=True)
    offline = models.BooleanField()
    expires_at = models.FloatField()
    used = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"code of {self.identity_id} for {self.client_id}"


class Token(models.Model):
    """An access or refresh token. Only its hash is kept; gone means revoked."""

    class Kind(models.TextChoices):
        ACCESS = "access"
        REFRESH = "refresh"

    token_hash = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    client = models.ForeignKey(Client, models.CASCADE)
    identity = models.ForeignKey(Identity, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.CASCADE, null=True)
    resource_server = models.CharField(max_length=64)
    scope = models.TextField()
    #: ids of the consents that a dependent token stands on; empty for any other,
    #: which stands on the roots of its client
    consents = models.JSONField(default=list)
    issued_at = models.FloatField()
    expires_at = models.FloatField()

    def __str__(self) -> str:
        return f"{self.kind} token of {self.identity_id} for {self.resource_server}"


class Consent(models.Model):
    """One node of a consent tree: ``client`` (the root) may use ``scope_name``.

    Consents belong to an identity and a client, never to a token: a consent that
    is given later counts for tokens that exist already.
    """

    client = models.ForeignKey(Client, models.CASCADE)
    identity = models.ForeignKey(Identity, models.CASCADE)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="parts")
    scope_name = models.CharField(max_length=255)
    atomically_revocable = models.BooleanField(default=False)
    allows_refresh = models.BooleanField(default=False)
    created_at = models.FloatField()
    updated_at = models.FloatField()
    last_used_at = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["identity", "client", "scope_name"])]

    def __str__(self) -> str:
        return self.scope_name


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


class Task(models.Model):
    """A transfer or a delete. ACTIVE, then SUCCEEDED or FAILED.

    INACTIVE means that a consent or a session ran out; it goes back to ACTIVE.
    ``document`` is what was submitted. The counters move while the task runs; the
    engine is their only writer.
    """

    id = id_field(primary_key=True)
    type = models.CharField(max_length=8)
    status = models.CharField(max_length=12, default="ACTIVE")
    submission_id = id_field()
    owner = models.ForeignKey(Identity, models.CASCADE)
    client = models.ForeignKey(Client, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.SET_NULL, null=True)
    label = models.CharField(max_length=128, null=True)  # noqa: DJ001 - JSON null
    document = models.JSONField()
    #: the items' paths and both collections, hashed: what makes two tasks identical
    fingerprint = models.CharField(max_length=64)
    source_id = id_field()
    #: "" for a delete
    destination_id = id_field(blank=True)
    requested_at = models.FloatField()
    completed_at = models.FloatField(null=True)
    deadline_at = models.FloatField()
    #: the service may move a deadline that nobody has set
    has_own_deadline = models.BooleanField(default=False)
    #: the timer that submitted it; "" is a client
    timer_id = id_field(blank=True)
    cancel_requested = models.BooleanField(default=False)
    nice_status = models.CharField(max_length=64, default="Queued")
    nice_status_details = models.TextField(blank=True)
    is_paused = models.BooleanField(default=False)
    #: an administrator paused this one task
    is_held = models.BooleanField(default=False)
    admin_message = models.TextField(blank=True)
    #: "", SOURCE, DESTINATION or BOTH
    canceled_by_admin = models.CharField(max_length=16, blank=True)
    fatal_error = models.JSONField(null=True)
    faults = models.IntegerField(default=0)
    files = models.IntegerField(default=0)
    directories = models.IntegerField(default=0)
    symlinks = models.IntegerField(default=0)
    files_skipped = models.IntegerField(default=0)
    files_transferred = models.IntegerField(default=0)
    bytes_transferred = models.IntegerField(default=0)
    bytes_checksummed = models.IntegerField(default=0)
    effective_bytes_per_second = models.IntegerField(default=0)
    subtasks_total = models.IntegerField(default=0)
    subtasks_succeeded = models.IntegerField(default=0)
    subtasks_failed = models.IntegerField(default=0)
    subtasks_expired = models.IntegerField(default=0)
    subtasks_canceled = models.IntegerField(default=0)
    subtasks_retrying = models.IntegerField(default=0)
    subtasks_skipped_errors = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-requested_at"]),
            models.Index(fields=["status", "requested_at"]),
            models.Index(fields=["fingerprint", "status"]),
            models.Index(fields=["timer_id"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "submission_id"], name="one_task_per_submission"
            )
        ]

    def __str__(self) -> str:
        return self.id


class TaskEvent(models.Model):
    """Something that happened to a task."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="events")
    code = models.CharField(max_length=64)
    is_error = models.BooleanField(default=False)
    description = models.CharField(max_length=255)
    details = models.TextField(blank=True)
    time = models.FloatField()

    def __str__(self) -> str:
        return self.code


class SuccessfulTransfer(models.Model):
    """A file that a finished transfer wrote."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="successes")
    source_path = models.TextField()
    destination_path = models.TextField()
    size = models.IntegerField()
    checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return self.destination_path


class SkippedError(models.Model):
    """A file that a transfer with ``skip_source_errors`` left out."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="skips")
    source_path = models.TextField()
    destination_path = models.TextField()
    error_code = models.CharField(max_length=64)
    error_details = models.TextField()
    error_time = models.FloatField()
    is_directory = models.BooleanField(default=False)
    is_symlink = models.BooleanField(default=False)
    external_checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(max_length=16, blank=True)

    def __str__(self) -> str:
        return self.source_path


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


class Timer(models.Model):
    """Work that repeats on the virtual clock; each run submits a transfer.

    ``new`` until the runner has looked at it, then ``active``; ``inactive`` waits for
    its owner and says why; ``ended`` has no run left.
    """

    id = id_field(primary_key=True)
    owner = models.ForeignKey(Identity, models.CASCADE)
    client = models.ForeignKey(Client, models.CASCADE)
    session = models.ForeignKey(BrowserSession, models.SET_NULL, null=True)
    name = models.CharField(max_length=255)
    timer_type = models.CharField(max_length=16, default="transfer")
    schedule = models.JSONField()
    body = models.JSONField()
    status = models.CharField(max_length=16, default="new")
    inactive_reason = models.JSONField(null=True)
    submitted_at = models.FloatField()
    first_run_at = models.FloatField()
    last_ran_at = models.FloatField(null=True)
    next_run_at = models.FloatField(null=True)
    n_runs = models.IntegerField(default=0)
    n_errors = models.IntegerField(default=0)
    #: tries of the run that is due whose submission failed, and when the next one is
    tries = models.IntegerField(default=0)
    retry_at = models.FloatField(null=True)

    class Meta:
        indexes = [models.Index(fields=["status", "next_run_at"])]

    def __str__(self) -> str:
        return self.name


class TimerRun(models.Model):
    """One run of a timer: the task it made, or why it made none."""

    timer = models.ForeignKey(Timer, models.CASCADE, related_name="runs")
    ran_at = models.FloatField()
    #: when it was its turn; a jump of the clock lets it run later
    turn_at = models.FloatField()
    task_id = id_field(blank=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.task_id or self.error


class AdminCancel(models.Model):
    """An order of an administrator over several tasks, for ``admin_cancel/<id>``."""

    id = id_field(primary_key=True)
    owner = models.ForeignKey(Identity, models.CASCADE)
    task_ids = models.JSONField()

    def __str__(self) -> str:
        return self.id
