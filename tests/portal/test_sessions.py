"""Sessions, cookies and headers; the ids name security.md's section 3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session as DjangosOwnSession
from django.contrib.sessions.serializers import JSONSerializer
from django.test import Client, override_settings
from django.urls import get_resolver, path, reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import Session, Token, User
from portal import sessions
from portal.globus import scopes
from portal.globus.errors import ConsentRequired, SignInRequired
from portal.sessions import SessionStore
from tests.factories import make_token, make_user
from tests.fake_provider import query_of
from tests.flows import begin, come_back, person, sign_in
from tests.lint import DEPLOYMENT_CHECK, PRODUCTION, ROOT

BACKEND = "accounts.sign_in.GlobusSignIn"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}

pytestmark = pytest.mark.django_db


class Clock:
    """The portal's clock, which the test moves."""

    def __init__(self):
        self.now = NOON

    def advance(self, span):
        self.now += span


@pytest.fixture
def clock():
    moved = Clock()
    with mock.patch("django.utils.timezone.now", side_effect=lambda: moved.now):
        yield moved


def signed_in(user, **options):
    browser = Client(**options)
    browser.force_login(user, backend=BACKEND)
    return browser


def is_in(browser):
    """Whether the next request is a signed-in person's; it is a request itself."""
    status = browser.get("/account/").status_code
    assert status in (200, 302)
    return status == 200


