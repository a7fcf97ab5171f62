"""Every shape in which Globus asks a person for something; and hostile ones."""

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import globus_sdk
import pytest
import requests
import responses
from globus_sdk import TransferClient
from globus_sdk.transport import RetryConfig
from hypothesis import given
from hypothesis import strategies as st

from portal.globus import errors
from portal.globus.requirements import (
    Kind,
    Requirement,
    collection_of,
    in_document,
    in_text,
    read_parameters,
    read_scopes,
    tidy_message,
)
from portal.globus.scopes import Right, sign_in_scopes

COLLECTION = UUID("6c54cade-bde5-45c1-bdea-f4bd71dba2cc")
OTHER = UUID("31ce9ba0-176d-45a5-add3-f37d233ba47d")
POLICY = UUID("0d9b6c4e-3f0b-5d6a-8b0e-6b1f6f5b7a11")
FURTHER = {
    f"https://auth.globus.org/scopes/{COLLECTION}/https",
    f"https://auth.globus.org/scopes/{COLLECTION}/data_access",
    "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer",
    "urn:globus:auth:scope:groups.api.globus.org:all",
}
IDENTITY = "9515900b-8b1f-572c-a84b-c4847259db12"
TRANSFER = "urn:globus:auth:scope:transfer.api.globus.org:all"
DATA_ACCESS = f"{TRANSFER}[*https://auth.globus.org/scopes/{COLLECTION}/data_access]"
BASE = "https://transfer.test/"
LS = f"/operation/endpoint/{COLLECTION}/ls"
EVIL = "a&prompt=none&redirect_uri=https://evil"

LOGIN_FAILED = (
    "Command Failed: Error (login)\nEndpoint: Clinic ({0})\nServer: 192.0.2.1:443\n"
    "Message: Login Failed\n---\nDetails: 530-Login incorrect. : GlobusError: v=1 "
    "c=LOGIN_DENIED\\r\\n530-GridFTP-Message: None of your identities are from domains "
    "allowed by resource policies\\r\\n530-GridFTP-JSON-Result: {1}\\r\\n530 End."
    "\\r\\n\n"
)
NOT_FROM_DOMAIN = {
    "DATA_TYPE": "result#1.0.0",
    "code": "permission_denied",
    "detail": {
        "DATA_TYPE": "not_from_allowed_domain#1.0.0",
        "allowed_domains": ["clinic.example", "uni.example"],
    },
    "has_next_page": False,
    "http_response_code": 403,
}


def login_failed(document=NOT_FROM_DOMAIN):
    return LOGIN_FAILED.format(COLLECTION, json.dumps(document))


def failure_of(body, status=403):
    client = TransferClient(
        base_url=BASE,
        authorizer=globus_sdk.AccessTokenAuthorizer("x"),
        retry_config=RetryConfig(max_retries=0),
    )
    with responses.RequestsMock() as wire:
        wire.get(f"{BASE}v0.10/endpoint/{COLLECTION}", status=status, json=body)
        with pytest.raises(errors.GlobusFailure) as caught, errors.globus_errors():
            client.get_endpoint(COLLECTION)
    return caught.value


def asked(body, status=403):
    return failure_of(body, status).requirement


CONSENT = Requirement(collections=(COLLECTION,))


