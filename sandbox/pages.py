"""What every HTML page has in common: the notice, the policy, the style sheet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sandbox.answers import json_answer, request_id
from sandbox.wire import UNEXPECTED

STYLE = (Path(__file__).parent / "assets" / "style.css").read_bytes()


class LoopbackHostMiddleware:
    """Refuses a Host that is not loopback, before any view is reached.

    Against DNS rebinding: without it a web page could turn the knobs.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises DisallowedHost, which is a 400
        return self.get_response(request)


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    status: int = 200,
    form_target: str = "",
) -> HttpResponse:
    """Render a page that needs no script, and may not have any.

    :param form_target: where a form of the page may end by a redirect; browsers
        hold ``form-action`` against every step of the way
    """
    answer = render(request, f"sandbox/{template}", context, status=status)
    origin = _origin(form_target)
    answer["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{f' {origin}' if origin else ''}"
    )
    # With ``no-referrer`` a browser would send ``Origin: null`` with our own forms.
    answer["Referrer-Policy"] = "same-origin"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store"
    return answer


def _origin(url: str) -> str:
    parts = urlsplit(url)
    # A ; or a blank would end the directive and begin another.
    if not parts.netloc or set(" ;,'\"") & set(parts.netloc):
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def is_foreign_form(request: HttpRequest) -> bool:
    """Whether a page of another origin sent this form (its Origin says so)."""
    origin = request.headers.get("Origin", "")
    return bool(origin) and origin.partition("://")[2] != request.get_host()


def style(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        STYLE, content_type="text/css", headers={"Cache-Control": "max-age=300"}
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An unknown route, in the shape of the service that it would belong to."""
    request.META[UNEXPECTED] = True
    document: dict[str, Any] = {
        "code": "ClientError.NotFound",
        "message": f"The sandbox has no route {request.method} {request.path}",
        "request_id": request_id(),
        "resource": request.path,
    }
    return json_answer(document, 404)