@pytest.fixture(scope="module")
def production():
    """The settings of a site as it should be run, read in a process of its own."""
    names = [
        "SESSION_ENGINE",
        "SESSION_SERIALIZER",
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SAMESITE",
        "SESSION_COOKIE_DOMAIN",
        "SESSION_COOKIE_PATH",
        "SESSION_COOKIE_AGE",
        "SESSION_SAVE_EVERY_REQUEST",
        "CSRF_COOKIE_NAME",
        "CSRF_COOKIE_SECURE",
        "CSRF_COOKIE_HTTPONLY",
        "CSRF_COOKIE_SAMESITE",
        "CSRF_COOKIE_DOMAIN",
        "CSRF_COOKIE_PATH",
        "ALLOWED_HOSTS",
        "DEBUG",
        "MIDDLEWARE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SECURE_CONTENT_TYPE_NOSNIFF",
        "SECURE_REFERRER_POLICY",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY",
        "USE_X_FORWARDED_HOST",
        "X_FRAME_OPTIONS",
        "SOCIAL_AUTH_RAISE_EXCEPTIONS",
        "SOCIAL_AUTH_GLOBUS_USE_PKCE",
        "SOCIAL_AUTH_GLOBUS_JWT_ALGORITHMS",
        "SOCIAL_AUTH_GLOBUS_JWT_LEEWAY",
        "SOCIAL_AUTH_GLOBUS_STATE_LIFETIME",
        "SOCIAL_AUTH_GLOBUS_NONCE_LIFETIME",
        "SOCIAL_AUTH_GLOBUS_TOKEN_ENDPOINT_AUTH_METHOD",
        "SOCIAL_AUTH_GLOBUS_AUTH_EXTRA_ARGUMENTS",
        "SOCIAL_AUTH_GLOBUS_ALLOWED_REDIRECT_HOSTS",
        "SOCIAL_AUTH_PIPELINE",
    ]
    program = (
        "import json; from django.conf import settings;"
        f"print(json.dumps({{n: getattr(settings, n) for n in {names!r}}}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **PRODUCTION},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout)


# --- S01, S02, S03: where a session lies, and what the cookies are


def test_s01_sessions_lie_in_the_database_as_json(production):
    assert production["SESSION_ENGINE"] == "portal.sessions"
    assert production["SESSION_SERIALIZER"].endswith("JSONSerializer")
    store = sessions.SessionStore()
    assert store.serializer is JSONSerializer
    store["nonce"] = "canary"
    store.save()
    assert Session.objects.get().session_key == store.session_key
    assert not DjangosOwnSession.objects.exists()


def test_s01_nothing_of_a_session_is_in_a_cookie(client, sandbox):
    address = begin(client)
    cookies = " ".join(each.value for each in client.cookies.values())
    for name in ("state", "nonce", "code_challenge"):
        assert query_of(address)[name][0] not in cookies


def test_s02_s03_the_cookies_of_production(production):
    facts = {name: production[name] for name in production if "_COOKIE_" in name}
    assert facts == {
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_AGE": 604_800,
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Strict",
        "CSRF_COOKIE_DOMAIN": None,
        "CSRF_COOKIE_PATH": "/",
    }


# --- S04: how long


def test_s04_away_for_twelve_hours(clock):
    browser = signed_in(make_user())
    clock.advance(timedelta(hours=12) - SECOND)
    assert is_in(browser)
    clock.advance(timedelta(hours=12))
    assert not is_in(browser)
    assert Session.objects.count() == 0, "the row is gone as well"


def test_s04_seven_days_in_all(clock):
    browser = signed_in(make_user())
    for _ in range(14):
        clock.advance(timedelta(hours=12) - SECOND)
        assert is_in(browser)
    clock.advance(timedelta(seconds=13))
    assert is_in(browser)
    clock.advance(SECOND)
    assert not is_in(browser)


def test_s04_staff_are_away_for_an_hour(clock):
    browser = signed_in(make_user(is_staff=True))
    clock.advance(timedelta(hours=1) - SECOND)
    assert is_in(browser)
    clock.advance(timedelta(hours=1))
    assert not is_in(browser)


def test_s04_staff_stay_for_twelve_hours(clock):
    browser = signed_in(make_user(is_staff=True))
    for _ in range(12):
        clock.advance(timedelta(hours=1) - SECOND)
        assert is_in(browser)
    clock.advance(timedelta(seconds=11))
    assert is_in(browser)
    clock.advance(SECOND)
    assert not is_in(browser)


def test_s04_whoever_becomes_staff_is_held_to_it_at_once(clock):
    user = make_user()
    browser = signed_in(user)
    clock.advance(timedelta(hours=2))
    user.is_staff = True
    user.save()
    assert not is_in(browser)


def test_s04_a_sign_in_anew_starts_the_clock_anew(clock):
    user = make_user()
    browser = signed_in(user)
    clock.advance(timedelta(hours=11))
    browser.force_login(user, backend=BACKEND)
    clock.advance(timedelta(hours=11))
    assert is_in(browser)


def test_s04_being_here_is_noted_every_five_minutes(clock):
    browser = signed_in(make_user())
    clock.advance(timedelta(minutes=5) - SECOND)
    assert is_in(browser)
    assert Session.objects.get().last_seen == NOON
    clock.advance(SECOND)
    assert is_in(browser)
    assert Session.objects.get().last_seen == NOON + timedelta(minutes=5)


def test_s04_what_pages_ask_for_by_themselves_is_marked():
    views = [
        view
        for urls in ("transfers.urls", "accounts.urls")
        for view in get_resolver(urls).reverse_dict
        if callable(view)
    ]
    marked = {view.__name__ for view in views if getattr(view, "asked_by_page", False)}
    of_transfers = {"overview", "progress", "rows", "run_progress"}
    of_notifications = {"deliveries", "new", "shown"}
    assert marked == of_transfers | of_notifications


def test_s04_a_tab_that_is_left_open_keeps_nobody_signed_in(clock):
    browser = signed_in(make_user())
    for _ in range(12):
        clock.advance(timedelta(hours=1) - SECOND)
        assert browser.get(reverse("transfers:overview")).status_code < 300
    clock.advance(timedelta(seconds=12))
    assert browser.get(reverse("transfers:overview")).status_code == 302


def test_s04_a_session_from_nowhere_is_over(clock):
    """One without its moments, such as of an earlier release."""
    browser = signed_in(make_user())
    session = browser.session
    del session[sessions.SIGNED_IN_AT]
    session.save()
    assert not is_in(browser)


def test_s04_the_session_id_changes_and_the_old_one_is_dead(client, sandbox):
    begin(client)
    before = client.session.session_key
    sign_in(client, sandbox, "ada")
    after = client.session.session_key
    assert before != after
    assert set(Session.objects.values_list("session_key", flat=True)) == {after}


def test_s04_the_session_id_changes_also_when_the_same_person_comes_back(
    client, sandbox
):
    """A step-up shows more than the sign-in before it; an id of before stays behind."""
    sign_in(client, sandbox, "ada")
    before = client.session.session_key
    sign_in(client, sandbox, "ada")
    after = client.session.session_key
    assert before != after
    assert set(Session.objects.values_list("session_key", flat=True)) == {after}


def test_a_local_sign_in_has_its_moments_too(client, clock):
    User.objects.create_superuser("root", password="a long one, for this test")
    answer = client.post(
        "/admin/login/",
        {"username": "root", "password": "a long one, for this test"},
    )
    assert answer.status_code == 302
    assert Session.objects.get().signed_in_at == NOON
    clock.advance(timedelta(hours=1))
    assert not is_in(client)


# --- A03's question


def test_signed_in_within_fifteen_minutes(rf, clock):
    browser = signed_in(make_user())

    def asked():
        answer = browser.get("/account/")
        return sessions.signed_in_within(answer.wsgi_request)

    assert asked()
    clock.advance(timedelta(minutes=15))
    assert asked()
    clock.advance(SECOND)
    assert not asked()
    assert sessions.signed_in_within(browser.get("/account/").wsgi_request, minutes=16)


def test_signed_in_within_is_about_who_is_signed_in(client, clock):
    request = client.get("/login/").wsgi_request
    request.session[sessions.PROVED_AT] = int(NOON.timestamp())
    assert not sessions.signed_in_within(request)


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(0, True), (-800, True), (-1000, False), (30, True), (None, False)],
)
def test_l17_a_sign_in_that_globus_waved_through_does_not_count(
    client, fake, seconds, counts
):
    now = int(datetime.now(UTC).timestamp())
    told = None if seconds is None else now + seconds
    fake.claims = {"last_authentication": told}
    come_back(client, fake.approve(begin(client)))
    answer = client.get("/account/")
    assert answer.status_code == 200
    assert sessions.signed_in_within(answer.wsgi_request) is counts


