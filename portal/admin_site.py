"""The stock admin, on a site of our own: nothing registers itself there (A01)."""

import re
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models.base import ModelBase
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

#: What acts on a terminal or turns the direction of reading (security.md W02).
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
#: What goes back as it is when a form is sent.
_GOES_BACK = re.compile(r"""(<textarea\b.*?</textarea>|\bvalue="[^"]*")""", re.DOTALL)

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class CausewayAdminConfig(AdminConfig):
    default_site = "portal.admin_site.CausewayAdminSite"


class CausewayAdminSite(admin.AdminSite):
    site_header = "Causeway administration"
    site_title = "Causeway"
    index_title = "Credentials, people and jobs"
    login_template = "admin_login.html"

    #: third-party models whose stock pages show what must not be shown
    kept_out = frozenset({"social_django"})

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The way in through Globus; with a form for local accounts where allowed."""
        if request.method == "POST" and not settings.LOCAL_ADMIN:
            raise PermissionDenied
        context = {"local_admin": settings.LOCAL_ADMIN, **(extra_context or {})}
        return super().login(request, context)

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Strangers sign in first; whoever is signed in and no staff gets a 403.

        Django would show them the form for signing in, which leads nowhere.
        """
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            response = guarded(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                response.add_post_render_callback(show_unseen)
            return response

        return cast(View, update_wrapper(inner, guarded))

    def register(self, model_or_iterable: Any, *args: Any, **kwargs: Any) -> None:
        one = isinstance(model_or_iterable, ModelBase)
        models = [model_or_iterable] if one else list(model_or_iterable)
        shown = [each for each in models if each._meta.app_label not in self.kept_out]
        super().register(shown, *args, **kwargs)


def show_unseen(response: HttpResponse) -> None:
    """Puts marks for characters that others' names hide, on any page of the admin.

    Its templates and widgets are Django's own, so that no filter of ours is in them.
    What a form sends back keeps its characters.
    """
    page = response.content.decode()
    if not _UNSEEN.search(page):
        return
    pieces = _GOES_BACK.split(page)
    pieces[::2] = [_UNSEEN.sub(_mark, piece) for piece in pieces[::2]]
    response.content = "".join(pieces).encode()


def _mark(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"