@pytest.mark.parametrize(
    ("body", "status", "wanted"),
    [
        pytest.param(
            {
                "code": "ConsentRequired",
                "authorization_parameters": {"required_scopes": [DATA_ACCESS]},
            },
            403,
            CONSENT,
            id="GARE",
        ),
        pytest.param(
            {
                "code": "ConsentRequired",
                "message": "Missing",
                "required_scopes": [DATA_ACCESS],
                "authorization_parameters": {
                    "required_scopes": [DATA_ACCESS],
                    "session_message": "Missing",
                },
            },
            403,
            CONSENT,
            id="Transfer says it twice",
        ),
        pytest.param(
            {"code": "ConsentRequired", "required_scopes": [DATA_ACCESS]},
            403,
            CONSENT,
            id="Transfer, older",
        ),
        pytest.param(
            {"code": "ConsentRequired", "required_scope": DATA_ACCESS},
            403,
            CONSENT,
            id="action provider",
        ),
        pytest.param(
            {
                "error": "dependent_consent_required",
                "errors": [{"unapproved_scopes": [DATA_ACCESS]}],
            },
            403,
            CONSENT,
            id="Auth's dependent grant",
        ),
        pytest.param(
            {
                "errors": [
                    {"code": "Other"},
                    {"code": "ConsentRequired", "required_scopes": [DATA_ACCESS]},
                ]
            },
            403,
            CONSENT,
            id="among several errors",
        ),
        pytest.param(
            {"code": "ConsentRequired", "required_scopes": DATA_ACCESS},
            403,
            CONSENT,
            id="a text instead of a list",
        ),
        pytest.param(
            {"code": "ConsentRequired", "required_scopes": [TRANSFER]},
            403,
            Requirement(),
            id="something of the base set",
        ),
        pytest.param(
            {"code": "ConsentRequired", "required_scopes": ["https://evil/all"]},
            403,
            Requirement(beyond=True),
            id="a scope that the portal never asks for",
        ),
        pytest.param(
            {
                "code": "AuthPolicyFailed",
                "authorization_parameters": {
                    "session_required_policies": [str(POLICY)],
                    "session_message": "Use the policy",
                },
            },
            403,
            Requirement(policies=(POLICY,), fresh=True, message="Use the policy"),
            id="policies in a list",
        ),
        pytest.param(
            {
                "code": "AuthPolicyFailed",
                "authorization_parameters": {
                    "session_required_policies": f"{POLICY}, {OTHER}",
                    "required_scopes": [DATA_ACCESS],
                },
            },
            403,
            Requirement(
                policies=(POLICY, OTHER), fresh=True, collections=(COLLECTION,)
            ),
            id="policies in a text, and a consent beside them",
        ),
        pytest.param(
            {
                "code": "AuthPolicyFailed",
                "authorization_parameters": {
                    "session_required_identities": f"{IDENTITY},ada@uni.example",
                },
            },
            403,
            Requirement(identities=(IDENTITY, "ada@uni.example"), fresh=True),
            id="identities in a text, which the SDK does not read",
        ),
        pytest.param(
            {
                "code": "PermissionDenied",
                "authorization_parameters": {
                    "session_required_single_domain": ["Uni.Example"],
                    "session_required_identities": [],
                    "session_required_mfa": False,
                },
            },
            403,
            Requirement(domains=("uni.example",), fresh=True),
            id="a domain, under any code",
        ),
        pytest.param(
            {
                "code": "AuthorizationRequired",
                "authorization_parameters": {"session_required_mfa": True},
            },
            403,
            Requirement(mfa=True, fresh=True),
            id="a second factor",
        ),
        pytest.param(
            {
                "code": "AuthorizationRequired",
                "authorization_parameters": {"prompt": "login"},
            },
            403,
            Requirement(fresh=True),
            id="too old",
        ),
        pytest.param(
            {"code": "AuthPolicyFailed", "authorization_parameters": {}},
            403,
            Requirement(fresh=True),
            id="does not say what",
        ),
        pytest.param(
            {"code": "ClientError.AuthenticationFailed"},
            401,
            Requirement(),
            id="the token is refused",
        ),
        pytest.param(
            {
                "code": "ExternalError.DirListingFailed.LoginFailed",
                "message": login_failed(),
            },
            502,
            Requirement(domains=("clinic.example", "uni.example"), fresh=True),
            id="within a 502",
        ),
        pytest.param(
            {
                "code": "ExternalError.DirListingFailed.LoginFailed",
                "message": login_failed()[:-60],
            },
            502,
            Requirement(domains=("clinic.example", "uni.example"), fresh=True),
            id="within a 502 that was cut off",
        ),
        pytest.param(
            {
                "code": "ExternalError.DirListingFailed.LoginFailed",
                "message": login_failed(
                    {"code": "ConsentRequired", "required_scopes": [DATA_ACCESS]}
                ),
            },
            502,
            CONSENT,
            id="a consent within a 502",
        ),
    ],
)
def test_each_shape_is_understood(body, status, wanted):
    assert asked(body, status) == wanted


