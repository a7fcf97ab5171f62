"""How Globus Auth says no: the OAuth form and the API form."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox.answers import json_answer

View = Callable[..., HttpResponse]


class AuthFailure(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.document = document
        super().__init__(document.get("error", ""))


def oauth_error(
    error: str, description: str = "", *, status: int = 400, **more: Any
) -> AuthFailure:
    """The form of RFC 6749 section 5.2."""
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


def answers_errors(view: View) -> View:
    """Turn an ``AuthFailure`` into its answer."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except AuthFailure as failure:
            headers = (
                {"WWW-Authenticate": 'Basic realm="sandbox"'}
                if failure.document.get("error") == "invalid_client"
                else None
            )
            return json_answer(failure.document, failure.status, headers)

    return answered
