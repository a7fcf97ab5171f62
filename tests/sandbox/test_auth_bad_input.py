"""Auth and what nobody should send: section 2.7's shapes, JSON, never a 500.

The fuzzing asks one running sandbox over HTTP, as any client would.
"""

import json
import re
import socket
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import seed
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PORTAL = (seed.PORTAL_CLIENT_ID, seed.PORTAL_CLIENT_SECRET)
TIMERS = (seed.TIMERS_CLIENT_ID, seed.TIMERS_CLIENT_SECRET)

FUZZ = settings(
    max_examples=250,
    deadline=None,
    # The sandbox is the same for all examples on purpose.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

#: what a value may be: near the truth, far from it, and hostile
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", " ", "\0", "%00", "'", '"', "[", "]", "*", "*[", "a[b", "a]", "[[]]"),
            *("http://[", "http://localhost:x/", "http://localhost\r\nX: y", "//", "é"),
            *("true", "True", "none", "login", "-1", "0", "1e9", "9" * 400, "NaN"),
            *(seed.PORTAL_CLIENT_ID, seed.NATIVE_CLIENT_ID, seed.CLI_TEMPLATE_ID),
            *(seed.PORTAL_REDIRECT_URI, seed.ADA_ID, seed.POLICY_MFA, seed.ADA),
            *("code", "S256", "offline", "openid", TRANSFER_ALL, "refresh_token"),
            data_access_scope(seed.TUTORIAL_1),
            "authorization_code",
            "client_credentials",
            "urn:globus:auth:grant_type:dependent_token",
        ]
    ),
    st.text(max_size=60),
    st.text(alphabet="[]* ao:", max_size=30),
)


def shaped(answer) -> None:
    """A refusal in one of the two forms of section 2.7."""
    assert answer.status_code < 500, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    if answer.ok:
        return
    document = answer.json()
    assert isinstance(document["error"], str)
    if "." in document["error"] or "errors" not in document:
        assert re.fullmatch(r"[a-z_]+", document["error"])
        return
    for entry in document["errors"]:
        if "unapproved_scopes" in entry:
            continue
        assert UUID.fullmatch(entry["id"])
        assert entry["status"] == str(answer.status_code)
        assert set(entry) == {"status", "id", "code", "detail", "title"}


@pytest.fixture
def web(sandbox):
    with requests.Session() as session:
        session.trust_env = False
        yield session


@given(
    form=st.dictionaries(
        st.sampled_from(
            [
                *("code", "redirect_uri", "code_verifier", "refresh_token", "scope"),
                *("token", "access_type", "client_id", "client_secret", "include"),
            ]
        ),
        VALUES,
        max_size=6,
    ),
    grant=st.one_of(
        st.sampled_from(
            [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:globus:auth:grant_type:dependent_token",
            ]
        ),
        VALUES,
        st.none(),
    ),
    credentials=st.sampled_from([None, PORTAL, TIMERS, ("x", "y"), ("", "")]),
    route=st.sampled_from(["", "", "", "/revoke", "/validate", "/introspect"]),
)
@FUZZ
def test_no_form_breaks_the_token_endpoint(
    sandbox, web, form, grant, credentials, route
):
    body = form if grant is None else {**form, "grant_type": grant}
    encoded = urlencode(body, errors="replace")
    answer = web.post(
        f"{sandbox.url}/auth/v2/oauth2/token{route}",
        data=encoded,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=credentials,
        timeout=30,
    )
    shaped(answer)


@given(
    changes=st.dictionaries(
        st.sampled_from(
            [
                *("client_id", "redirect_uri", "response_type", "scope", "state"),
                *("access_type", "code_challenge", "code_challenge_method", "nonce"),
                *("prompt", "max_age", "login_hint", "session_message"),
                *("session_required_identities", "session_required_single_domain"),
                *("session_required_policies", "session_required_mfa"),
                "prefill_named_grant",
            ]
        ),
        st.one_of(VALUES, st.none()),
        max_size=6,
    ),
    posted=st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {},
            optional={
                "identity": st.one_of(st.just(seed.ADA_ID), VALUES),
                "decision": st.sampled_from(["allow", "deny", "", "\0"]),
                "began": VALUES,
                "mfa": VALUES,
            },
        ),
    ),
)
@FUZZ
def test_no_query_breaks_the_authorize_page(sandbox, web, changes, posted):
    good = {
        "client_id": seed.PORTAL_CLIENT_ID,
        "redirect_uri": seed.PORTAL_REDIRECT_URI,
        "response_type": "code",
        "scope": "openid",
        "state": "s",
    }
    asked = {name: value for name, value in {**good, **changes}.items() if value}
    url = f"{sandbox.url}/auth/v2/oauth2/authorize?{urlencode(asked, errors='replace')}"
    if posted is None:
        answer = web.get(url, allow_redirects=False, timeout=30)
    else:
        answer = web.post(url, data=posted, allow_redirects=False, timeout=30)
    assert answer.status_code in (200, 302, 400, 403), answer.text
    if answer.status_code == 302:
        place = urlsplit(answer.headers["Location"])
        is_registered = answer.headers["Location"].startswith(seed.PORTAL_REDIRECT_URI)
        assert is_registered or place.hostname in ("localhost", "127.0.0.1")
    else:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "This is not Globus" in answer.text


