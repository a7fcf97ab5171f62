"""The attack lists of security.md's sections 2 and 11, row by row, for sign-in.

What each must leave behind stands in one place: an answer that was meant, nobody signed
in, no row, and no token request that should not have been sent. Why each is refused is
for the tests of the single items.
"""

from __future__ import annotations

import os
import time
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from social_django.models import Partial, UserSocialAuth

from accounts import callback, id_tokens, metadata
from accounts.models import AuditEvent, Token, User
from accounts.sign_in import check_userinfo, checked_entries, linked_identities
from accounts.views import safe_next
from portal.globus.errors import SignInFailed
from tests.accounts.test_sign_in_forged import FORGERIES, LEADS_AWAY, jws
from tests.factories import make_user
from tests.fake_provider import (
    GONE,
    JWKS,
    SUBJECT,
    TOKEN,
    URL,
    USERINFO,
    half_hash,
    jwk_of,
    key_of,
    query_of,
)
from tests.flows import begin, come_back

pytestmark = pytest.mark.django_db

CALLBACK = "/complete/globus/"
WORDS = "words of the provider"
SOMEBODY = "00000000-0000-4000-8000-000000000000"
#: stands for the state of the attempt that this browser has just begun
MINE = object()


def sign_in(browser, fake, **form):
    return come_back(browser, fake.approve(begin(browser, **form)))


def state_of(address):
    return query_of(address)["state"][0]


# --- the attacks, as functions of a browser and a provider; they return the answer


def back_with(*pairs):
    """A callback with these pairs in its query."""

    def attack(browser, fake):
        state = state_of(begin(browser))
        sent = [(name, state if value is MINE else value) for name, value in pairs]
        return browser.get(f"{CALLBACK}?{urlencode(sent)}")

    return attack


def answer_and(*pairs):
    """The provider's good answer, with these pairs besides."""
    return lambda browser, fake: come_back(
        browser, f"{fake.approve(begin(browser))}&{urlencode(pairs)}"
    )


def told(**answers):
    """A sign-in at a provider that answers like this."""

    def attack(browser, fake):
        for name, value in answers.items():
            setattr(fake, name, value)
        return sign_in(browser, fake)

    return attack


def claims(**changed):
    return told(claims=changed)


def broken(path, status, body=WORDS):
    away = {"Location": "https://evil.example/"}
    return told(broken={path: (status, away, body)})


def forged(sign):
    def attack(browser, fake):
        fake.sign = lambda made: sign(made, fake)
        return sign_in(browser, fake)

    return attack


def moments(seconds, *names):
    """Claims that are so far from now."""
    return lambda browser, fake: claims(
        **dict.fromkeys(names, int(time.time()) + seconds)
    )(browser, fake)


def keys_of(make):
    def attack(browser, fake):
        fake.keys = [make(fake)]
        return sign_in(browser, fake)

    return attack


def fresh(**changed):
    """A step-up, of which the answer says this."""

    def attack(browser, fake):
        fake.claims = changed
        return sign_in(browser, fake, fresh="1")

    return attack


def begin_at_a_foreign_provider(change):
    def attack(browser, fake):
        fake.discovery = change
        return browser.post("/login/globus/")

    return attack


def get(address, **options):
    return lambda browser, fake: browser.get(address, **options)


def begin_from_another_site(browser, fake):
    return Client(enforce_csrf_checks=True).post("/login/globus/")


def callback_by_post(browser, fake):
    return browser.post(CALLBACK, {"code": "x", "state": state_of(begin(browser))})


def state_of_another_browser(browser, fake):
    return come_back(browser, fake.approve(begin(Client())))


def state_used_before(browser, fake):
    address = fake.approve(begin(browser))
    declined = {"error": "access_denied", "state": state_of(address)}
    browser.get(f"{CALLBACK}?{urlencode(declined)}")
    return come_back(browser, address)


def state_of_31_minutes_ago(browser, fake):
    address = fake.approve(begin(browser))
    later = time.time() + 31 * 60
    with mock.patch("social_core.backends.oauth._time", return_value=later):
        return come_back(browser, address)


def code_of_somebody_else(browser, fake):
    stolen = query_of(fake.approve(begin(Client())))["code"][0]
    query = {"code": stolen, "state": state_of(begin(browser))}
    return browser.get(f"{CALLBACK}?{urlencode(query)}")


