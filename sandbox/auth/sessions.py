"""The browser's session at Auth: a cookie, and who proved to be whom in it."""

import secrets
import uuid

from django.http import HttpRequest, HttpResponse

from sandbox import clock
from sandbox.auth.tokens import hashed
from sandbox.models import BrowserSession, Identity

COOKIE = "sandbox_session"


def current(request: HttpRequest) -> BrowserSession | None:
    key = request.COOKIES.get(COOKIE, "")
    return BrowserSession.objects.filter(key_hash=hashed(key)).first() if key else None


def authenticate(
    session: BrowserSession | None, identity: Identity
) -> tuple[BrowserSession, str]:
    """Note that ``identity`` signed in now. Returns the session and a new key.

    Another person's sign-in starts another session; a linked identity joins.
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
        "amr": ["pwd"],
        "idp": identity.provider,
    }
    session.save()
    return session, key


def _is_same_person(session: BrowserSession, identity: Identity) -> bool:
    known = Identity.objects.filter(pk__in=session.authentications)
    return all(one.person == identity.person for one in known)


def set_cookie(response: HttpResponse, key: str) -> None:
    response.set_cookie(COOKIE, key, path="/auth/", httponly=True, samesite="Lax")
