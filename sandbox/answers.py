"""JSON answers and the small things that every service needs."""

import secrets
import string
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

_LETTERS = string.ascii_letters + string.digits


def json_answer(
    document: Any, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """``document`` as JSON; names that are no valid text get replacement signs."""
    try:
        content = orjson.dumps(document)
    except (TypeError, orjson.JSONEncodeError):
        content = orjson.dumps(_readable(document))
    return HttpResponse(
        content, status=status, content_type="application/json", headers=headers
    )


def _readable(value: Any) -> Any:
    """A file name that is not UTF-8 arrives with lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_readable(key): _readable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_readable(one) for one in value]
    return value


def request_id() -> str:
    """Nine letters and digits, as Transfer has them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(9))


def bearer_token(request: HttpRequest) -> str:
    """The token of the Authorization header, or "" (RFC 6750 section 2.1)."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object.

    :raises ValueError: it is something else
    """
    document = orjson.loads(request.body)
    if not isinstance(document, dict):
        raise ValueError("The body must be a JSON object")
    return document