def issuer_not_named(browser, fake):
    fake.discovery = {"authorization_response_iss_parameter_supported": True}
    return sign_in(browser, fake)


def short_key(browser, fake):
    fake.key = key_of(1024)
    return sign_in(browser, fake)


def parameters_in_a_collection(browser, fake):
    hidden = "a&prompt=none&redirect_uri=https://evil.example"
    return browser.post("/login/globus/", {"collection": hidden})


def eleven_begins(browser, fake):
    strangers = (Client(REMOTE_ADDR="192.0.2.7") for _ in range(11))
    return [each.post("/login/globus/") for each in strangers][-1]


def six_begins_in_one_browser(browser, fake):
    return [browser.post("/login/globus/") for _ in range(6)][-1]


def twenty_one_callbacks(browser, fake):
    strangers = (Client(REMOTE_ADDR="192.0.2.7") for _ in range(21))
    return [each.get(CALLBACK) for each in strangers][-1]


def hostile_host(browser, fake):
    return Client(HTTP_HOST="evil.example").get("/login/")


# --- the table: {what: (attack, status, token requests)}

SECTION_2 = {
    "L01 begin by a link": (get("/login/globus/"), 405, 0),
    "L01 begin from another site": (begin_from_another_site, 403, 0),
    "L02 no state": (back_with(("code", "x")), 400, 0),
    "L02 empty state": (back_with(("code", "x"), ("state", "")), 400, 0),
    "L02 wrong state": (back_with(("code", "x"), ("state", "y")), 400, 0),
    "L02 5 000 characters": (back_with(("code", "x"), ("state", "y" * 5000)), 400, 0),
    "L02 NUL": (back_with(("code", "x"), ("state", "\x00")), 400, 0),
    "L02 used state": (state_used_before, 400, 0),
    "L02 another browser's state": (state_of_another_browser, 400, 0),
    "L02 31 minutes": (state_of_31_minutes_ago, 400, 0),
    "L03 wrong nonce": (claims(nonce="x"), 502, 1),
    "L03 no nonce": (claims(nonce=GONE), 502, 1),
    "L03 foreign code": (code_of_somebody_else, 502, 1),
    "L05 POST": (callback_by_post, 405, 0),
    "L05 no code": (back_with(("state", MINE)), 400, 0),
    "L05 empty code": (back_with(("code", ""), ("state", MINE)), 400, 0),
    "L05 code of spaces": (back_with(("code", " "), ("state", MINE)), 400, 0),
    "L05 long code": (back_with(("code", "x" * 2049), ("state", MINE)), 400, 0),
    "L05 two codes": (answer_and(("code", "x")), 400, 0),
    "L05 two states": (answer_and(("state", "x")), 400, 0),
    "L06 wrong issuer": (answer_and(("iss", "https://evil.example")), 502, 0),
    "L06 two issuers": (answer_and(("iss", URL), ("iss", URL)), 400, 0),
    "L06 no issuer": (issuer_not_named, 502, 0),
    **{
        f"L07 {change}": (begin_at_a_foreign_provider(change), 502, 0)
        for change in LEADS_AWAY
    },
    "L08 iss wrong": (claims(iss="https://evil.example"), 502, 1),
    "L08 iss missing": (claims(iss=GONE), 502, 1),
    "L08 aud wrong": (claims(aud=SOMEBODY), 502, 1),
    "L08 aud missing": (claims(aud=GONE), 502, 1),
    "L08 azp wrong": (claims(azp=SOMEBODY), 502, 1),
    "L08 exp wrong": (claims(exp="soon"), 502, 1),
    "L08 exp missing": (claims(exp=GONE), 502, 1),
    "L08 iat wrong": (claims(iat="now"), 502, 1),
    "L08 iat missing": (claims(iat=GONE), 502, 1),
    "L08 nbf wrong": (claims(nbf="now"), 502, 1),
    "L08 nbf tomorrow": (moments(86_400, "nbf"), 502, 1),
    "L08 sub missing": (claims(sub=GONE), 502, 1),
    "L08 sub of another": (claims(sub=SOMEBODY), 502, 1),
    "L08 at_hash wrong": (claims(at_hash=half_hash("another")), 502, 1),
    "L08 at_hash missing": (claims(at_hash=GONE), 502, 1),
    **{f"L08 {way}": (forged(sign), 502, 1) for way, sign in FORGERIES.items()},
    "L09 key of 1 024 bits": (short_key, 502, 1),
    "L09 key for encryption": (
        keys_of(lambda fake: jwk_of(fake.key, use="enc")),
        502,
        1,
    ),
    **{
        f"L10 {kind}": (
            forged(lambda made, fake, kind=kind: jws(b"{}", fake.key, typ=kind)),
            502,
            1,
        )
        for kind in ("at+jwt", "logout+jwt", "secevent+jwt")
    },
    "L10 c_hash wrong": (claims(c_hash=half_hash("another")), 502, 1),
    "L11 keys out of reach": (broken(JWKS, 503), 503, 1),
    "L12 an hour ahead": (moments(3_600, "iat"), 502, 1),
    "L12 over for two minutes": (moments(-120, "exp"), 502, 1),
    "L13 300 characters": (told(claims={"sub": "x" * 300}), 502, 1),
    "L13 NUL": (told(claims={"sub": "\x00"}), 502, 1),
    "L13 a number": (told(claims={"sub": 7}), 502, 1),
    "L14 no sub": (told(userinfo={"sub": GONE}), 502, 1),
    "L14 another sub": (told(userinfo={"sub": SOMEBODY}), 502, 1),
    "L14 null": (told(userinfo=None), 502, 1),
    "L14 a list": (told(userinfo=[{"sub": SUBJECT}]), 502, 1),
    "L14 a text": (told(userinfo=SUBJECT), 502, 1),
    "L14 a number": (told(userinfo=7), 502, 1),
    "L16 no bearer": (told(token={"token_type": "mac"}), 502, 1),
    "L16 no access token": (told(token={"access_token": GONE}), 502, 1),
    "L16 8 193 characters": (told(token={"refresh_token": "x" * 8193}), 502, 1),
    "L16 other tokens": (told(token={"other_tokens": "x"}), 502, 1),
    "L16 not granted": (told(token={"scope": "openid"}), 502, 1),
    "L16 ends too late": (told(token={"expires_in": 10**12}), 502, 1),
    "L16 nameless server": (told(token={"resource_server": ""}), 502, 1),
    "L16 long server": (told(token={"resource_server": "x" * 256}), 502, 1),
    "L17 nothing said": (fresh(last_authentication=GONE), 502, 1),
    "L17 long ago": (fresh(last_authentication=1), 502, 1),
    "L18 301": (broken(TOKEN, 301), 502, 1),
    "L18 307": (broken(TOKEN, 307), 502, 1),
    "L18 too long": (broken(TOKEN, 200, b"x" * 262_145), 502, 1),
    "L20 hidden parameters": (parameters_in_a_collection, 400, 0),
    "L26 partial token": (answer_and(("partial_token", "\x00a")), 400, 0),
    "L29 eleven begins": (eleven_begins, 429, 0),
    "L29 six open attempts": (six_begins_in_one_browser, 429, 0),
    "L29 21 callbacks": (twenty_one_callbacks, 429, 0),
}

