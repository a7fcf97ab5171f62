"""Sign-in over the sandbox; the ids name security.md's section 2."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from social_django.models import Partial, UserSocialAuth

from accounts import tokens
from accounts.clients import transfer_client
from accounts.metadata import check_discovery
from accounts.models import AuditEvent, Session, Token, User
from accounts.sign_in import (
    identity_from,
    linked_identities,
    profile_text,
)
from accounts.token_answers import is_token_entry
from portal.globus import scopes
from portal.globus.errors import AccountDisabled, SignInUnverified
from sandbox import seed
from tests.flows import address_in, begin, come_back, person, sign_in

TOKEN_ROUTE = "/auth/v2/oauth2/token"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_half_way():
    """L26: whatever happens, no step of a sign-in is stored to go on with later."""
    yield
    assert Partial.objects.count() == 0


def assert_nobody_came_in(browser, sandbox, answer, *, status, token_requests=0):
    assert answer.status_code == status
    assert "_auth_user_id" not in browser.session
    assert User.objects.count() == 0
    assert Token.objects.count() == 0
    assert len(sandbox.requests(TOKEN_ROUTE)) == token_requests
    page = answer.content.decode()
    assert 'action="/login/globus/"' in page, "a way to start again"


def test_a_person_signs_in_and_the_vault_holds_a_token_per_resource_server(
    browser, sandbox
):
    answer = sign_in(browser, sandbox, "ada", next="/groups/")

    assert (answer.status_code, answer["Location"]) == (302, "/groups/")
    ada = person("ada")
    assert browser.session["_auth_user_id"] == str(ada.pk)
    assert ada.preferred_username == seed.ADA
    held = Token.objects.held_for(ada)
    assert {token.resource_server for token in held} == {
        scopes.AUTH,
        scopes.TRANSFER,
        scopes.GROUPS,
    }
    assert all(token.refresh_token() for token in held)
    assert not ada.has_usable_password()


def test_the_linked_identities_are_known(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    assert len(person("ada").linked_identities) >= 2


def test_a_second_sign_in_finds_the_same_person(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    sign_in(Client(), sandbox, "ada")
    assert User.objects.count() == 1
    assert Token.objects.count() == 3
    assert set(Token.objects.values_list("generation", flat=True)) == {2}


def every_text_in_the_database():
    """``(table, column, text)`` for each value that could hold a text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public'"
        )
        columns = [row for row in cursor.fetchall() if row[2] != "bigint"]
        for table, column, kind in columns:
            shown = (
                f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
            )
            cursor.execute(
                f'SELECT {shown} FROM "{table}" WHERE "{column}" IS NOT NULL'
            )
            for (text,) in cursor.fetchall():
                yield table, column, text


