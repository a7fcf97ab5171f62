"""Roles in the admin: who may do what with a service account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms.models import ModelChoiceIterator
from django.http import HttpRequest

from accounts.admin.choices import staff_or
from accounts.models import Role, ServiceAccount, ServiceAccountRole, User


class RoleFormSet(forms.BaseInlineFormSet[ServiceAccountRole, ServiceAccount, Any]):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "take it away"


class RoleInline(admin.TabularInline[ServiceAccountRole, ServiceAccount]):
    """Who may do what with this account; for administrators alone (A06)."""

    model = ServiceAccountRole
    formset = RoleFormSet
    extra = 1
    fields = (
        "user",
        "group",
        "all_staff",
        "can_use",
        "can_view",
        "can_manage",
        "can_rotate",
    )

    def _is_allowed(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    has_add_permission = _is_allowed
    has_change_permission = _is_allowed
    has_delete_permission = _is_allowed
    has_view_permission = _is_allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceAccountRole]:
        return super().get_queryset(request).select_related("user", "group")

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            # A row of the stock table has no labels that a screen reader would find.
            field.widget.attrs["aria-label"] = str(db_field.verbose_name)
        return field

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = staff_or(ServiceAccountRole, "user")
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        choices = getattr(field, "choices", None)
        if field is not None and isinstance(choices, ModelChoiceIterator):
            # Asked for once, not once for each row.
            field.choices = list(choices)
        return field


def user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def open_to(request: HttpRequest, *roles: Role) -> QuerySet[ServiceAccount]:
    """A role counts in the administration for staff alone."""
    if not isinstance(request.user, User) or not request.user.is_staff:
        return ServiceAccount.objects.none()
    return ServiceAccount.objects.open_to(request.user, *roles)


def may(request: HttpRequest, account: ServiceAccount, role: Role) -> bool:
    return open_to(request, role).filter(pk=account.pk).exists()