def test_the_collection_that_asks_is_known_by_the_resource():
    failure = failure_of(
        {
            "code": "AuthPolicyFailed",
            "resource": LS,
            "authorization_parameters": {"session_required_mfa": True},
        }
    )
    assert failure.requirement.about == COLLECTION
    assert collection_of("/endpoint_search") is None
    assert collection_of(7) is None


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (
            {"error": "dependent_consent_required", "errors": []},
            403,
            "PermissionDenied",
        ),
        ({"code": "PermissionDenied", "authorization_parameters": {}}, 403, None),
        (
            {
                "code": "ExternalError.DirListingFailed.LoginFailed",
                "message": login_failed(
                    {"detail": {"DATA_TYPE": "invalid_user#1.0.0"}}
                ),
            },
            502,
            "CollectionUnavailable",
        ),
    ],
)
def test_what_no_sign_in_can_mend_is_not_taken_for_a_requirement(body, status, kind):
    failure = failure_of(body, status)
    assert failure.requirement is None
    assert type(failure).__name__ == (kind or "PermissionDenied")


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"session_required_identities": [IDENTITY], "prompt": "login"}, Kind.IDENTITY),
        ({"session_required_single_domain": ["a.b"]}, Kind.DOMAIN),
        ({"session_required_mfa": True}, Kind.MFA),
        ({"session_required_policies": [str(POLICY)]}, Kind.POLICY),
        ({"prompt": "login"}, Kind.FRESH),
        ({"required_scopes": [DATA_ACCESS]}, Kind.CONSENT),
        ({"required_scopes": ["https://evil/"]}, Kind.BEYOND),
        ({}, Kind.SIGN_IN),
    ],
)
def test_a_requirement_has_a_kind(parameters, kind):
    assert read_parameters(parameters).kind == kind


@pytest.mark.parametrize("evil", [EVIL, "", "a b", "x" * 300, "a\x00b", "ü@b", "@", 7])
@pytest.mark.parametrize("shape", [lambda v: v, lambda v: [v], lambda v: {"a": v}])
def test_l20_values_of_no_known_shape_are_left_out(evil, shape):
    found = read_parameters(
        {
            "session_required_identities": shape(evil),
            "session_required_single_domain": shape(f"&{evil}"),
            "session_required_policies": shape(evil),
            "session_required_mfa": shape(evil),
            "prompt": evil,
        }
    )
    assert found == Requirement()


def test_a_message_is_one_line_without_disguise():
    assert tidy_message("Use\r\n your\u202e campus \x00 identity") == (
        "Use your campus  identity"
    )
    assert len(tidy_message("x" * 10_000)) == 500
    assert tidy_message(["x"]) == ""


def test_a_stored_requirement_is_read_back():
    whole = Requirement(
        collections=(OTHER, COLLECTION),
        identities=(IDENTITY,),
        domains=("uni.example",),
        policies=(POLICY,),
        mfa=True,
        fresh=True,
        message="words",
        about=OTHER,
    )
    assert Requirement.from_json(json.loads(json.dumps(whole.as_json()))) == whole
    beyond = Requirement(beyond=True)
    assert Requirement.from_json(beyond.as_json()) == beyond


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "DATA_TYPE",
                    "detail",
                    "errors",
                    "error",
                    "message",
                    "resource",
                    "allowed_domains",
                    "authorization_parameters",
                    "required_scopes",
                    "required_scope",
                    "unapproved_scopes",
                    "session_message",
                    "session_required_identities",
                    "session_required_single_domain",
                    "session_required_policies",
                    "session_required_mfa",
                    "prompt",
                ]
            ),
            inner
            | st.sampled_from(
                [
                    "ConsentRequired",
                    "AuthPolicyFailed",
                    "dependent_consent_required",
                    "not_from_allowed_domain#1.0.0",
                    DATA_ACCESS,
                    EVIL,
                    "login",
                    "none",
                ]
            ),
            max_size=6,
        )
    ),
    max_leaves=12,
)


