"""The browser's session at Auth: a cookie, and who proved to be whom in it."""

import secrets
import uuid

from django.http import HttpRequest, HttpResponse

from sandbox import clock
from sandbox.auth.tokens import hashed
from sandbox.knobs import current as knobs
from sandbox.models import BrowserSession, Identity

COOKIE = "sandbox_session"


def current(request: HttpRequest) -> BrowserSession | None:
    key = request.COOKIES.get(COOKIE, "")
    return BrowserSession.objects.filter(key_hash=hashed(key)).first() if key else None


def authenticate(
    session: BrowserSession | None, identity: Identity, *, mfa: bool = False
) -> tuple[BrowserSession, str]:
    """Note that ``identity`` signed in now. Returns the session and a new key.

    Another person's sign-in starts another session; a linked identity joins.

    :param mfa: a second factor was used
    """
    if session is not None and not _is_same_person(session, identity):
        session = None
    key = secrets.token_urlsafe(32)
    if session is None:
        session = BrowserSession(id=str(uuid.uuid4()), created_at=clock.now())
    session.key_hash = hashed(key)
    session.authentications[identity.pk] = {
        "auth_time": clock.now(),
        "acr": None,
        "amr": ["pwd", "mfa"] if mfa else ["pwd"],
        "idp": identity.provider,
    }
    session.save()
    return session, key


def effective_identity(identity: Identity) -> Identity:
    """Whom the tokens of a sign-in are for: the person's primary identity.

    A step-up with a linked identity must not change the ``sub``; the CLI takes
    another one for another account (globus-services.md section 2.10).
    """
    if knobs.effective_identity == "used":
        return identity
    primary = Identity.objects.filter(person=identity.person, is_primary=True)
    return primary.first() or identity


def person_of(session: BrowserSession) -> Identity | None:
    """Who is signed in: the identity of the newest sign-in."""
    proofs = session.authentications
    newest = sorted(proofs, key=lambda one: float(proofs[one]["auth_time"]))
    return Identity.objects.filter(pk=newest[-1]).first() if newest else None


def end(session: BrowserSession) -> None:
    """Let no browser come back to this session; its tokens stay."""
    session.key_hash = hashed(secrets.token_urlsafe(32))
    session.save(update_fields=["key_hash"])


def _is_same_person(session: BrowserSession, identity: Identity) -> bool:
    known = Identity.objects.filter(pk__in=session.authentications)
    return all(one.person == identity.person for one in known)


def set_cookie(response: HttpResponse, key: str) -> None:
    response.set_cookie(COOKIE, key, path="/auth/", httponly=True, samesite="Lax")