# --- S05: ending sessions


def test_s05_sign_out_everywhere_works_at_once():
    ada, grace = make_user(), make_user()
    browsers = [signed_in(ada) for _ in range(3)]
    other = signed_in(grace)
    assert sessions.end_all(ada) == 3
    assert not any(is_in(browser) for browser in browsers)
    assert browsers[0].get("/account/")["Location"].startswith("/login/")
    assert is_in(other)


def test_s05_all_but_the_one_in_hand():
    user = make_user()
    here, there = signed_in(user), signed_in(user)
    assert sessions.end_all(user, but=here.session.session_key) == 1
    assert is_in(here)
    assert not is_in(there)


def test_s05_one_of_them():
    ada, grace = make_user(), make_user()
    first, second = signed_in(ada), signed_in(ada)
    key = first.session.session_key
    assert not sessions.end_one(grace, key), "not somebody else's"
    assert sessions.end_one(ada, key)
    assert not sessions.end_one(ada, key)
    assert not is_in(first)
    assert is_in(second)


def test_s05_a_request_under_way_does_not_bring_a_session_back():
    user = make_user()
    browser = signed_in(user)
    under_way = browser.session
    assert under_way["_auth_user_id"] == str(user.pk)
    sessions.end_all(user)
    under_way["draft"] = "x"
    with pytest.raises(UpdateError):
        under_way.save()
    assert not is_in(browser)


def test_the_user_who_comes_with_a_row_is_not_believed_over_its_data():
    user, other = make_user(), make_user(is_staff=True)
    browser = signed_in(user)
    Session.objects.update(user=other)
    answer = browser.get("/account/")
    assert answer.wsgi_request.user == user


