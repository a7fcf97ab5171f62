"""The stock admin, on a site of our own: nothing registers itself there (A01)."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.db.models.base import ModelBase
from django.http import HttpRequest


class CausewayAdminConfig(AdminConfig):
    default_site = "portal.admin_site.CausewayAdminSite"


class CausewayAdminSite(admin.AdminSite):
    site_header = "Causeway administration"
    site_title = "Causeway"
    index_title = "Credentials, people and jobs"
    login_template = "admin_login.html"

    #: third-party models whose stock pages show what must not be shown
    kept_out = frozenset({"social_django"})

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def register(self, model_or_iterable: Any, *args: Any, **kwargs: Any) -> None:
        one = isinstance(model_or_iterable, ModelBase)
        models = [model_or_iterable] if one else list(model_or_iterable)
        shown = [each for each in models if each._meta.app_label not in self.kept_out]
        super().register(shown, *args, **kwargs)
