"""Who is signed in, since when, and for how long still (security.md S01, S04, S05).

Django's own clock starts anew whenever a session is saved, so a session that is used
never ends. Here it ends some time after the last request and, used or not, some time
after the sign-in; sooner for staff. A session is a row that names its user: deleting
the row signs that browser out with its next request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import FilteredRelation, Q, QuerySet
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Session, User
from portal.globus.scopes import TRANSFER
from portal.prepared import Prepared

GetResponse = Callable[[HttpRequest], HttpResponse]
View = TypeVar("View", bound=Callable[..., Any])

#: a request sooner than this after the last one that was noted is not noted
NOTED_EVERY = timedelta(minutes=5)
LONGEST_USER_AGENT = 300

# In the data of a session; moments are seconds since 1970.
SIGNED_IN_AT = "signed_in_at"
LAST_SEEN = "last_seen"
#: when the person showed who they are, as Globus Auth reports it
PROVED_AT = "proved_at"
DEVICE = "device"
ADDRESS = "address"


@dataclass(frozen=True)
class Lifetime:
    idle: timedelta
    absolute: timedelta


EVERYBODY = Lifetime(idle=timedelta(hours=12), absolute=timedelta(days=7))
STAFF = Lifetime(idle=timedelta(hours=1), absolute=timedelta(hours=12))


_KEY = re.compile(r"[a-z0-9]{8,40}")
#: A session brings its user's token row for Transfer, which most pages need next.
_ALONG = "transfer_row"
_BY_KEY = Prepared[Session](
    lambda key: (
        Session.objects.filter(session_key=key)
        .annotate(
            **{
                _ALONG: FilteredRelation(
                    "user__tokens", condition=Q(user__tokens__resource_server=TRANSFER)
                )
            }
        )
        .select_related("user", _ALONG)
    ),
    str,
)


class SessionStore(DatabaseStore):
    """Django's sessions in the database, in rows that name their user.

    :ivar person: whom the row named when it was read, in the same query
    """

    person: User | None = None

    def _validate_session_key(self, key: str | None) -> bool:
        """Only what we could have made: a cookie may hold a NUL (``"\\000"``)."""
        return bool(key and _KEY.fullmatch(key))

    def _get_session_from_db(self) -> Session | None:
        """As Django's, with a query whose text is made once: every request asks it."""
        row = _BY_KEY.first(self.session_key or "")
        if row is None or row.expire_date <= timezone.now():
            self._session_key = None
            return None
        self.person = row.user
        if row.user is not None:
            row.user.token_read_along = getattr(row, _ALONG, None)
        return row

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = super().create_model_instance(data)
        assert isinstance(row, Session)
        row.user_id = _user_id(data)
        if row.user_id:
            row.device = str(data.get(DEVICE, ""))[:60]
            row.address = data.get(ADDRESS) or None
            row.signed_in_at = _moment(data.get(SIGNED_IN_AT))
            row.last_seen = _moment(data.get(LAST_SEEN))
        return row


def person_of(request: HttpRequest | None, user_id: object) -> User | None:
    """The user of this id, if the row of the request's session came with them.

    Only who is active; anybody else has to be looked up, and is then refused.
    """
    person = getattr(getattr(request, "session", None), "person", None)
    if isinstance(person, User) and person.pk == user_id and person.is_active:
        return person
    return None


def _user_id(data: dict[str, Any]) -> UUID | None:
    text = data.get(SESSION_KEY)
    return UUID(text) if text else None


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def _now() -> int:
    return int(timezone.now().timestamp())


@receiver(user_logged_in)
def note_sign_in(
    sender: object, request: HttpRequest, user: User, **kwargs: Any
) -> None:
    """However somebody signed in: this is when, where and with what."""
    now = _now()
    request.session[SIGNED_IN_AT] = request.session[LAST_SEEN] = now
    request.session[PROVED_AT] = now
    request.session[DEVICE] = device_hint(request.META.get("HTTP_USER_AGENT", ""))
    request.session[ADDRESS] = request.META.get("REMOTE_ADDR", "")