def test_a_changed_password_still_ends_a_session_that_came_with_its_user():
    user = make_user()
    browser = signed_in(user)
    user.set_unusable_password()
    user.save()
    assert not is_in(browser)


def test_who_is_signed_in_costs_one_query(django_assert_num_queries):
    browser = signed_in(make_user())
    with django_assert_num_queries(2):  # the session with its user; the news
        assert browser.get("/notifications/new/").status_code == 204


def person_of_session_of(user):
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session.create()
    opened = SessionStore(session.session_key)
    assert opened["_auth_user_id"] == str(user.pk)
    return opened.person


def test_the_token_for_transfer_comes_with_the_session(django_assert_num_queries):
    ada, grace = make_user(), make_user()
    for user, text in ((ada, "AgAda"), (grace, "AgGrace")):
        make_token(user, access_token=text, used_at=timezone.now())
    for user, text in ((ada, "AgAda"), (grace, "AgGrace")):
        person = person_of_session_of(user)
        with django_assert_num_queries(0):
            token = tokens.access_token(person, scopes.TRANSFER)
        assert token.secret.reveal() == text


def test_a_token_that_came_with_the_session_serves_one_look():
    user = make_user()
    row = make_token(user, used_at=timezone.now())
    person = person_of_session_of(user)
    tokens.access_token(person, scopes.TRANSFER)
    Token.objects.filter(pk=row.pk).update(state=Token.State.REVOKED)
    with pytest.raises(SignInRequired):
        tokens.access_token(person, scopes.TRANSFER)


def test_a_token_that_came_with_the_session_is_for_transfer_and_its_owner():
    user, other = make_user(), make_user()
    make_token(user, used_at=timezone.now())
    with pytest.raises(ConsentRequired):
        tokens.access_token(person_of_session_of(user), scopes.TIMERS)
    other.token_read_along = person_of_session_of(user).token_read_along
    assert other.token_read_along is not None
    with pytest.raises(SignInRequired):
        tokens.access_token(other, scopes.TRANSFER)
    with pytest.raises(SignInRequired):
        tokens.access_token(person_of_session_of(other), scopes.TRANSFER)


@pytest.mark.parametrize("key", ["\x00" * 32, "é" * 32, "a" * 500, "' or 1=1 --", ""])
def test_a_cookie_that_no_session_has_is_nobodys(key):
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = key
    assert browser.get("/login/").status_code == 200
    assert not is_in(browser)


def test_s05_a_person_who_is_deleted_is_out():
    user = make_user()
    browser = signed_in(user)
    user.delete()
    assert not is_in(browser)
    assert Session.objects.count() == 0


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("agent", "hint"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/140.0", "Edge on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("curl/8.0", "curl"),
        ("", "an unknown browser"),
        ("<script>alert(1)</script>\x00", "an unknown browser"),
        ("x" * 100_000 + "Firefox/1", "an unknown browser"),
    ],
)
def test_s05_a_session_has_a_hint_at_its_browser(agent, hint):
    assert sessions.device_hint(agent) == hint


def test_s05_open_sessions_say_where_and_when(sandbox, clock):
    old = Client(HTTP_USER_AGENT=SAFARI, REMOTE_ADDR="192.0.2.1")
    new = Client(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="2001:db8::1")
    with mock.patch("accounts.id_tokens.check_moments"):
        sign_in(old, sandbox, "ada")
        clock.advance(timedelta(hours=1))
        sign_in(new, sandbox, "ada")
    found = sessions.open_sessions(person("ada"))
    assert [(row.device, row.address, row.last_seen) for row in found] == [
        ("Firefox on Linux", "2001:db8::1", NOON + timedelta(hours=1)),
        ("Safari on iPhone", "192.0.2.1", NOON),
    ]
    clock.advance(timedelta(hours=11))
    [left] = sessions.open_sessions(person("ada"))
    assert left.device == "Firefox on Linux", "the other one can be used no more"
    assert str(left) == f"session of {person('ada')}"


