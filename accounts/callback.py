"""What may arrive where Globus Auth sends the browser back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest
from django.http import QueryDict

from portal.globus.errors import (
    SignInDeclined,
    SignInNotOurs,
    SignInUnreachable,
    SignInUnverified,
)

LONGEST_CODE = 2048
LONGEST_STATE = 128


def check_query(query: QueryDict) -> None:
    """One ``state``, and one ``code`` or one ``error`` (L05); nothing resumable (L26).

    :raises SignInNotOurs: Globus sends no such thing
    """
    if "partial_token" in query:
        raise BadRequest("partial_token")
    for name in ("state", "code", "error", "iss"):
        if len(query.getlist(name)) > 1:
            raise SignInNotOurs
    if not is_visible(query.get("state", ""), LONGEST_STATE):
        raise SignInNotOurs
    if "error" in query:
        return
    if not is_visible(query.get("code", ""), LONGEST_CODE):
        raise SignInNotOurs


def is_visible(text: str, longest: int) -> bool:
    """Visible ASCII, as RFC 6749 appendix A has it for each of these, and not empty."""
    return (
        0 < len(text) <= longest
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def check_issuer(query: Mapping[str, Any], discovery: Mapping[str, Any]) -> None:
    """The answer comes from whom the question went to (RFC 9207 section 2.4)."""
    announced = discovery.get("authorization_response_iss_parameter_supported")
    named = query.get("iss")
    if named is None and announced is not True:
        return
    if named != discovery["issuer"]:
        raise SignInUnverified


def check_no_error(query: Mapping[str, Any]) -> None:
    """What Auth says instead of a code (RFC 6749 section 4.1.2.1); never shown.

    :raises SignInDeclined: the person said no
    :raises SignInUnreachable: anything else, which may go better another time
    """
    if "error" not in query:
        return
    if query["error"] == "access_denied":
        raise SignInDeclined
    raise SignInUnreachable