class SessionLifetimeMiddleware:
    """Signs out who was away for too long, and notes that somebody was here.

    What a page asks for by itself, every few seconds, does not count as being here:
    a tab that is left open must not keep somebody signed in.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if isinstance(user, User) and is_over(request, user):
            request.session.flush()
            request.user = AnonymousUser()
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        if request.user.is_authenticated and not getattr(view, "asked_by_page", False):
            note_request(request)


def asked_by_page(view: View) -> View:
    """Marks a view that open pages ask again and again, with nobody there."""
    view.asked_by_page = True  # type: ignore[attr-defined]
    return view


def is_over(request: HttpRequest, user: User) -> bool:
    """Whether the session has reached its end, by idleness or by age."""
    signed_in_at = request.session.get(SIGNED_IN_AT)
    last_seen = request.session.get(LAST_SEEN)
    if not isinstance(signed_in_at, int) or not isinstance(last_seen, int):
        return True
    lifetime = STAFF if user.is_staff else EVERYBODY
    now = _now()
    return (
        now - last_seen >= lifetime.idle.total_seconds()
        or now - signed_in_at >= lifetime.absolute.total_seconds()
    )


def note_request(request: HttpRequest) -> None:
    now = _now()
    if now - request.session[LAST_SEEN] >= NOTED_EVERY.total_seconds():
        request.session[LAST_SEEN] = now


def signed_in_within(request: HttpRequest, minutes: int = 15) -> bool:
    """Whether the person showed who they are that recently (A03).

    A sign-in that Globus waved through, since its own session still lasted, does not
    count: what counts is when it saw a password or the like. A sign-in begun with
    ``fresh`` makes it ask.
    """
    proved_at = request.session.get(PROVED_AT)
    if not request.user.is_authenticated or not isinstance(proved_at, int):
        return False
    return 0 <= _now() - proved_at <= minutes * 60


def note_proof(request: HttpRequest, proved_at: datetime | None) -> None:
    """What Globus Auth says about when the person showed who they are.

    Nothing said is nothing shown; a moment ahead of our clock is taken as now.
    """
    if proved_at is None:
        request.session[PROVED_AT] = None
    else:
        request.session[PROVED_AT] = min(int(proved_at.timestamp()), _now())


def open_sessions(user: User) -> QuerySet[Session]:
    """Where ``user`` is signed in, the browser used last in front."""
    now = timezone.now()
    lifetime = STAFF if user.is_staff else EVERYBODY
    return Session.objects.filter(
        user=user,
        expire_date__gt=now,
        last_seen__gt=now - lifetime.idle,
        signed_in_at__gt=now - lifetime.absolute,
    ).order_by("-last_seen", "-signed_in_at")


def end_all(user: User, *, but: str | None = None) -> int:
    """Signs ``user`` out, in every browser, at once; returns in how many.

    :param but: the key of the one session that goes on
    """
    rows = Session.objects.filter(user=user).exclude(session_key=but or "")
    return rows.delete()[0]


def end_one(user: User, session_key: str) -> bool:
    """Signs one browser of ``user`` out; false if that is no session of theirs."""
    rows = Session.objects.filter(user=user, session_key=session_key)
    return rows.delete()[0] > 0


def delete_ended(*, now: datetime | None = None) -> int:
    """Takes away the rows of sessions that cannot be used any more."""
    now = now or timezone.now()
    ended = Q(expire_date__lte=now)
    for is_staff, lifetime in ((True, STAFF), (False, EVERYBODY)):
        ended |= Q(user__is_staff=is_staff) & (
            Q(last_seen__lte=now - lifetime.idle)
            | Q(signed_in_at__lte=now - lifetime.absolute)
        )
    return Session.objects.filter(ended).delete()[0]


#: in this order, since most browsers name others as well
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrom", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "a Python program"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_hint(user_agent: str) -> str:
    """What a ``User-Agent`` seems to be, in words of ours and not of the sender."""
    text = user_agent[:LONGEST_USER_AGENT]
    browser = next((name for mark, name in BROWSERS if mark in text), "")
    system = next((name for mark, name in SYSTEMS if mark in text), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "an unknown browser"