def test_t01_no_token_is_in_clear_in_any_table(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    tokens = [
        secret.reveal()
        for token in Token.objects.all()
        for secret in (token.access_token(), token.refresh_token())
        if secret
    ]
    assert len(tokens) == 6

    texts = list(every_text_in_the_database())

    assert any("ada" in text for _, _, text in texts), "the search must see the rows"
    leaks = [
        (table, column)
        for table, column, text in texts
        for token in tokens
        if token in text or token[:24] in text
    ]
    assert leaks == []
    decoded = [
        Session(session_data=each.session_data).get_decoded()
        for each in Session.objects.all()
    ]
    assert not any(token in str(decoded) for token in tokens)
    assert [each.extra_data for each in UserSocialAuth.objects.all()] == [{}]


def test_t01_the_client_secret_is_in_no_table(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    secret = settings.GLOBUS_CLIENT_SECRET
    assert not [row for row in every_text_in_the_database() if secret in row[2]]


def test_l01_a_sign_in_begins_with_a_post_from_our_page(sandbox):
    browser = Client(enforce_csrf_checks=True)
    assert browser.get("/login/globus/").status_code == 405
    assert browser.post("/login/globus/").status_code == 403


def test_l04_s07_the_way_to_globus(browser, sandbox):
    address = begin(browser)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["access_type"] == ["offline"]
    assert asked["redirect_uri"] == ["http://localhost:8000/complete/globus/"]
    assert asked["scope"] == [" ".join(scopes.SIGN_IN_SCOPES)]
    assert len(asked["state"][0]) == 32
    assert asked["nonce"]


def test_l04_a_wrong_verifier_is_refused(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    session = browser.session
    for name, value in session.items():
        if "verifier" in name:
            session[name] = "x" * 64
        elif isinstance(value, dict):
            session[name] = {
                key: "x" * 64 if "verifier" in key else each
                for key, each in value.items()
            }
    session.save()
    answer = come_back(browser, address)
    assert_nobody_came_in(browser, sandbox, answer, status=400, token_requests=1)


@pytest.mark.parametrize(
    "change", ["missing", "empty", "wrong", "long", "nul", "twice"]
)
def test_l02_l05_a_wrong_state_sends_no_token_request(browser, sandbox, change):
    address = sandbox.approve(begin(browser), "ada")
    query = dict(parse_qsl(urlsplit(address).query))
    code = [("code", query["code"])]
    changed = {
        "missing": code,
        "empty": [*code, ("state", "")],
        "wrong": [*code, ("state", "x" * 32)],
        "long": [*code, ("state", "x" * 5000)],
        "nul": [*code, ("state", query["state"] + "\x00")],
        "twice": [*code, ("state", query["state"]), ("state", query["state"])],
    }[change]
    answer = browser.get(f"/complete/globus/?{urlencode(changed)}")
    assert_nobody_came_in(browser, sandbox, answer, status=400)


def test_l02_another_browsers_callback_is_refused(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    other = Client()
    answer = come_back(other, address)
    assert_nobody_came_in(other, sandbox, answer, status=400)


def test_l02_a_replayed_callback_is_refused(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    assert come_back(browser, address).status_code == 302
    browser.logout()
    requests_before = len(sandbox.requests(TOKEN_ROUTE))

    answer = come_back(browser, address)

    assert answer.status_code == 400
    assert "_auth_user_id" not in browser.session
    assert len(sandbox.requests(TOKEN_ROUTE)) == requests_before


@pytest.mark.parametrize(
    "query", ["", "state=x", "code=&state=x", "code=a&code=b&state=x"]
)
def test_l05_a_callback_that_makes_no_sense_is_refused(browser, sandbox, query):
    answer = browser.get(f"/complete/globus/?{query}")
    assert_nobody_came_in(browser, sandbox, answer, status=400)


def test_l05_a_callback_is_a_get(browser, sandbox):
    assert browser.post("/complete/globus/?code=a&state=b").status_code == 405


def test_a_declined_consent_is_no_sign_in(browser, sandbox):
    answer = sign_in(browser, sandbox, "ada", allow=False)
    assert_nobody_came_in(browser, sandbox, answer, status=403)
    assert "declined" in answer.content.decode()


@pytest.mark.parametrize(
    "fault",
    ["iss", "aud", "nonce", "at_hash", "expired", "future_iat", "signature", "missing"],
)
def test_l08_l12_a_forged_id_token_is_refused(browser, sandbox, fault):
    sandbox.set(forge_id_token=fault)
    answer = sign_in(browser, sandbox, "ada")
    assert_nobody_came_in(browser, sandbox, answer, status=502, token_requests=1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_of_auth_says_try_again(browser, sandbox, status):
    address = sandbox.approve(begin(browser), "ada")
    sandbox.fault(TOKEN_ROUTE, status=status)
    answer = come_back(browser, address)
    assert answer.status_code == 503
    assert "could not be reached" in answer.content.decode()
    assert User.objects.count() == 0


def test_l20_nothing_from_a_request_adds_parameters(browser, sandbox):
    evil = "a&prompt=none&redirect_uri=https://evil.example"
    address = begin(browser, next=evil, login_hint=evil, collection=[])
    assert "evil" not in address
    assert "prompt" not in address


def test_l20_scopes_are_percent_encoded(browser, sandbox):
    collection = seed.TUTORIAL_1
    query = urlsplit(begin(browser, collection=[collection])).query
    assert "[" not in query
    assert f"/{collection}/data_access]" in parse_qs(query)["scope"][0]


@pytest.mark.parametrize("collection", ["x", "../..", "a" * 5000, "\x00"])
def test_a_collection_that_is_no_id_is_refused(browser, sandbox, collection):
    answer = browser.post("/login/globus/", {"collection": [collection]})
    assert answer.status_code == 400


def test_l21_another_identity_does_not_take_over_the_account(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    tokens = set(Token.objects.values_list("pk", "generation"))

    answer = sign_in(browser, sandbox, "grace")

    assert answer.status_code == 409
    assert User.objects.count() == 1
    assert set(Token.objects.values_list("pk", "generation")) == tokens
    page = answer.content.decode()
    assert "Sign out first" in page
    assert "Somebody else is signed in here" in page
    assert 'action="/logout/"' in page, "a way on"
    assert 'action="/login/globus/"' not in page, "no way in a circle"
    assert browser.session["_auth_user_id"] == str(person("ada").pk)


def test_l21_the_same_identity_may_come_back_with_more_consent(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    answer = sign_in(
        browser,
        sandbox,
        "ada",
        collection=[seed.TUTORIAL_1],
        next="/groups/",
    )
    assert (answer.status_code, answer["Location"]) == (302, "/groups/")
    assert User.objects.count() == 1


HOSTILE_NEXT = [
    "//e.example",
    "///e.example",
    "https:e.example",
    "https:/e.example",
    "https://e.example/",
    "/\\e.example",
    "\\\\e.example",
    "\\/e.example",
    "%2f%2fe.example",
    "/%2f%2fe.example",
    "/%5ce.example",
    "/%2fe.example",
    "\t//e.example",
    " //e.example",
    "/\t/e.example",
    "/\r\nLocation: https://e.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "http://localhost@e.example",
    "http://localhost.e.example",
    "http://localhost:8000/account/",
    "//localhost:8000@e.example/",
    "http://[",
    "/\x00",
    "/\u2028",
    "/\u202e",
    "e.example",
    "",
    "/" + "x" * 20_000,
]


@pytest.mark.parametrize("target", HOSTILE_NEXT)
def test_l23_nobody_is_sent_elsewhere(browser, sandbox, target):
    form = urlencode({"next": target})
    page = browser.post("/login/globus/", form, "application/x-www-form-urlencoded")
    [attempt] = browser.session["sign_in_attempts"].values()
    assert attempt["next"] == "/", "dropped at the beginning"

    address = sandbox.approve(address_in(page), "ada")
    answer = come_back(browser, f"{address}&{form}")
    assert (answer.status_code, answer["Location"]) == (302, "/")

    already = browser.get(f"/login/?{form}")
    assert (already.status_code, already["Location"]) == (302, "/")


@pytest.mark.parametrize(
    "target",
    [
        "/groups/",
        "/files/?origin_path=%2Fa%20b%2F&origin_id=x",
        "/files/?origin_path=%2F%2Fa",
        "/collections/?q=ü",
    ],
)
def test_l23_a_page_of_ours_is_where_one_comes_out(browser, sandbox, target):
    answer = sign_in(browser, sandbox, "ada", next=target)
    assert answer.status_code == 302
    assert unquote(answer["Location"]) == unquote(target)
    assert unquote(browser.get("/login/", {"next": target})["Location"]) == unquote(
        target
    )


def test_l23_the_address_of_the_callback_says_nothing_about_where_to_go(
    browser, sandbox
):
    address = sandbox.approve(begin(browser, next="/groups/"), "ada")
    answer = come_back(browser, f"{address}&next=/account/")
    assert answer["Location"] == "/groups/"


def test_l23_two_tabs_come_out_where_each_began(browser, sandbox):
    one = begin(browser, next="/groups/")
    two = begin(browser, next="/account/")
    assert come_back(browser, sandbox.approve(one, "ada"))["Location"] == "/groups/"
    assert come_back(browser, sandbox.approve(two, "ada"))["Location"] == "/account/"


@pytest.mark.parametrize("username", ["ada", "mallory"])
def test_l23_a_second_try_is_for_the_same_page(browser, sandbox, username):
    allow = username == "mallory"  # who is then not let in; ada declines
    refused = sign_in(browser, sandbox, username, allow=allow, next="/groups/?a=b&c")
    assert refused.status_code == 403
    page = refused.content.decode()
    assert 'name="next" value="/groups/?a=b&amp;c"' in page


@pytest.mark.parametrize(
    ("username", "staff", "admin"),
    [("ada", False, False), ("grace", True, False), ("root", True, True)],
)
def test_l24_rights_come_from_groups(browser, sandbox, username, staff, admin):
    sign_in(browser, sandbox, username)
    user = person(username)
    assert (user.is_staff, user.is_superuser) == (staff, admin)


def test_l24_rights_are_read_anew_at_each_sign_in(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    User.objects.update(is_staff=True, is_superuser=True)
    sign_in(Client(), sandbox, "ada")
    user = person("ada")
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_somebody_of_no_group_stays_outside_and_is_told_whom_to_ask(browser, sandbox):
    seen = {"id": seed.GROUP_USERS, "name": "Portal users"}
    sandbox.fault(f"/groups/v2/groups/{seed.GROUP_USERS}", status=200, body=seen)
    answer = sign_in(browser, sandbox, "mallory", next="/groups/")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Portal users" in page, "the group, by its name"
    assert seed.GROUP_USERS in page
    assert seed.MALLORY in page
    assert "_auth_user_id" not in browser.session
    assert User.objects.count() == 0, "nothing of a refused sign-in stays"
    assert Token.objects.count() == 0
    refusal = AuditEvent.objects.get()
    assert (refusal.outcome, refusal.detail["reason"]) == ("refused", "NotAllowedIn")


def test_who_left_every_group_has_no_rights_left_in_any_browser(browser, sandbox):
    sign_in(browser, sandbox, "grace")
    assert person("grace").is_staff
    tokens = set(Token.objects.values_list("pk", "generation"))
    sandbox.fault("/groups/v2/groups/my_groups", status=200, body="[]", times=2)

    elsewhere = sign_in(Client(), sandbox, "grace")
    assert elsewhere.status_code == 403
    assert not person("grace").is_staff
    assert browser.get("/account/").status_code == 302, "out at once"
    assert set(Token.objects.values_list("pk", "generation")) == tokens

    sandbox.clear_faults()
    sign_in(browser, sandbox, "grace")
    sandbox.fault("/groups/v2/groups/my_groups", status=200, body="[]")
    here = sign_in(browser, sandbox, "grace")
    assert here.status_code == 403
    assert "_auth_user_id" not in browser.session
    assert not Session.objects.filter(user__isnull=False).exists()


def test_whoever_may_not_enter_can_come_with_another_identity(browser, sandbox):
    page = sign_in(browser, sandbox, "mallory").content.decode()
    assert "Sign in with another identity" in page
    assert 'name="fresh" value="1"' in page
    sandbox.set(session_requirements_force_login=True)

    address = begin(browser, fresh="1")

    assert parse_qs(urlsplit(address).query)["prompt"] == ["login"]
    assert come_back(browser, sandbox.approve(address, "ada")).status_code == 302
    assert browser.session["_auth_user_id"] == str(person("ada").pk)


def test_a_group_that_does_not_show_itself_is_named_by_its_id(browser, sandbox):
    page = sign_in(browser, sandbox, "mallory").content.decode()
    assert "It does not show its name to you" in page
    assert seed.GROUP_USERS in page


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_without_an_answer_from_groups_nobody_comes_in(browser, sandbox, status):
    """Rights are not guessed: the sign-in can be tried again."""
    sandbox.fault("/groups/v2/groups/my_groups", status=status, retry_after=0)
    answer = sign_in(browser, sandbox, "grace")
    assert answer.status_code == 503
    assert "_auth_user_id" not in browser.session
    assert (User.objects.count(), Token.objects.count()) == (0, 0)


@pytest.mark.parametrize("body", [{"a": 1}, "x", None, 5])
def test_an_odd_answer_from_groups_is_no_sign_in(browser, sandbox, body):
    sandbox.fault("/groups/v2/groups/my_groups", status=200, body=body)
    answer = sign_in(browser, sandbox, "grace")
    assert answer.status_code == 503
    assert User.objects.count() == 0


def test_l24_a_local_account_is_not_taken_over(browser, sandbox):
    local = User.objects.create_user(username=seed.ADA, email=seed.ADA)
    sign_in(browser, sandbox, "ada")
    assert browser.session["_auth_user_id"] != str(local.pk)
    assert User.objects.count() == 2


def test_l25_a_disabled_person_cannot_come_in_and_is_out_at_once(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    assert browser.get("/account/").status_code == 200
    User.objects.update(is_active=False)
    assert browser.get("/account/").status_code == 302
    kept = set(Token.objects.values_list("pk", "generation"))

    answer = sign_in(Client(), sandbox, "ada")

    assert answer.status_code == 403
    assert "switched off" in answer.content.decode()
    assert set(Token.objects.values_list("pk", "generation")) == kept
    assert not Session.objects.filter(device__gt="", last_seen=None).exists()


def test_l25_workers_stop_using_the_tokens_of_a_disabled_person(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    User.objects.update(is_active=False)
    sandbox.forget_requests()
    with pytest.raises(AccountDisabled):
        tokens.access_token(person("ada"), scopes.TRANSFER)
    with pytest.raises(AccountDisabled):
        transfer_client(person("ada")).task_list()
    assert sandbox.requests() == []


@pytest.mark.parametrize("value", ["x", "\x00a", ""])
def test_l26_a_resumable_pipeline_is_refused_also_with_a_good_answer(
    browser, sandbox, value
):
    address = sandbox.approve(begin(browser), "ada")
    answer = come_back(browser, f"{address}&{urlencode({'partial_token': value})}")
    assert answer.status_code == 400
    assert "_auth_user_id" not in browser.session
    assert sandbox.requests(TOKEN_ROUTE) == []


@pytest.mark.parametrize("value", ["x", "\x00a"])
def test_l26_a_resumable_pipeline_is_refused(browser, sandbox, value):
    query = urlencode({"partial_token": value, "code": "a", "state": "b"})
    assert browser.get(f"/complete/globus/?{query}").status_code == 400


def test_l28_sign_out_is_a_post_and_ends_the_session(browser, sandbox):
    sign_in(browser, sandbox, "ada")
    assert browser.get("/logout/").status_code == 405
    key = browser.session.session_key

    answer = browser.post("/logout/")

    assert answer.status_code == 200
    page = answer.content.decode()
    assert f"{settings.GLOBUS_AUTH_URL}/v2/web/logout?client=" in page
    assert "keeps the" in page, "what is scheduled goes on, and the page says so"
    assert Token.objects.count() == 3
    events = AuditEvent.objects.values_list("kind", flat=True)
    assert set(events) == {"person:session:sign-in", "person:session:sign-out"}
    assert not Session.objects.filter(session_key=key).exists()
    assert browser.get("/account/").status_code == 302


def test_s04_the_session_id_changes_at_sign_in(browser, sandbox):
    begin(browser)
    before = browser.session.session_key
    sign_in(browser, sandbox, "ada")
    assert browser.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


# The checks, each on its own


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "https://evil.example/token"},
        {"jwks_uri": "http://auth.test/jwk.json"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": None},
    ],
)
def test_l07_a_discovery_document_that_leads_away_is_refused(change):
    issuer = "https://auth.test"
    names = (
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
    )
    document = {"issuer": issuer} | {name: f"{issuer}/{name}" for name in names}
    check_discovery(document, issuer)
    with pytest.raises(SignInUnverified):
        check_discovery(document | change, issuer)


@pytest.mark.parametrize(
    "subject",
    ["", "x" * 300, "a\x00b", None, 7, ["x"], "{%s}" % ("1" * 32), "1" * 32],
)
def test_l13_a_subject_that_is_no_identity_is_refused(subject):
    with pytest.raises(SignInUnverified):
        identity_from(subject)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Ada\x00 Lovelace", "Ada Lovelace"),
        ("\u202eevil\u202c", "evil"),
        ("a" * 500, "a" * 255),
        ("\ud800x", "x"),
        (7, ""),
        ({"a": 1}, ""),
        (None, ""),
    ],
)
def test_l15_profile_text_fits_and_hides_nothing(claim, text):
    assert profile_text(claim) == text


@pytest.mark.parametrize("value", [None, {}, "x", [1, "x", None]])
def test_l15_an_odd_identity_set_is_left_out(value):
    assert linked_identities(value) == []


ENTRY = {
    "token_type": "Bearer",
    "access_token": "AgX",
    "refresh_token": "AgY",
    "resource_server": "auth.globus.org",
    "scope": "openid",
    "expires_in": 172800,
}


def test_l16_an_entry_as_it_should_be():
    assert is_token_entry(ENTRY)
    assert is_token_entry(ENTRY | {"token_type": "bearer"})


@pytest.mark.parametrize(
    "change",
    [
        {"token_type": "mac"},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\n"},
        {"access_token": "ü"},
        {"access_token": "a" * 8193},
        {"refresh_token": None},
        {"resource_server": 7},
        {"scope": None},
        {"expires_in": "soon"},
    ],
)
def test_l16_a_token_entry_that_is_odd_is_refused(change):
    assert not is_token_entry(ENTRY | change)


# Section 11, what else


@pytest.mark.parametrize("address", ["/login/github/", "/complete/github/", "/login/x"])
def test_an_unknown_backend_is_not_there(browser, sandbox, address):
    assert browser.get(address).status_code == 404
    assert browser.post(address).status_code == 404


def test_l20_step_up_texts_add_no_parameters(browser, sandbox):
    """Only fields that we know are read from the form, and none becomes a parameter."""
    known = parse_qs(urlsplit(begin(browser)).query).keys()
    evil = dict.fromkeys(("prompt", "acr_values", "max_age", "redirect_uri"), "x")
    assert parse_qs(urlsplit(begin(browser, **evil)).query).keys() == known


def test_s08_the_audit_names_no_secret_of_a_sign_in(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    come_back(browser, address)
    come_back(Client(), address)
    written = str(list(AuditEvent.objects.values()))
    for values in parse_qs(urlsplit(address).query).values():
        assert values[0] not in written
    assert AuditEvent.objects.first().request_id
