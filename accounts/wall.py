"""The login wall, and the door in it for a request that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.signals import user_logged_out
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts import carrying, pending
from accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]

_SIGNER = signing.Signer(salt="accounts.wall")
#: a day longer than a session, for a form that was open when it ended
COOKIE_SECONDS = settings.SESSION_COOKIE_AGE + 86_400


class SignInWall(LoginRequiredMiddleware):
    """Sends strangers to sign in, and keeps what they were about to send.

    When a session ends while a form is open, the browser still says, in a cookie that
    we signed, who was the last to sign in in it. The form waits for that person and
    for nobody else. Signing out takes the cookie away.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = super().__call__(request)  # type: ignore[assignment]
        name = settings.PERSON_COOKIE_NAME
        if getattr(request, "has_signed_out", False):
            response.delete_cookie(name, samesite="Lax")
        elif request.session.accessed and isinstance(request.user, User):
            mark = _SIGNER.sign(request.user.pk.hex)
            if request.COOKIES.get(name) != mark:
                response.set_cookie(
                    name,
                    mark,
                    max_age=COOKIE_SECONDS,
                    secure=settings.SECURE,
                    httponly=True,
                    samesite="Lax",
                )
        return response

    def handle_no_permission(  # type: ignore[override] # also htmx's kind of redirect
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponse:
        is_part = bool(getattr(request, "htmx", False))
        if is_part and request.method == "POST":
            # The form stays where it is; its script sends all of it, to be kept.
            return HttpResponse(status=403)
        if self._is_nobodys(request) and (page := carrying.page(request)):
            return page
        response = redirect_to_login(self._target(request))
        if is_part:
            # A redirect would put the whole page of the sign-in into a part of one.
            return HttpResponseClientRedirect(response.url)
        return response

    def _is_nobodys(self, request: HttpRequest) -> bool:
        """A form of which nothing says who filled it in."""
        is_form = request.method == "POST" and not request.POST.get(pending.FIELD)
        return is_form and last_person(request) is None

    def _target(self, request: HttpRequest) -> str:
        if request.method in ("GET", "HEAD"):
            if getattr(request, "htmx", False):
                return pending.page_of(request)
            return request.get_full_path()
        if named := request.POST.get(pending.FIELD):
            return reverse("accounts:pending", args=[named])
        person = last_person(request)
        if request.method != "POST" or person is None:
            return pending.page_of(request)
        return pending.address(pending.remember_signed_out(request, person))


@receiver(user_logged_out)
def note_sign_out(request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None:
        request.has_signed_out = True  # type: ignore[attr-defined]


def last_person(request: HttpRequest) -> User | None:
    """Who signed in last in this browser and did not sign out."""
    mark = request.COOKIES.get(settings.PERSON_COOKIE_NAME, "")
    try:
        pk = UUID(hex=_SIGNER.unsign(mark))
    except (signing.BadSignature, ValueError):
        return None
    return User.objects.filter(pk=pk, is_active=True).first()


class GoingOn:
    """Puts the kept body into a request that names it, once.

    The request comes from our page, with the token of its form, and passes everything
    that any other request passes.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if request.method != "POST":
            return None
        if pending.FIELD not in request.POST:
            if pending.REOPEN in request.POST:  # from ``accounts.carrying``
                fields = request.POST.copy()
                del fields[pending.REOPEN]
                fields._mutable = False
                request.POST = fields  # type: ignore[assignment]
            return None
        if request.path == reverse("accounts:begin"):
            return None
        action = pending.find(request, request.POST[pending.FIELD])
        body = pending.body_for(request, action)
        if body is None:
            # The page of the action says why it does not go on.
            return redirect(pending.address(action))
        body._mutable = False
        request.POST = body  # type: ignore[assignment]
        request.pending_action = action  # type: ignore[attr-defined]
        return None