@given(
    document=st.recursive(st.none() | VALUES | st.integers(), st.lists, max_leaves=3)
)
@FUZZ
def test_no_document_breaks_the_registration(sandbox, web, document):
    for body in (document, {"client": document}, {"client": {"name": document}}):
        text = json.dumps(body).encode("utf-8", "replace")
        url = f"{sandbox.url}/auth/v2/api/clients"
        answer = web.post(url, data=text, timeout=30)
        assert answer.status_code in (400, 403)
        shaped(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/oauth2/token"),
        ("PUT", "/v2/oauth2/token"),
        ("GET", "/v2/oauth2/token/revoke"),
        ("DELETE", "/v2/oauth2/userinfo"),
        ("POST", "/v2/api/identities"),
        ("GET", "/v2/api/clients"),
        ("POST", "/.well-known/openid-configuration"),
        ("PUT", "/jwk.json"),
    ],
)
def test_a_method_that_is_not_served(web, sandbox, method, path):
    answer = web.request(method, f"{sandbox.url}/auth{path}", timeout=30)
    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "METHOD_NOT_ALLOWED"
    shaped(answer)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}'),
        ("application/x-www-form-urlencoded; charset=utf-16", b"grant_type=x"),
        ("application/x-www-form-urlencoded; charset=no-such", b"grant_type=x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nbroken"),
        ("text/plain", b"\xff\xfe"),
        ("", b"grant_type=client_credentials"),
    ],
)
def test_a_body_that_is_no_form(web, sandbox, kind, body):
    answer = web.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data=body,
        headers={"Content-Type": kind},
        timeout=30,
    )
    assert answer.status_code in (400, 401)
    shaped(answer)


@pytest.mark.parametrize(
    "value",
    [
        *("Basic", "Basic ", "Basic !!!", "Basic /w==", "Basic Og==", "Basic YQ=="),
        *("Bearer", "Bearer ", "Bearer \x80", "Nonsense x", ""),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/oauth2/token/introspect"),
        ("POST", "/v2/oauth2/token/revoke"),
        ("GET", "/v2/oauth2/userinfo"),
        ("GET", f"/v2/api/identities?ids={seed.ADA_ID}"),
        ("GET", f"/v2/api/identities/{seed.ADA_ID}/consents"),
        ("DELETE", f"/v2/api/clients/{seed.PORTAL_CLIENT_ID}"),
    ],
)
def test_credentials_that_are_none(web, sandbox, method, path, value):
    answer = web.request(
        method,
        f"{sandbox.url}/auth{path}",
        headers={"Authorization": value.encode("latin-1")},
        timeout=30,
    )
    assert answer.status_code == 401
    shaped(answer)


@pytest.mark.parametrize("origin", ["http://[", "null", "x", "http://evil.example:1"])
def test_a_form_with_a_strange_origin_is_refused(web, sandbox, origin):
    query = urlencode(
        {
            "client_id": seed.PORTAL_CLIENT_ID,
            "redirect_uri": seed.PORTAL_REDIRECT_URI,
            "response_type": "code",
            "scope": "openid",
        }
    )
    answer = web.post(
        f"{sandbox.url}/auth/v2/oauth2/authorize?{query}",
        data={"identity": seed.ADA_ID, "decision": "allow"},
        headers={"Origin": origin},
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "uri",
    [
        *("http://localhost:1/x\r\nSet-Cookie: a=b", "http://localhost:1/ x"),
        *("http://[", "http://localhost@evil.example/", "https://localhost/"),
        *("http://localhost.evil.example/", "http://127.0.0.1.evil.example/"),
        *("javascript:alert(1)", "//localhost/", "http:///"),
    ],
)
def test_a_native_app_goes_to_loopback_only(web, sandbox, uri):
    answer = web.get(
        f"{sandbox.url}/auth/v2/oauth2/authorize",
        params={
            "client_id": seed.NATIVE_CLIENT_ID,
            "redirect_uri": uri,
            "response_type": "code",
            "scope": "openid",
        },
        allow_redirects=False,
        timeout=30,
    )
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_raw_bytes_in_a_query_are_no_500(sandbox):
    """As no client library would send them."""
    host, port = urlsplit(sandbox.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(
            b"GET /auth/v2/oauth2/authorize?client_id=\xff\xfe&scope=%ff[ HTTP/1.1\r\n"
            + f"Host: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        status = wire.recv(12)
    assert status == b"HTTP/1.1 400"
