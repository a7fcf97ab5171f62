"""Who there is, what they signed in to, and what they allowed."""

from django.db import models

from sandbox.models.base import id_field


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
