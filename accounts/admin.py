"""Credentials and people in the Django admin. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import ServiceAccount, ServiceAccountSecret, User
from accounts.service_accounts import replace_secret


class ServiceAccountForm(forms.ModelForm[ServiceAccount]):
    """A blank secret keeps the one that is set; it is shown to nobody (A02)."""

    new_secret = forms.CharField(
        label="Client secret",
        required=False,
        strip=True,
        max_length=500,
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password"}
        ),
    )

    class Meta:
        model = ServiceAccount
        fields: ClassVar = [
            "name",
            "client_id",
            "purpose",
            "owner",
            "enabled",
            "disabled_reason",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_secret"].help_text = _secret_help(self.instance)

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"]
        if self.instance._state.adding and not secret:
            raise forms.ValidationError(
                "Enter the secret that Globus showed when it was made."
            )
        return secret


def _secret_help(account: ServiceAccount) -> str:
    """When the secret was set and by whom, never what it is."""
    if account._state.adding:
        return "Globus shows it once, after “Add Client Secret”."
    active = account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    if active is None:
        return "None is set."
    day = timezone.localtime(active.created_at).strftime("%-d %B %Y")
    by = active.created_by or "an earlier administrator"
    return f"Set on {day} by {by}. Leave it blank to keep it."


@admin.register(ServiceAccount)
class ServiceAccountAdmin(admin.ModelAdmin[ServiceAccount]):
    form = ServiceAccountForm
    list_display = ("name", "identity_to_grant", "owner", "enabled", "secret_set_on")
    list_filter = ("enabled",)
    search_fields = ("name", "client_id", "purpose")
    autocomplete_fields = ("owner",)
    readonly_fields = ("identity_to_grant", "created_at")

    @admin.display(description="identity to grant access to")
    def identity_to_grant(self, account: ServiceAccount) -> str:
        return account.identity_username if account.client_id else "–"

    @admin.display(description="secret set on")
    def secret_set_on(self, account: ServiceAccount) -> str:
        active = next(
            (each for each in account.secrets.all() if each.state == "active"), None
        )
        return (
            timezone.localtime(active.created_at).strftime("%Y-%m-%d")
            if active
            else "not set"
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("secrets")

    def get_readonly_fields(
        self, request: HttpRequest, obj: ServiceAccount | None = None
    ) -> tuple[str, ...]:
        """Another client is another account, with a secret and tokens of its own."""
        return (*self.readonly_fields, *(("client_id",) if obj else ()))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk}

    def save_model(
        self, request: HttpRequest, obj: ServiceAccount, form: Any, change: bool
    ) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            secret = form.cleaned_data.get("new_secret")
            if secret:
                assert isinstance(request.user, User)
                replace_secret(obj, secret, by=request.user)


@admin.register(User)
class PersonAdmin(admin.ModelAdmin[User]):
    """People come in by signing in; here one sees them and switches them off."""

    list_display = (
        "name",
        "preferred_username",
        "organization",
        "is_active",
        "is_staff",
    )
    list_filter = ("is_active", "is_staff")
    search_fields = ("name", "preferred_username", "email", "username")
    fields = (
        "name",
        "preferred_username",
        "email",
        "organization",
        "identity_id",
        "is_active",
        "is_staff",
        "is_superuser",
        "last_login",
        "created_at",
    )
    readonly_fields = tuple(name for name in fields if name not in ("is_active",))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
