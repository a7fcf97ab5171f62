"""Each answer of Globus becomes the class that a caller acts on."""

import globus_sdk
import pytest
import requests
import responses
from globus_sdk import TransferClient
from globus_sdk.transport import RetryConfig

from portal.globus import errors

COLLECTION = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
BASE = "https://transfer.test/"
DATA_ACCESS = (
    "urn:globus:auth:scope:transfer.api.globus.org:all"
    f"[*https://auth.globus.org/scopes/{COLLECTION}/data_access]"
)


@pytest.fixture
def client():
    return TransferClient(
        base_url=BASE,
        authorizer=globus_sdk.AccessTokenAuthorizer("x"),
        retry_config=RetryConfig(max_retries=0),
    )


def failure_of(client, **answer):
    with responses.RequestsMock() as wire:
        wire.get(f"{BASE}v0.10/endpoint/{COLLECTION}", **answer)
        with pytest.raises(errors.GlobusFailure) as caught, errors.globus_errors():
            client.get_endpoint(COLLECTION)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "BadRequest", errors.Refused),
        (401, "ClientError.AuthenticationFailed", errors.SignInRequired),
        (403, "PermissionDenied", errors.PermissionDenied),
        (403, "EndpointPermissionDenied", errors.PermissionDenied),
        (404, "ClientError.NotFound", errors.NotFound),
        (404, "EndpointDeleted", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (502, "ExternalError.MkdirFailed.Exists", errors.AlreadyThere),
        (502, "ExternalError.DirListingFailed.SizeLimit", errors.TooLarge),
        (502, "ExternalError.DirListingFailed.GCPaused", errors.Paused),
        (409, "OperationPaused", errors.Paused),
        (502, "ExternalError.MkdirFailed.PermissionDenied", errors.PermissionDenied),
        (502, "ExternalError.DirListingFailed.NotDirectory", errors.NotADirectory),
        (
            502,
            "ExternalError.DirListingFailed.GCDisconnected",
            errors.NotConnected,
        ),
        (502, "EndpointError", errors.CollectionUnavailable),
        (500, "Unknown", errors.GlobusUnreachable),
        (503, "ServiceUnavailable", errors.GlobusUnreachable),
        (418, "Teapot", errors.UnexpectedAnswer),
    ],
)
def test_a_status_and_code_become_a_class(client, status, code, expected):
    body = {
        "code": code,
        "message": "in Globus's words",
        "request_id": "abc",
        "resource": "/",
    }
    failure = failure_of(client, status=status, json=body)
    assert type(failure) is expected
    assert (failure.code, failure.detail, failure.request_id) == (
        code,
        "in Globus's words",
        "abc",
    )
    assert failure.__cause__ is not None


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (
            "Conflict",
            "A transfer with identical paths has not yet completed",
            errors.SameTaskRunning,
        ),
        (
            "ClientError.Conflict",
            "You have 100 pending tasks; wait for some to complete",
            errors.QueueFull,
        ),
        ("LimitExceeded", "Too many unfinished tasks", errors.QueueFull),
        ("LimitExceeded", "You have 100 bookmarks already", errors.Conflict),
        ("Conflict", "Task 'x' is complete", errors.Conflict),
    ],
)
def test_conflicts_are_told_apart_by_their_words(client, code, words, expected):
    body = {"code": code, "message": words, "request_id": "x", "resource": "/"}
    assert type(failure_of(client, status=409, json=body)) is expected


def test_the_task_in_the_way_is_read_from_the_words(client):
    words = f"A transfer with identical paths has not yet completed (task {COLLECTION})"
    body = {"code": "Conflict", "message": words, "request_id": "x", "resource": "/"}
    assert str(failure_of(client, status=409, json=body).task_id) == COLLECTION


def test_a_missing_consent_names_its_scopes(client):
    body = {
        "code": "ConsentRequired",
        "message": "Missing required data_access consent",
        "request_id": "abc",
        "resource": "/",
        "required_scopes": [DATA_ACCESS],
    }
    failure = failure_of(client, status=403, json=body)
    assert isinstance(failure, errors.ConsentRequired)
    assert failure.required_scopes == (DATA_ACCESS,)


def test_a_session_requirement_keeps_its_parameters(client):
    body = {
        "code": "AuthPolicyFailed",
        "message": "too old",
        "request_id": "abc",
        "resource": "/",
        "authorization_parameters": {
            "session_message": "sign in with your campus identity",
            "session_required_single_domain": ["uni.example"],
        },
    }
    failure = failure_of(client, status=403, json=body)
    assert isinstance(failure, errors.SessionRequired)
    assert failure.parameters["session_required_single_domain"] == ["uni.example"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("soon", None), (None, None)]
)
def test_too_many_requests_says_how_long_to_wait(client, header, seconds):
    headers = {"Retry-After": header} if header else {}
    failure = failure_of(client, status=429, json={"code": "x"}, headers=headers)
    assert isinstance(failure, errors.RateLimited)
    assert failure.retry_after == seconds
    assert failure.passing


@pytest.mark.parametrize(
    "reason", [requests.ConnectionError("no route"), requests.Timeout("too long")]
)
def test_no_answer_is_a_passing_failure(client, reason):
    failure = failure_of(client, body=reason)
    assert isinstance(failure, errors.GlobusUnreachable)
    assert failure.passing


def test_an_answer_that_is_no_json_is_not_trusted(client):
    failure = failure_of(client, status=404, body="<html>", content_type="text/html")
    assert isinstance(failure, errors.NotFound)
    assert failure.code == "Error" or failure.code == ""


def test_our_own_failures_pass_through():
    with pytest.raises(errors.SignInRequired), errors.globus_errors():
        raise errors.SignInRequired