SECTION_11 = {
    "declined": (back_with(("error", "access_denied"), ("state", MINE)), 403, 0),
    "declined, no state": (back_with(("error", "access_denied")), 400, 0),
    "another error": (back_with(("error", WORDS), ("state", MINE)), 503, 0),
    "two errors": (
        back_with(("error", "a"), ("error", "b"), ("state", MINE)),
        400,
        0,
    ),
    **{
        f"{path} {status}": (broken(path, status), shown, 1)
        for path in (TOKEN, USERINFO, JWKS)
        for status, shown in ((500, 503), (503, 503), (429, 503), (200, 502))
    },
    "unknown backend": (get("/login/github/"), 404, 0),
    "unknown callback": (get("/complete/github/?code=x&state=y"), 404, 0),
    "nothing": (get("/pending/nothing/"), 404, 0),
    "hostile host": (hostile_host, 400, 0),
}
ATTACKS = SECTION_2 | SECTION_11


def rows():
    return (
        User.objects.count(),
        Token.objects.count(),
        UserSocialAuth.objects.count(),
        Partial.objects.count(),
        AuditEvent.objects.filter(outcome="ok").count(),
    )


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("is_in", [False, True], ids=["stranger", "signed in"])
def test_r10_an_attack_comes_to_nothing(browser, fake, name, is_in):
    attack, status, token_requests = ATTACKS[name]
    if is_in:
        # The one whom the provider speaks of, so that a success would be one.
        user = make_user(identity_id=SUBJECT)
        browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    elif name == "nothing":
        status = 302  # to sign in first
    before, session = rows(), dict(browser.session.items())

    answer = attack(browser, fake)

    assert answer.status_code == status, answer.content.decode()
    assert rows() == before
    assert len(fake.asked_at(TOKEN)) == token_requests
    after = browser.session
    for key in ("_auth_user_id", "signed_in_at", "proved_at"):
        assert after.get(key) == session.get(key)
    page = answer.content.decode()
    assert WORDS not in page
    assert "evil.example" not in page
    assert "form-action 'self'" in answer["Content-Security-Policy"]


