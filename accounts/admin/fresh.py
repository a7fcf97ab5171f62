"""What needs a sign-in of the last minutes: secrets, keys and rights (A03)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts import audit
from portal import sessions

FRESH_MINUTES = 15

View = TypeVar("View", bound=Callable[..., HttpResponse])


def is_fresh(request: HttpRequest) -> bool:
    return sessions.signed_in_within(request, minutes=FRESH_MINUTES)


def is_local(request: HttpRequest) -> bool:
    """Whether signing in again is not done at Globus."""
    return getattr(request.user, "identity_id", None) is None


def needs_fresh_sign_in(view: View) -> View:
    """For methods of a ``ModelAdmin``: what was sent is left alone, and said so.

    The page offers to sign in again and comes back to this address, which therefore
    has to answer a GET as well.
    """

    @wraps(view)
    def checked(
        model_admin: Any, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if not is_fresh(request):
            return sign_in_again(request)
        return view(model_admin, request, *args, **kwargs)

    return checked  # type: ignore[return-value] # the same signature


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """The page that stands in the way; refused changes are in the audit."""
    if request.method == "POST":
        audit.record(
            "admin:change:stale-sign-in",
            outcome=audit.Outcome.REFUSED,
            request=request,
            page=audit.path_of(request),
        )
    context = {
        **admin.site.each_context(request),
        "title": "Please sign in again",
        "minutes": FRESH_MINUTES,
        "back": request.get_full_path(),
        "was_sent": request.method == "POST",
        "is_local": is_local(request),
    }
    return TemplateResponse(request, "admin/sign_in_again.html", context, status=403)
