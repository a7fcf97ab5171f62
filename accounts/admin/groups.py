"""Groups of this portal's own, which carry permissions in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from accounts import audit
from accounts.admin.fresh import is_fresh, needs_fresh_sign_in, sign_in_again

admin.site.unregister(Group)


@admin.register(Group)
class AuditedGroupAdmin(GroupAdmin):
    """For administrators alone: whoever changes a group changes their own rights."""

    # Plain lists, which work without a script.
    filter_horizontal = ()
    actions = None

    def _is_allowed(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    has_add_permission = _is_allowed
    has_change_permission = _is_allowed
    has_delete_permission = _is_allowed
    has_view_permission = _is_allowed
    has_module_permission = _is_allowed

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method == "POST" and not is_fresh(request):
            return sign_in_again(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        permissions = form.instance.permissions.values_list("codename", flat=True)
        audit.record(
            f"admin:group:{'change' if change else 'add'}",
            request=request,
            group=form.instance.name,
            permissions=sorted(permissions),
        )

    @needs_fresh_sign_in
    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        audit.record("admin:group:delete", request=request, group=obj.name)
        super().delete_model(request, obj)
