"""The plain forms of the page below ``/_sandbox/``: they turn the same knobs.

A form carries a token that only this page knows, and its Origin must be the
sandbox's own: no other page can turn anything (OWASP, cross-site request forgery).
"""

import secrets
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox import knobs
from sandbox.answers import json_answer
from sandbox.pages import is_foreign_form

#: changes with every start; a page that was opened before must be loaded again
TOKEN = secrets.token_urlsafe(24)

Turn = Callable[[dict[str, Any]], Any]


def is_forged(request: HttpRequest) -> bool:
    given = request.POST.get("token", "")
    is_known = secrets.compare_digest(given.encode(), TOKEN.encode())
    return is_foreign_form(request) or not is_known


def form(turn: Turn, read: Callable[[HttpRequest], dict[str, Any]]) -> Any:
    """A view that turns a knob with what ``read`` finds in the form."""

    def view(request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or is_forged(request):
            return json_answer({"error": "Send the form of the page"}, 403)
        try:
            turn(read(request))
        except (ValueError, TypeError, LookupError) as err:
            return json_answer({"error": str(err)}, 400)
        return HttpResponseRedirect("/")

    return view


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
    return {**numbers, **texts, **drip}


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
    given = filled(request)
    minutes = given.get("authentication_timeout_mins")
    return {
        "collection": given.get("collection", ""),
        "authentication_timeout_mins": int(minutes) if minutes else None,
        "session_domain": given.get("session_domain", ""),
        **{
            name: name in request.POST
            for name in ("connected", "paused", "public", "high_assurance")
        },
    }


def nothing(request: HttpRequest) -> dict[str, Any]:
    return {}
