"""Tokens: made, found, taken back. They are opaque text, and stored as hashes."""

import hashlib
import secrets
from dataclasses import dataclass

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import BrowserSession, Client, Identity, Token
from sandbox.remembered import remembered


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Rights:
    """What a token is good for, and in whose name."""

    client: Client
    identity: Identity
    session: BrowserSession | None
    resource_server: str
    scope: str
    #: ids of the consents that a dependent token stands on
    consents: tuple[int, ...] = ()

    @classmethod
    def of(cls, token: Token) -> "Rights":
        return cls(
            token.client,
            token.identity,
            token.session,
            token.resource_server,
            token.scope,
            tuple(token.consents),
        )


def new_access_token(rights: Rights, seconds: int) -> str:
    """Store a new access token and return its text."""
    text = f"Ag{secrets.token_urlsafe(36)}"
    _store(text, Token.Kind.ACCESS, seconds, rights)
    return text


def new_refresh_token(rights: Rights) -> str:
    """Store a new refresh token and return its text."""
    text = f"Ag1R{secrets.token_urlsafe(36)}"
    _store(text, Token.Kind.REFRESH, knobs.refresh_token_seconds, rights)
    return text


def _store(text: str, kind: Token.Kind, seconds: int, rights: Rights) -> None:
    now = clock.now()
    Token.objects.create(
        token_hash=hashed(text),
        kind=kind,
        client=rights.client,
        identity=rights.identity,
        session=rights.session,
        resource_server=rights.resource_server,
        scope=rights.scope,
        consents=list(rights.consents),
        issued_at=now,
        expires_at=now + seconds,
    )


def find(text: str) -> Token | None:
    """The token with this text, whatever its kind, while it is valid."""
    return _while_valid(_read(hashed(text))) if text else None


def find_access_token(text: str, resource_server: str) -> Token | None:
    """A valid access token that is meant for ``resource_server``; not to be changed."""
    token = _while_valid(_remembered(hashed(text))) if text else None
    if token is None or token.kind != Token.Kind.ACCESS:
        return None
    return token if token.resource_server == resource_server else None


def _read(token_hash: str) -> Token | None:
    found = Token.objects.select_related("identity", "session")
    return found.filter(token_hash=token_hash).first()


_remembered = remembered(_read)


def _while_valid(token: Token | None) -> Token | None:
    return token if token and token.expires_at > clock.now() else None


def revoke(token: Token) -> None:
    """Take a token back, and with it what the knob says (RFC 7009 section 2.1)."""
    if knobs.revoke_cascades and token.session_id:
        Token.objects.filter(session=token.session_id, client=token.client_id).delete()
    token.delete()
