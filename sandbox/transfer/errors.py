"""How Transfer says no, and the wrapper that every Transfer view has."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox import scopes
from sandbox.answers import bearer_token, json_answer, request_id
from sandbox.auth import tokens
from sandbox.knobs import current as knobs
from sandbox.transfer.callers import Caller
from sandbox.transfer.limits import RateLimited, count_request

PREFIX = "/transfer/v0.10"


class TransferFailure(Exception):
    """An error document of the Transfer API."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.more = more
        self.headers: dict[str, str] = {}
        super().__init__(f"{code}: {message}")


def bad_request(message: str, code: str = "ClientError.BadRequest") -> TransferFailure:
    return TransferFailure(400, code, message)


def not_found(message: str, code: str = "ClientError.NotFound") -> TransferFailure:
    return TransferFailure(404, code, message)


def permission_denied(message: str = "Permission denied") -> TransferFailure:
    return TransferFailure(403, "EndpointPermissionDenied", message)


def conflict(message: str, code: str = "Conflict") -> TransferFailure:
    return TransferFailure(409, code, message)


Operation = Callable[..., dict[str, Any]]


def transfer_view(operation: Operation) -> Callable[..., HttpResponse]:
    """A view out of ``operation(request, caller, …) -> document``.

    It wants a Transfer token, and gives every answer its ``request_id`` and
    ``resource``. A key ``HTTP_STATUS`` in the document becomes the status.
    """

    @wraps(operation)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        headers: dict[str, str] = {}
        try:
            caller = _caller(request)
            document = operation(request, caller, *args, **kwargs)
            status = document.pop("HTTP_STATUS", 200)
        except TransferFailure as failure:
            document = {"code": failure.code, "message": failure.message}
            document.update(failure.more)
            status, headers = failure.status, failure.headers
        document["request_id"] = request_id()
        document["resource"] = request.path.removeprefix(PREFIX)
        return json_answer(document, status, headers)

    return view


def _caller(request: HttpRequest) -> Caller:
    token = tokens.find_access_token(bearer_token(request), scopes.TRANSFER)
    if token is None or scopes.TRANSFER_ALL not in token.scope.split():
        raise TransferFailure(
            401, "ClientError.AuthenticationFailed", "Token is not valid or missing"
        )
    try:
        count_request(token.identity_id)
    except RateLimited as err:
        failure = TransferFailure(429, knobs.rate_limit_code, "Too many requests")
        failure.headers = {"Retry-After": str(err.retry_after)}
        raise failure from err
    return Caller.of_token(token)
