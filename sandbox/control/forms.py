"""The plain forms of the page below ``/_sandbox/``: they turn the same knobs.

A form carries a token that only this page knows, and its Origin must be the
sandbox's own: no other page can turn anything (OWASP, cross-site request forgery).
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from sandbox import knobs
from sandbox.pages import is_foreign_form

#: changes with every start; a page that was opened before must be loaded again
TOKEN = secrets.token_urlsafe(24)

Turn = Callable[[dict[str, Any]], Any]
Read = Callable[[HttpRequest], dict[str, Any]]


def is_forged(request: HttpRequest) -> bool:
    given = request.POST.get("token", "")
    is_known = secrets.compare_digest(given.encode(), TOKEN.encode())
    return is_foreign_form(request) or not is_known


def sentence(err: Exception) -> str:
    """Why a form was not taken, for the person who sent it."""
    # Of a missing key, str() is its repr.
    words = f"{err.args[0]} is missing" if isinstance(err, KeyError) else str(err)
    return f"{words[:1].upper()}{words[1:].rstrip('.')}. Nothing was changed."


def typed_knobs(request: HttpRequest) -> dict[str, Any]:
    """The knobs whose field differs from what they are now.

    :raises ValueError: the text is not of the knob's type
    """
    current = knobs.as_dict()
    found: dict[str, Any] = {}
    for name, value in current.items():
        if isinstance(value, bool):
            found[name] = name in request.POST
        elif name in request.POST:
            found[name] = type(value)(request.POST[name])
    return {name: value for name, value in found.items() if value != current[name]}


def filled(request: HttpRequest) -> dict[str, str]:
    """The fields that are not empty."""
    return {
        name: value
        for name, value in request.POST.items()
        if isinstance(value, str) and value and name != "token"
    }


def clock(request: HttpRequest) -> dict[str, Any]:
    given = filled(request)
    numbers: dict[str, Any] = {
        name: float(given[name]) for name in ("advance", "speed") if name in given
    }
    return {**numbers, **({"set": given["set"]} if "set" in given else {})}


def latency(request: HttpRequest) -> dict[str, Any]:
    return {
        "route": request.POST.get("route", ""),
        "seconds": float(request.POST.get("seconds") or 0),
    }


def fault(request: HttpRequest) -> dict[str, Any]:
    given = filled(request)
    whole = ("status", "retry_after", "cut_after", "times", "skip")
    numbers = {name: int(given[name]) for name in whole if name in given}
    texts: dict[str, Any] = {
        name: given[name] for name in ("route", "method", "reset") if name in given
    }
    drip = (
        {"drip_seconds": float(given["drip_seconds"])}
        if "drip_seconds" in given
        else {}
    )
    body = {"body": _body(given["body"])} if "body" in given else {}
    return {**numbers, **texts, **drip, **body}


def _body(text: str) -> Any:
    """A JSON document where it is one; any other text is sent as HTML."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    return document if isinstance(document, dict) else text


def generated(request: HttpRequest) -> dict[str, Any]:
    given = filled(request)
    whole = ("count", "size", "levels", "directories")
    numbers = {name: int(given.get(name, "0")) for name in whole}
    return {
        **numbers,
        "collection": given.get("collection", ""),
        "path": given.get("path", ""),
    }


def collection(request: HttpRequest) -> dict[str, Any]:
    """What is filled in; the rest of the collection stays as it is.

    :raises ValueError: a field holds what it cannot
    """
    given = filled(request)
    found: dict[str, Any] = {"collection": given.get("collection", "")}
    for name in ("connected", "paused", "public", "high_assurance"):
        if name in given:
            found[name] = _yes_or_no(name, given[name])
    if "session_domain" in given:
        found["session_domain"] = given["session_domain"].strip()
    if "authentication_timeout_mins" in given:
        minutes = int(given["authentication_timeout_mins"])
        found["authentication_timeout_mins"] = minutes or None
    if "denied_paths" in given:
        found["denied_paths"] = given["denied_paths"].split()
    return found


def _yes_or_no(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{name} is yes or no")
    return text == "yes"


def pause(request: HttpRequest) -> dict[str, Any]:
    """A pause rule; no operation ticked is all of them."""
    given = filled(request)
    names = ("collection", "message", "identity_id")
    found: dict[str, Any] = {name: given[name] for name in names if name in given}
    wanted = [str(one) for one in request.POST.getlist("pauses")]
    return found | ({"pauses": wanted} if wanted else {})


def policy(request: HttpRequest) -> dict[str, Any]:
    given = filled(request)
    seconds = given.get("timeout_seconds")
    return {
        "policy": given.get("policy", ""),
        "domains": given.get("domains", "").split(),
        "timeout_seconds": int(seconds) if seconds else None,
        "required_mfa": "required_mfa" in request.POST,
    }


def nothing(request: HttpRequest) -> dict[str, Any]:
    return {}