def assert_harmless(found):
    """Whatever it was made of, this is all that it can bring to Auth."""
    parameters = found.authorize_parameters()
    assert set(parameters) <= {
        "session_required_identities",
        "session_required_single_domain",
        "session_required_policies",
        "session_required_mfa",
        "prompt",
    }
    assert parameters.get("prompt", "login") == "login"
    assert parse_qs(urlencode(parameters)) == {k: [v] for k, v in parameters.items()}
    assert all(text.isprintable() and text.isascii() for text in parameters.values())
    assert not any(set("&=#? /\\<>\"'") & set(text) for text in parameters.values())
    plain = sign_in_scopes()
    asked = [scope.partition("[")[0] for scope in found.sign_in_scopes]
    assert asked[: len(plain)] == plain
    assert set(asked[len(plain) :]) <= FURTHER


@given(JSON)
def test_no_document_breaks_it_or_brings_more_than_it_may(document):
    found = in_document(document)
    if found is not None:
        assert_harmless(found)
        assert Requirement.from_json(found.as_json()) == found


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON)
def test_no_error_of_the_api_breaks_it(body):
    answer = requests.Response()
    answer.status_code = 403
    answer.headers["Content-Type"] = "application/json"
    answer._content = json.dumps(body).encode()
    answer.request = requests.Request("GET", BASE).prepare()
    failure = errors.failure_from(globus_sdk.TransferAPIError(answer))
    assert isinstance(failure, errors.GlobusFailure)
    if failure.requirement:
        assert_harmless(failure.requirement)


@given(
    st.lists(
        st.text(max_size=30)
        | st.sampled_from(
            [
                login_failed(),
                "530-GridFTP-JSON-Result: {",
                "not_from_allowed_domain",
                '"allowed_domains": ["',
                "{" * 500,
                "[" * 2000,
                "\\r\\n530-",
            ]
        ),
        max_size=6,
    )
)
def test_no_words_of_a_collection_break_it(parts):
    found = in_text("".join(parts))
    if found is not None:
        assert_harmless(found)


HTTPS = f"https://auth.globus.org/scopes/{COLLECTION}/https"
TIMER = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer"
GROUPS_ALL = "urn:globus:auth:scope:groups.api.globus.org:all"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (HTTPS, Requirement(https=(COLLECTION,))),
        (
            f"{HTTPS} https://auth.globus.org/scopes/{COLLECTION}/data_access",
            Requirement(collections=(COLLECTION,), https=(COLLECTION,)),
        ),
        (f"{TIMER}[{TRANSFER}]", Requirement(rights=(Right.TIMERS,))),
        (
            f"{TIMER}[{DATA_ACCESS}]",
            Requirement(collections=(COLLECTION,), rights=(Right.TIMERS,)),
        ),
        (GROUPS_ALL, Requirement(rights=(Right.GROUPS,))),
        (f"{HTTPS}x", Requirement(beyond=True)),
    ],
)
def test_rights_beyond_the_base_set_are_asked_for_anew_and_kept(text, wanted):
    found = read_scopes([text])
    assert found == wanted
    assert Requirement.from_json(found.as_json()) == found
    assert read_scopes(found.consent_scopes) == replace(wanted, beyond=False)


def test_a_timer_of_a_mapped_collection_is_asked_with_all_that_it_depends_on():
    wanted = Requirement(collections=(COLLECTION,), rights=(Right.TIMERS,))
    assert f"{TIMER}[{DATA_ACCESS}]" in wanted.sign_in_scopes
    assert DATA_ACCESS in wanted.sign_in_scopes


@given(
    st.lists(
        st.text(max_size=60)
        | st.sampled_from([DATA_ACCESS, HTTPS, TIMER, "a[b[" * 900])
    )
)
def test_no_scope_string_brings_another_scope(texts):
    found = read_scopes(texts)
    assert set(found.collections) <= {COLLECTION}
    assert_harmless(found)
