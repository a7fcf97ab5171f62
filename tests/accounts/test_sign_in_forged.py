"""Answers that no honest Globus gives, made by a provider within the test.

The ids name security.md's section 2. Each refusal leaves no session, no row, and no
request that should not have been sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import string
import time
from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.parse import urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from social_django.models import Nonce, Partial, UserSocialAuth

from accounts import id_tokens, metadata
from accounts.models import AuditEvent, Token, User
from accounts.sign_in import identity_from
from portal.globus import scopes
from portal.globus.errors import SignInNotFresh, SignInUnverified
from tests.fake_provider import (
    DISCOVERY,
    GONE,
    JWKS,
    SUBJECT,
    TOKEN,
    URL,
    USERINFO,
    challenge_of,
    half_hash,
    jwk_of,
    key_of,
    query_of,
)
from tests.flows import begin, come_back

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_half_way():
    """L26: whatever happens, no step of a sign-in is stored to go on with later."""
    yield
    assert Partial.objects.count() == 0


def sign_in(browser, fake, **form):
    return come_back(browser, fake.approve(begin(browser, **form)))


def rows():
    return (
        User.objects.count(),
        Token.objects.count(),
        UserSocialAuth.objects.count(),
    )


def assert_refused(browser, fake, answer, *, status=502, token_requests=1):
    assert answer.status_code == status, answer.content.decode()
    assert "_auth_user_id" not in browser.session
    assert rows() == (0, 0, 0)
    assert len(fake.asked_at(TOKEN)) == token_requests
    refusal = AuditEvent.objects.get()
    assert (refusal.kind, refusal.outcome) == ("person:session:sign-in", "refused")
    page = answer.content.decode()
    assert answer["X-Request-Id"] in page
    assert 'action="/login/globus/"' in page, "a way to start again"


def assert_signed_in(browser, answer):
    assert answer.status_code == 302, answer.content.decode()
    assert browser.session["_auth_user_id"] == str(User.objects.get().pk)
    assert Token.objects.count() == 3


def test_the_provider_of_these_tests_lets_an_honest_sign_in_through(browser, fake):
    fake.looks_at_verifier = True
    assert_signed_in(browser, sign_in(browser, fake))
    assert User.objects.get().name == "Emmy Noether"
    assert not Nonce.objects.exists()


# --- L03, L04, L19: what is sent, and what ties the answer to this attempt


@pytest.mark.parametrize("nonce", ["another", "", GONE, 7, ["x"]])
def test_l03_the_nonce_is_this_attempts(browser, fake, nonce):
    fake.claims = {"nonce": nonce}
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l03_a_foreign_code_with_ones_own_state_is_refused(browser, fake):
    """The provider does not look at the verifier here; the nonce still tells."""
    stolen = query_of(fake.approve(begin(Client())))["code"][0]
    mine = query_of(begin(browser))["state"][0]
    answer = browser.get(
        f"/complete/globus/?{urlencode({'code': stolen, 'state': mine})}"
    )
    assert_refused(browser, fake, answer)


def test_l04_the_verifier_hashes_to_the_challenge(browser, fake):
    address = begin(browser)
    come_back(browser, fake.approve(address))
    asked = query_of(address)
    assert asked["code_challenge_method"] == ["S256"]
    [form] = fake.forms()
    assert challenge_of(form["code_verifier"]) == asked["code_challenge"][0]
    assert len(form["code_verifier"]) >= 43


def test_l19_the_secret_travels_as_basic_and_nowhere_else(browser, fake):
    sign_in(browser, fake)
    pair = f"{settings.GLOBUS_CLIENT_ID}:{settings.GLOBUS_CLIENT_SECRET}"
    basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
    [request] = fake.asked_at(TOKEN)
    assert request.headers["Authorization"] == basic
    assert "client_secret" not in str(request.body)
    for each in fake.asked:
        assert settings.GLOBUS_CLIENT_SECRET not in f"{each.url}{each.body}"


# --- L06, L07: who answers


def test_l06_an_answer_that_names_its_issuer_is_let_in(browser, fake):
    fake.discovery = {"authorization_response_iss_parameter_supported": True}
    answer = come_back(browser, fake.approve(begin(browser), iss=URL))
    assert_signed_in(browser, answer)


@pytest.mark.parametrize("announced", [True, False, GONE])
@pytest.mark.parametrize(
    "iss", ["https://evil.example", f"{URL}/", URL.upper(), "", "\x00"]
)
def test_l06_another_issuers_answer_is_refused(browser, fake, announced, iss):
    fake.discovery = {"authorization_response_iss_parameter_supported": announced}
    answer = come_back(browser, fake.approve(begin(browser), iss=iss))
    assert_refused(browser, fake, answer, token_requests=0)


def test_l06_an_announced_issuer_must_be_there(browser, fake):
    fake.discovery = {"authorization_response_iss_parameter_supported": True}
    answer = sign_in(browser, fake)
    assert_refused(browser, fake, answer, token_requests=0)


def test_l06_an_issuer_named_twice_is_refused(browser, fake):
    address = fake.approve(begin(browser), iss=URL)
    answer = come_back(browser, f"{address}&{urlencode({'iss': URL})}")
    assert_refused(browser, fake, answer, status=400, token_requests=0)


LEADS_AWAY = [
    {"issuer": "https://evil.example"},
    {"issuer": f"{URL}/"},
    {"issuer": GONE},
    {"issuer": [URL]},
    {"token_endpoint": "https://evil.example/token"},
    {"token_endpoint": "http://auth.example.test/token"},
    {"token_endpoint": "https://auth.example.test:444/token"},
    {"token_endpoint": "https://auth.example.test@evil.example/token"},
    {"token_endpoint": "https://["},
    {"jwks_uri": "https://auth.example.test.evil.example/jwk.json"},
    {"userinfo_endpoint": "//evil.example/userinfo"},
    {"userinfo_endpoint": GONE},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"authorization_endpoint": 7},
    {"revocation_endpoint": "https://evil.example/revoke"},
]


@pytest.mark.parametrize("change", LEADS_AWAY)
def test_l07_a_discovery_document_that_leads_away_ends_the_sign_in(
    browser, fake, change
):
    fake.discovery = change
    answer = browser.post("/login/globus/")
    assert answer.status_code == 502
    assert "evil" not in answer.content.decode()
    assert [urlsplit(each.url).path for each in fake.asked] == [DISCOVERY]
    assert rows() == (0, 0, 0)


def test_l07_a_bad_document_is_not_kept(browser, fake):
    fake.discovery = {"issuer": "https://evil.example"}
    assert browser.post("/login/globus/").status_code == 502
    fake.discovery = {}
    assert_signed_in(browser, sign_in(browser, fake))


def test_l07_a_kept_document_is_checked_again_when_it_is_used(browser, fake):
    address = fake.approve(begin(browser))
    kept = metadata._kept[URL + DISCOVERY]
    kept.document["token_endpoint"] = "https://evil.example/token"
    answer = come_back(browser, address)
    assert_refused(browser, fake, answer, token_requests=0)


@pytest.mark.parametrize("document", [[], None, "x", 7])
def test_l07_a_discovery_document_is_an_object(browser, fake, document):
    fake.broken = {DISCOVERY: (200, {}, json.dumps(document))}
    assert browser.post("/login/globus/").status_code == 502


# --- L08, L09, L10: the ID token


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://evil.example"),
        ("iss", GONE),
        ("iss", [URL]),
        ("aud", "00000000-0000-4000-8000-000000000000"),
        ("aud", []),
        ("aud", GONE),
        ("aud", 7),
        ("azp", "00000000-0000-4000-8000-000000000000"),
        ("exp", GONE),
        ("exp", "soon"),
        ("exp", True),
        ("exp", []),
        ("iat", GONE),
        ("iat", "now"),
        ("iat", {}),
        ("nbf", "now"),
        ("nbf", 10**30),
        ("sub", GONE),
        ("sub", ""),
        ("sub", 7),
        ("sub", [SUBJECT]),
        ("sub", "00000000-0000-4000-8000-000000000000"),
        ("at_hash", half_hash("another token")),
        ("at_hash", GONE),
        ("at_hash", 7),
    ],
)
def test_l08_a_claim_that_is_wrong_or_missing_is_refused(browser, fake, claim, value):
    fake.claims = {claim: value}
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l08_several_audiences_need_the_authorized_party(browser, fake):
    ours, other = settings.GLOBUS_CLIENT_ID, "00000000-0000-4000-8000-000000000000"
    fake.claims = {"aud": [ours, other]}
    assert_refused(browser, fake, sign_in(browser, fake))
    fake.claims = {"aud": [ours, other], "azp": ours}
    assert_signed_in(browser, sign_in(browser, fake))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_l08_numbers_that_are_none_are_refused(browser, fake, claim, number):
    def sign(claims):
        text = json.dumps({**claims, claim: 0}).replace(
            f'"{claim}": 0', f'"{claim}": {number}'
        )
        return jws(text.encode(), fake.key)

    fake.sign = sign
    assert_refused(browser, fake, sign_in(browser, fake))


def jws(payload, key, **header):
    """A signed text that need be no JSON."""
    return jwt.api_jws.encode(payload, key, algorithm="RS512", headers=header)


@pytest.mark.parametrize("payload", [b"[]", b"null", b"x", b"\xff", b"{", b'"x"'])
def test_l08_a_payload_that_is_no_object_is_refused(browser, fake, payload):
    fake.sign = lambda claims: jws(payload, fake.key)
    assert_refused(browser, fake, sign_in(browser, fake))


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(algorithm):
    return lambda claims, fake: (
        f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}."
    )


def by_mac(secret_of):
    """HS256, keyed with something that is not secret, or not for this."""

    def sign(claims, fake):
        signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
        mac = hmac.new(secret_of(fake), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    return sign


def public_pem(fake):
    return fake.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_jwk(fake):
    return json.dumps(jwk_of(fake.key)).encode()


def by_elliptic_curve(claims, fake):
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256")


def by_rs256(claims, fake):
    return jwt.encode(claims, fake.key, "RS256")


def by_key_of_its_own(claims, fake):
    own = key_of(2048, 1)
    return jwt.encode(claims, own, "RS512", headers={"jwk": jwk_of(own)})


def by_key_from_an_address(claims, fake):
    headers = {"jku": "https://evil.example/jwk.json", "x5u": "https://evil.example/x"}
    return jwt.encode(claims, key_of(2048, 1), "RS512", headers=headers)


def with_rules_of_its_own(claims, fake):
    headers = {"crit": ["evil"], "evil": True}
    return jwt.encode(claims, fake.key, "RS512", headers=headers)


def without_signature(claims, fake):
    return jwt.encode(claims, fake.key, "RS512").rpartition(".")[0] + "."


def with_half_a_signature(claims, fake):
    return jwt.encode(claims, fake.key, "RS512")[:-100]


FORGERIES = {
    "none": unsigned("none"),
    "NoNe": unsigned("NoNe"),
    "public key as PEM": by_mac(public_pem),
    "public key as JWK": by_mac(public_jwk),
    "client secret": by_mac(lambda fake: settings.GLOBUS_CLIENT_SECRET.encode()),
    "nothing": by_mac(lambda fake: b""),
    "elliptic curve": by_elliptic_curve,
    "RS256": by_rs256,
    "embedded jwk": by_key_of_its_own,
    "jku": by_key_from_an_address,
    "crit": with_rules_of_its_own,
    "no signature": without_signature,
    "half a signature": with_half_a_signature,
    "no token": lambda claims, fake: "x",
    "dots": lambda claims, fake: "..",
    "not ASCII": lambda claims, fake: "ü.ü.ü",
    "a surrogate": lambda claims, fake: "\ud800.\ud800.\ud800",
}


@pytest.mark.parametrize("way", FORGERIES)
def test_l08_a_signature_that_is_not_the_issuers_is_refused(browser, fake, way):
    fake.sign = lambda claims: FORGERIES[way](claims, fake)
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize("id_token", [GONE, None, 7, [], ""])
def test_l08_an_answer_without_an_id_token_is_refused(browser, fake, id_token):
    fake.token = {"id_token": id_token}
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"use": ["sig"]},
        {"alg": "RS256"},
        {"kty": "EC"},
        {"n": GONE},
        {"n": "!"},
        {"e": 7},
    ],
)
def test_l09_a_key_that_is_not_for_this_is_not_used(browser, fake, more):
    fake.keys = [jwk_of(fake.key, **more)]
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l09_a_short_key_is_not_used(browser, fake):
    fake.key = key_of(1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        answer = sign_in(browser, fake)
    assert_refused(browser, fake, answer)


@pytest.mark.parametrize("more", [{"use": GONE}, {"alg": GONE}, {"kid": "1"}])
def test_l09_a_key_that_says_less_is_used(browser, fake, more):
    fake.keys = [{"kty": "oct", "k": "AAAA"}, jwk_of(fake.key, **more)]
    assert_signed_in(browser, sign_in(browser, fake))


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": {}}, [], "x"])
def test_l09_a_key_set_of_another_shape_is_refused(browser, fake, keys):
    fake.broken = {JWKS: (200, {}, json.dumps(keys))}
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize("kind", ["at+jwt", "logout+jwt", "", 7, ["JWT"]])
def test_l10_another_kind_of_token_is_refused(browser, fake, kind):
    fake.sign = lambda claims: jws_with_header(claims, fake, {"typ": kind})
    assert_refused(browser, fake, sign_in(browser, fake))


def jws_with_header(claims, fake, header):
    signed = f"{part({'alg': 'RS512', **header})}.{part(claims)}"
    algorithm = jwt.get_algorithm_by_name("RS512")
    signature = algorithm.sign(signed.encode(), fake.key)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "jwt"}])
def test_l10_a_plain_token_is_let_in(browser, fake, header):
    fake.sign = lambda claims: jws_with_header(claims, fake, header)
    assert_signed_in(browser, sign_in(browser, fake))


@pytest.mark.parametrize("claim", [half_hash("another code"), "", 7, "ü"])
def test_l10_a_wrong_c_hash_is_refused(browser, fake, claim):
    fake.claims = {"c_hash": claim}
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l10_the_right_c_hash_is_let_in(browser, fake):
    fake.claims = {"c_hash": half_hash("code0")}
    assert_signed_in(browser, sign_in(browser, fake))


# --- L11, L12: keys that change, clocks that differ


def at(seconds):
    """``metadata`` sees this much time gone, however long a test takes."""
    return mock.patch("accounts.metadata.monotonic", return_value=1_000_000 + seconds)


def test_l11_keys_are_kept_for_an_hour(browser, fake):
    for seconds, looked in ((0, 1), (3_500, 1), (3_700, 2)):
        with at(seconds):
            assert sign_in(browser, fake).status_code == 302
        assert len(fake.asked_at(JWKS)) == looked
        browser.logout()


def test_l11_a_replaced_key_without_a_name_is_found(browser, fake):
    sign_in(browser, fake)
    browser.logout()
    fake.key = key_of(2048, 1)
    assert_signed_in(browser, sign_in(browser, fake))
    assert len(fake.asked_at(JWKS)) == 2


def test_l11_a_new_kid_is_found(browser, fake):
    fake.keys = [jwk_of(fake.key, kid="old")]
    fake.sign = lambda claims: jws_with_header(claims, fake, {"kid": "old"})
    sign_in(browser, fake)
    browser.logout()
    fake.key = key_of(2048, 1)
    fake.keys = [jwk_of(key_of(2048), kid="old"), jwk_of(fake.key, kid="new")]
    fake.sign = lambda claims: jws_with_header(claims, fake, {"kid": "new"})
    assert_signed_in(browser, sign_in(browser, fake))


def test_l11_forged_tokens_cost_one_look_at_the_keys_a_minute(browser, fake, settings):
    published = [jwk_of(fake.key)]
    fake.keys, fake.key = published, key_of(2048, 1)
    for seconds, looked in ((0, 2), (1, 2), (59, 2), (61, 3), (62, 3)):
        with at(seconds):
            assert sign_in(browser, fake).status_code == 502
        assert len(fake.asked_at(JWKS)) == looked
    assert rows() == (0, 0, 0)


def test_l11_with_keys_at_hand_an_outage_of_them_is_not_noticed(browser, fake):
    sign_in(browser, fake)
    browser.logout()
    fake.broken = {JWKS: (503, {}, "")}
    assert_signed_in(browser, sign_in(browser, fake))


def test_l11_without_keys_nobody_comes_in(browser, fake):
    fake.broken = {JWKS: (503, {}, "")}
    assert_refused(browser, fake, sign_in(browser, fake), status=503)


@pytest.mark.parametrize("claims", [{"iat": 30}, {"nbf": 30}, {"iat": 30, "nbf": 30}])
def test_l12_a_clock_that_is_half_a_minute_ahead_is_honest(browser, fake, claims):
    now = int(time.time())
    fake.claims = {name: now + shift for name, shift in claims.items()}
    assert_signed_in(browser, sign_in(browser, fake))


@pytest.mark.parametrize(
    "claims",
    [{"iat": 3_600}, {"nbf": 3_600}, {"exp": -120}, {"iat": -7_200}, {"exp": -(10**9)}],
)
def test_l12_a_clock_that_is_far_off_is_refused(browser, fake, claims):
    now = int(time.time())
    fake.claims = {name: now + shift for name, shift in claims.items()}
    assert_refused(browser, fake, sign_in(browser, fake))


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("claim", "seconds", "holds"),
    [
        ("iat", 60, True),
        ("iat", 61, False),
        ("iat", -360, True),
        ("iat", -361, False),
        ("exp", -59, True),
        ("exp", -60, False),
        ("nbf", 60, True),
        ("nbf", 61, False),
    ],
)
def test_l12_each_edge(claim, seconds, holds):
    noon = int(NOON.timestamp())
    claims = {"iat": noon, "exp": noon + 600, claim: noon + seconds}
    if holds:
        id_tokens.check_moments(claims, now=NOON)
    else:
        with pytest.raises(SignInUnverified):
            id_tokens.check_moments(claims, now=NOON)


# --- L13, L14, L15: who it is


@given(subject=st.one_of(st.text(), st.uuids().map(str), st.integers(), st.none()))
@examples(max_examples=1000)
def test_l13_only_a_globus_identity_is_a_subject(subject):
    try:
        identity = identity_from(subject)
    except SignInUnverified:
        return
    assert str(identity) == subject
    assert set(subject) <= set(string.hexdigits.lower() + "-")


@pytest.mark.parametrize("subject", ["x" * 300, "a\x00b", "{}", "\ud800", "' OR 1=1"])
def test_l13_a_subject_of_another_kind_stores_nothing(browser, fake, subject):
    fake.claims = fake.userinfo = {"sub": subject}
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize(
    "userinfo",
    [
        {"sub": GONE},
        {"sub": None},
        {"sub": "00000000-0000-4000-8000-000000000000"},
        {"sub": [SUBJECT]},
        None,
        [],
        [{"sub": SUBJECT}],
        "x",
        7,
        True,
    ],
)
def test_l14_userinfo_is_about_the_same_person(browser, fake, userinfo):
    fake.userinfo = userinfo
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"sub": ' + b"9" * 5000 + b"}"]
)
def test_l14_userinfo_that_is_no_json_is_refused(browser, fake, body):
    fake.broken = {USERINFO: (200, {}, body)}
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l14_userinfo_replaces_no_token(browser, fake):
    fake.userinfo = {
        "access_token": "evil",
        "refresh_token": "evil",
        "other_tokens": [],
        "scope": "evil",
        "resource_server": "evil",
        "is_staff": True,
        "is_superuser": True,
        "user": "evil",
        "backend": "evil",
    }
    assert_signed_in(browser, sign_in(browser, fake))
    kept = {
        secret.reveal()
        for token in Token.objects.all()
        for secret in (token.access_token(), token.refresh_token())
    }
    assert "evil" not in kept
    assert {token.resource_server for token in Token.objects.all()} == {
        scopes.AUTH,
        scopes.TRANSFER,
        scopes.GROUPS,
    }
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (False, False)


@pytest.mark.parametrize(
    ("claim", "stored"),
    [
        ("Emmy\x00 N.", "Emmy N."),
        ("x" * 500, "x" * 255),
        ("\ud800", ""),
        ("\u202eymmE", "ymmE"),
        (7, ""),
        ({"a": 1}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_l15_profile_text_that_is_odd_is_tidied(browser, fake, claim, stored):
    names = ("name", "preferred_username", "email", "organization")
    fake.userinfo = dict.fromkeys((*names, "identity_provider_display_name"), claim)
    fake.userinfo["identity_set"] = [{"sub": claim, "username": claim}, claim]
    assert_signed_in(browser, sign_in(browser, fake))
    user = User.objects.get()
    assert {getattr(user, name) for name in names} == {stored}
    assert user.linked_identities[0]["username"] == stored


ADDRESSES = ipaddress.ip_network("10.0.0.0/8").hosts()


def somebody_elses_browser():
    """From an address of its own, since no address may sign in that often."""
    return Client(REMOTE_ADDR=str(next(ADDRESSES)))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
CLAIMS = st.dictionaries(
    st.sampled_from(
        ["sub", "name", "email", "preferred_username", "organization", "identity_set"]
    )
    | st.text(max_size=8),
    JSON,
    max_size=6,
)


# A whole sign-in each; test_attacks.py gives the checks a thousand.
@examples(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(userinfo=JSON | CLAIMS)
def test_l14_l15_no_userinfo_breaks_the_portal(fake, userinfo):
    """Either it names the person of the ID token, or nobody comes in."""
    browser = somebody_elses_browser()
    fake.userinfo = userinfo
    answer = sign_in(browser, fake)
    if answer.status_code == 302:
        assert User.objects.get().identity_id
        Token.objects.all().delete()
        User.objects.all().delete()
    else:
        assert answer.status_code == 502
        assert "_auth_user_id" not in browser.session
    assert rows() == (0, 0, 0)


QUERY = st.lists(
    st.tuples(
        st.sampled_from(
            ["code", "state", "error", "iss", "next", "partial_token", "denied", "user"]
        )
        | st.text(max_size=5),
        st.text(max_size=40) | st.just("x" * 2500),
    ),
    max_size=6,
)


@examples(
    max_examples=1000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=QUERY)
def test_l02_l05_no_callback_breaks_the_portal(fake, query):
    browser = somebody_elses_browser()
    pairs = [
        (name.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass"))
        for name, text in query
    ]
    answer = browser.get(f"/complete/globus/?{urlencode(pairs)}")
    assert answer.status_code == 400
    assert "_auth_user_id" not in browser.session
    assert rows() == (0, 0, 0)
    assert fake.asked == []


# --- L16: the tokens


@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "mac"},
        {"token_type": GONE},
        {"access_token": "a b"},
        {"access_token": "ü"},
        {"access_token": "x" * 8193},
        {"access_token": ["x"]},
        {"access_token": GONE},
        {"refresh_token": GONE},
        {"refresh_token": "a\x00"},
        {"resource_server": "x" * 300},
        {"resource_server": "a\x00"},
        {"scope": None},
        {"scope": "openid\x00"},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": -1},
        {"expires_in": 10**20},
        {"other_tokens": None},
        {"other_tokens": {}},
        {"other_tokens": [7]},
        {"other_tokens": [None]},
    ],
)
def test_l16_an_answer_of_another_shape_is_refused(browser, fake, change):
    fake.token = change
    if isinstance(token := change.get("access_token"), str):
        fake.claims = {"at_hash": half_hash(token)}
    assert_refused(browser, fake, sign_in(browser, fake))


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_l16_an_answer_that_is_no_object_is_refused(browser, fake, document):
    fake.broken = {TOKEN: (200, {}, json.dumps(document))}
    assert_refused(browser, fake, sign_in(browser, fake))


def test_l16_a_scope_that_was_not_granted_is_named(browser, fake):
    fake.token = {"other_tokens": []}
    answer = sign_in(browser, fake)
    assert_refused(browser, fake, answer)
    page = answer.content.decode()
    for server in (scopes.TRANSFER, scopes.GROUPS):
        for scope in scopes.SIGN_IN_SCOPES_BY_SERVER[server]:
            assert scope in page


def test_l16_a_scope_granted_for_another_server_does_not_count(browser, fake):
    everything = " ".join(scopes.SIGN_IN_SCOPES)
    fake.token = {"other_tokens": [], "scope": everything}
    assert_refused(browser, fake, sign_in(browser, fake))


# --- L17: what was asked of a step-up


def test_l17_a_fresh_sign_in_makes_globus_ask(browser, fake):
    address = begin(browser, fresh="1")
    assert query_of(address)["prompt"] == ["login"]
    assert "prompt" not in query_of(begin(browser))


def test_l17_an_attempt_that_nobody_knows_any_more_is_refused(browser, fake):
    """It may have been one that was to be fresh."""
    address = fake.approve(begin(browser, fresh="1"))
    session = browser.session
    session["sign_in_attempts"] = {}
    session.save()
    answer = come_back(browser, address)
    assert_refused(browser, fake, answer, status=400, token_requests=0)


def test_l17_a_fresh_sign_in_is_let_in(browser, fake):
    assert_signed_in(browser, sign_in(browser, fake, fresh="1"))


@pytest.mark.parametrize(
    "claims",
    [
        {"last_authentication": GONE},
        {"last_authentication": None},
        {"last_authentication": "now"},
        {"last_authentication": True},
        {"last_authentication": 0},
        {"auth_time": 1_600_000_000},
        {"last_authentication": 4_000_000_000},
    ],
)
def test_l17_an_old_sign_in_is_not_fresh(browser, fake, claims):
    fake.claims = claims
    answer = sign_in(browser, fake, fresh="1")
    assert_refused(browser, fake, answer)
    assert "did not report that you just signed in" in answer.content.decode()


@pytest.mark.parametrize(
    ("claims", "acr_values"),
    [
        ({}, None),
        ({"auth_time": None}, None),
        ({"auth_time": -61}, None),
        ({"auth_time": 3_600}, None),
        ({"auth_time": 0}, ("mfa",)),
        ({"auth_time": 0, "acr": "password"}, ("mfa",)),
    ],
)
def test_l17_what_was_not_shown_is_not_believed(claims, acr_values):
    since = datetime.now(UTC)
    told = {
        name: since.timestamp() + value if isinstance(value, int) else value
        for name, value in claims.items()
    }
    with pytest.raises(SignInNotFresh):
        id_tokens.verified_step_up(told, since=since, acr_values=acr_values)


def test_l17_what_was_shown_is_believed():
    since = datetime.now(UTC)
    claims = {"auth_time": since.timestamp() - 59, "acr": "mfa"}
    at = id_tokens.verified_step_up(claims, since=since, acr_values=("mfa",))
    assert since - at <= timedelta(seconds=60)


# --- section 11: what Auth may say instead


@pytest.mark.parametrize("path", [TOKEN, USERINFO, JWKS])
@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (500, "", 503),
        (503, "<h1>words of the provider</h1>", 503),
        (429, "", 503),
        (200, "<h1>words of the provider</h1>", 502),
        (204, "", 502),
        (302, "", 502),
        (307, "", 502),
        (404, "", 502),
        (400, '{"error": ["x"]}', 502),
        (400, "[" * 50_000, 502),
        (403, '{"error": "access_denied"}', 502),
    ],
)
def test_an_answer_that_is_none_stores_nothing(
    browser, fake, path, status, body, shown
):
    away = {"Location": "https://evil.example/"}
    fake.broken = {path: (status, away, body)}
    answer = sign_in(browser, fake)
    assert_refused(browser, fake, answer, status=shown)
    assert "words of the provider" not in answer.content.decode()


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    ("error", "shown", "words"),
    [
        ("invalid_grant", 400, "Please start again"),
        ("invalid_client", 502, "this portal&#x27;s own credentials"),
        ("invalid_request", 502, "could not be verified"),
    ],
)
def test_what_the_token_endpoint_says_becomes_a_sentence(
    browser, fake, status, error, shown, words
):
    body = json.dumps({"error": error, "error_description": "words of the provider"})
    fake.broken = {TOKEN: (status, {}, body)}
    answer = sign_in(browser, fake)
    assert_refused(browser, fake, answer, status=shown)
    assert words in answer.content.decode()
    assert "words of the provider" not in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("access_denied", 403),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
        ("login_required", 503),
        ("consent_required", 503),
        ("unheard_of", 503),
        ("<script>", 503),
        ("", 503),
    ],
)
def test_an_error_closes_the_attempt_and_shows_no_words_of_the_provider(
    browser, fake, error, status
):
    state = query_of(begin(browser))["state"][0]
    query = {"error": error, "error_description": "words of the provider"}
    address = f"/complete/globus/?{urlencode({**query, 'state': state})}"
    answer = browser.get(address)
    assert_refused(browser, fake, answer, status=status, token_requests=0)
    assert "words of the provider" not in answer.content.decode()
    assert browser.session["sign_in_attempts"] == {}
    again = f"/complete/globus/?{urlencode({'code': 'code0', 'state': state})}"
    assert browser.get(again).status_code == 400
    assert fake.asked_at(TOKEN) == []


def test_an_error_for_no_attempt_of_this_browser_is_not_believed(browser, fake):
    """The state first: anyone can send somebody to an address with an error."""
    answer = browser.get("/complete/globus/?error=access_denied&state=x")
    assert_refused(browser, fake, answer, status=400, token_requests=0)
    assert "declined" not in answer.content.decode()
