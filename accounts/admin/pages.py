"""Pages of the admin that are about one row: switching off, revoking, secrets."""

from __future__ import annotations

from typing import TypeVar

from django.contrib import admin
from django.db import models
from django.urls import URLPattern, path

Row = TypeVar("Row", bound=models.Model)


class WithPages(admin.ModelAdmin[Row]):
    """An admin with pages of its own for a row.

    Each of ``pages`` is a method ``<page>_view(request, pk)`` at ``<pk>/<page>/``, and
    is called ``admin:accounts_<model>_<page>``.
    """

    pages: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<uuid:pk>/{page.replace('_', '-')}/",
                self.admin_site.admin_view(getattr(self, f"{page}_view")),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{page}",
            )
            for page in self.pages
        ]
        return [*own, *super().get_urls()]