# --- S06, S08: headers


def breaks(request):
    raise ZeroDivisionError


breaks.login_required = False  # type: ignore[attr-defined]


class urls:
    from portal.urls import (
        handler400,
        handler403,
        handler404,
        handler500,
        urlpatterns,
    )

    urlpatterns = [path("breaks/", breaks), *urlpatterns]


ADDRESSES = {
    "/login/": 200,
    "/account/": 302,
    "/nothing-here/": 404,
    "/login/globus/": 405,
    "/complete/globus/": 400,
    "/complete/globus/?partial_token=%00a": 400,
    "/breaks/": 500,
    "/admin/": 302,
    "/admin/login/": 200,
    "/healthz": 200,
    "/static/css/causeway.css": 200,
}


def policy_of(answer):
    return {part.strip() for part in answer["Content-Security-Policy"].split(";")}


@pytest.mark.parametrize("address", ADDRESSES)
def test_s06_every_answer_has_the_policy(address):
    with override_settings(ROOT_URLCONF=urls):
        browser = Client(raise_request_exception=False)
        answer = browser.get(address)
    assert answer.status_code == ADDRESSES[address]
    assert policy_of(answer) == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "X-Request-Id" in answer
    answer.close()


def test_s06_also_a_refused_form_and_a_refused_host(client):
    refused = Client(enforce_csrf_checks=True).post("/login/globus/")
    assert (refused.status_code, policy_of(refused)) == (403, POLICY)
    for secure in (False, True):
        with override_settings(SECURE_SSL_REDIRECT=True):
            answer = Client(HTTP_HOST="evil.example").get("/login/", secure=secure)
        assert (answer.status_code, policy_of(answer)) == (400, POLICY)
        assert "evil.example" not in answer.content.decode()


def test_s06_also_what_is_too_often(sandbox):
    answers = [Client().post("/login/globus/") for _ in range(11)]
    assert answers[-1].status_code == 429
    assert all(policy_of(answer) == POLICY for answer in answers)


def test_s06_and_a_redirect_to_tls():
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = Client().get("/login/")
    assert answer.status_code == 301
    assert policy_of(answer) == POLICY


def test_s06_no_page_has_a_style_or_script_within(client, sandbox):
    sign_in(client, sandbox, "ada")
    for address in ("/", "/account/", "/login/", "/nothing-here/"):
        page = client.get(address).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_s07_begin_is_a_page_and_no_redirect(client, sandbox):
    answer = client.post("/login/globus/")
    assert answer.status_code == 200
    assert "Location" not in answer
    assert 'http-equiv="refresh"' in answer.content.decode()


def test_s08_hsts_over_tls():
    year = 31_536_000
    with override_settings(
        SECURE_HSTS_SECONDS=year, SECURE_HSTS_INCLUDE_SUBDOMAINS=True
    ):
        answer = Client().get("/login/", secure=True)
    assert answer["Strict-Transport-Security"] == f"max-age={year}; includeSubDomains"


def test_s08_the_headers_of_production(production):
    assert production["SECURE_HSTS_SECONDS"] == 31_536_000
    assert production["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True
    assert production["SECURE_CONTENT_TYPE_NOSNIFF"] is True
    assert production["SECURE_REFERRER_POLICY"] == "same-origin"
    assert production["SECURE_CROSS_ORIGIN_OPENER_POLICY"] == "same-origin"
    assert production["SECURE_SSL_REDIRECT"] is True
    assert production["X_FRAME_OPTIONS"] == "DENY"
    assert production["DEBUG"] is False


def test_s08_the_pages_of_a_person_are_kept_by_no_cache():
    browser = signed_in(make_user())
    for address in ("/", "/account/", "/nothing-here/", "/login/"):
        assert "no-store" in browser.get(address)["Cache-Control"]


@pytest.mark.parametrize("query", ["", "code=a&state=b", "error=x&state=y"])
def test_s08_the_callbacks_address_is_told_to_nobody(client, query):
    answer = client.get(f"/complete/globus/?{query}")
    assert answer.status_code == 400
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]