# --- R10: a thousand inputs for each thing that reads what others sent; more by night

MANY = int(os.environ.get("FUZZ_EXAMPLES", "1000"))

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def objects(*names):
    """JSON objects that have such members more often than not."""
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON))
    return st.one_of(JSON, known)


QUERY = st.lists(
    st.tuples(st.sampled_from(["code", "state", "error", "iss"]), st.text()), max_size=5
)


@given(pairs=QUERY)
@examples(max_examples=MANY)
def test_r10_callback_queries(pairs):
    query = QueryDict(mutable=True)
    for name, text in pairs:
        query.appendlist(name, text)
    try:
        callback.check_query(query)
    except SignInFailed:
        return
    assert query["state"].isascii()
    assert query.get("code") or "error" in query
    assert all(len(query.getlist(name)) == 1 for name in query)


ID_TOKEN = objects(
    *("iss", "aud", "azp", "exp", "iat", "nbf", "sub", "at_hash", "c_hash")
)


@given(found=ID_TOKEN.filter(lambda each: isinstance(each, dict)))
@examples(max_examples=MANY)
def test_r10_claims_of_id_tokens(found):
    with pytest.raises(SignInFailed):
        id_tokens.check_claims(found, code="x")


HEADER = objects("alg", "typ", "kid", "crit", "jwk", "jku")


@given(header=HEADER.filter(lambda each: isinstance(each, dict)))
@examples(max_examples=MANY)
def test_r10_headers_of_id_tokens(header):
    with pytest.raises(SignInFailed):
        id_tokens.check_header(header)  # only RS512 passes, which is in no example


@given(
    id_token=st.text() | st.from_regex(r"[\w-]+\.[\w-]*\.[\w=-]*", fullmatch=True),
    keys=objects("keys"),
    key=objects("kty", "n", "e", "use", "alg", "kid"),
)
@examples(max_examples=MANY)
def test_r10_keys(id_token, keys, key):
    for document in (keys, {"keys": [key]}):
        try:
            found = metadata.key_list(document)
        except SignInFailed:
            continue
        assert id_tokens.key_that_signed(id_token, {"alg": "RS512"}, found) is None


@given(document=objects("issuer", *metadata.ENDPOINTS))
@examples(max_examples=MANY)
def test_r10_discovery_documents(document):
    with pytest.raises(SignInFailed):
        metadata.check_discovery(document, URL)


@given(document=objects("sub", "name"))
@examples(max_examples=MANY)
def test_r10_userinfo(document):
    with pytest.raises(SignInFailed):
        check_userinfo(document, {"sub": SUBJECT})


ANSWER = objects(
    "access_token",
    "refresh_token",
    "token_type",
    "expires_in",
    "resource_server",
    "scope",
    "other_tokens",
).filter(lambda each: isinstance(each, dict))


@given(answer=ANSWER)
@examples(max_examples=MANY)
def test_r10_token_answers(answer):
    with pytest.raises(SignInFailed):
        checked_entries(answer)


@given(value=JSON | st.lists(objects("sub", "username", "name", "organization")))
@examples(max_examples=MANY)
def test_l15_r10_identity_sets(value):
    for row in linked_identities(value):
        assert all(len(text) <= 255 and "\x00" not in text for text in row.values())


@given(
    target=st.text()
    | st.from_regex(r"[/\\%2fF5cC\s]{0,6}(https?:)?[/\\@.]{0,4}e\.example.*")
)
@examples(max_examples=MANY)
def test_l23_r10_where_to_go_on(target):
    """A browser takes backslashes for slashes, and leaves tabs and line ends out."""
    found = safe_next(target)
    assert found.startswith("/")
    assert found.isprintable()
    assert not found.replace("\\", "/").startswith("//")
