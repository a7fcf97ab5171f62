"""How Globus Auth says no: the OAuth form and the API form."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError

from sandbox.answers import json_answer
from sandbox.knobs import current as knobs
from sandbox.wire import UNEXPECTED

View = Callable[..., HttpResponse]


class AuthFailure(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.document = document
        super().__init__(document.get("error", ""))


def oauth_error(
    error: str, description: str = "", *, status: int | None = None, **more: Any
) -> AuthFailure:
    """The form of RFC 6749 section 5.2.

    :param status: None is what the knob says, 400 by default
    """
    if status is None:
        status = knobs.oauth_error_status
    document: dict[str, Any] = {"error": error}
    if description:
        document["error_description"] = description
    return AuthFailure(status, {**document, **more})


def api_error(status: int, code: str, title: str, detail: str) -> AuthFailure:
    """The form of Auth's own routes; it holds an OAuth error as well."""
    entry = {
        "status": str(status),
        "id": str(uuid.uuid4()),
        "code": code,
        "detail": detail,
        "title": title,
    }
    error = title.lower().replace(" ", "_")
    return AuthFailure(
        status, {"errors": [entry], "error": error, "error_description": title}
    )


def unauthorized() -> AuthFailure:
    return api_error(401, "UNAUTHORIZED", "Unauthorized", "Call must be authenticated")


def forbidden(detail: str = "Call must be authorized") -> AuthFailure:
    return api_error(403, "FORBIDDEN", "Forbidden", detail)


def not_found(detail: str) -> AuthFailure:
    return api_error(404, "RESOURCE_NOT_FOUND", "Not Found", detail)


def method_not_allowed(method: str | None, path: str) -> AuthFailure:
    return api_error(
        405, "METHOD_NOT_ALLOWED", "Method Not Allowed", f"No {method} at {path}"
    )


def auth_view(*methods: str) -> Callable[[View], View]:
    """A view of Auth that serves ``methods`` and answers every refusal as JSON.

    A body that Django itself cannot read (a broken multipart, a charset that a form
    may not have) is a refusal like any other.
    """

    def decorated(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    request.META[UNEXPECTED] = True
                    raise method_not_allowed(request.method, request.path)
                return view(request, *args, **kwargs)
            except AuthFailure as failure:
                return _answer(failure)
            except (BadRequest, MultiPartParserError) as err:
                return _answer(oauth_error("invalid_request", str(err)))

        return answered

    return decorated


def _answer(failure: AuthFailure) -> HttpResponse:
    is_client = failure.document.get("error") == "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="sandbox"'} if is_client else None
    return json_answer(failure.document, failure.status, headers)