def test_s08_nor_after_a_sign_in(client, sandbox):
    answer = sign_in(client, sandbox, "ada")
    assert answer.status_code == 302
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert client.get("/account/")["Referrer-Policy"] == "same-origin"


# --- S09, S10


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_HOST": "localhost:9999"},
        {"HTTP_HOST": "localhost", "HTTP_X_FORWARDED_HOST": "evil.example"},
        {"HTTP_HOST": "localhost", "HTTP_X_FORWARDED_PORT": "9999"},
        {"HTTP_HOST": "localhost", "HTTP_FORWARDED": "host=evil.example"},
    ],
)
def test_s09_the_redirect_uri_does_not_come_from_the_request(sandbox, headers):
    address = begin(Client(**headers))
    assert query_of(address)["redirect_uri"] == [
        f"{settings.PUBLIC_BASE_URL.geturl()}/complete/globus/"
    ]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "localhost@evil.example", ".", "[", ""],
)
def test_s09_a_host_that_is_not_ours_is_refused(host):
    answer = Client(HTTP_HOST=host, SERVER_NAME="evil.example").get("/login/")
    assert answer.status_code == 400


def test_s09_hosts_of_production(production):
    assert production["ALLOWED_HOSTS"] == ["portal.example.org"]
    assert production["USE_X_FORWARDED_HOST"] is False


@pytest.mark.parametrize(
    ("changed", "is_content"),
    [
        ({}, True),
        ({"PORTAL_HSTS_SECONDS": "0"}, False),
        ({"PORTAL_SECRET_KEY": "short"}, False),
        ({"PUBLIC_BASE_URL": "http://localhost"}, False),
    ],
)
def test_s09_the_checks_of_django_for_production(changed, is_content):
    """``make lint`` runs them as well."""
    answer = subprocess.run(
        [sys.executable, "manage.py", *DEPLOYMENT_CHECK],
        cwd=ROOT,
        env={**os.environ, **PRODUCTION, **changed},
        capture_output=True,
        text=True,
    )
    assert (answer.returncode == 0) is is_content, answer.stderr


def test_s10_no_cache_holds_pages_and_no_request_saves_for_nothing(production):
    assert production["SESSION_SAVE_EVERY_REQUEST"] is False
    assert not [name for name in production["MIDDLEWARE"] if "cache" in name.lower()]


def test_s10_a_page_that_changes_nothing_saves_nothing():
    browser = signed_in(make_user())
    before = Session.objects.get().session_data
    answer = browser.get("/account/")
    assert settings.SESSION_COOKIE_NAME not in answer.cookies
    assert Session.objects.get().session_data == before


def test_section_10_the_settings_of_sign_in(production):
    facts = {
        name.removeprefix("SOCIAL_AUTH_"): value
        for name, value in production.items()
        if name.startswith("SOCIAL_AUTH_") and name != "SOCIAL_AUTH_PIPELINE"
    }
    assert facts == {
        "RAISE_EXCEPTIONS": False,
        "GLOBUS_USE_PKCE": True,
        "GLOBUS_JWT_ALGORITHMS": ["RS512"],
        "GLOBUS_JWT_LEEWAY": 60,
        "GLOBUS_STATE_LIFETIME": 1800,
        "GLOBUS_NONCE_LIFETIME": 1800,
        "GLOBUS_TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic",
        "GLOBUS_AUTH_EXTRA_ARGUMENTS": {"access_type": "offline"},
        "GLOBUS_ALLOWED_REDIRECT_HOSTS": [],
    }
    for step in ("associate_by_email", "load_extra_data", "mail_validation"):
        assert not [each for each in production["SOCIAL_AUTH_PIPELINE"] if step in each]
