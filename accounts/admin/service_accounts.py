"""Service accounts in the admin. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accounts import audit, revocation, service_accounts
from accounts.admin.choices import staff_or
from accounts.admin.confirm import ReasonForm, ask
from accounts.admin.fresh import (
    FRESH_MINUTES,
    is_fresh,
    needs_fresh_sign_in,
    sign_in_again,
)
from accounts.admin.pages import WithPages
from accounts.admin.roles import RoleInline, may, open_to, user_of
from accounts.admin.secret_slots import secrets_page
from accounts.admin.service_account_forms import ServiceAccountForm, WithSecretForm
from accounts.models import (
    Role,
    ServiceAccount,
    ServiceAccountSecret,
    Token,
)
from accounts.service_accounts import replace_secret, uses_of, warnings_about


@admin.register(ServiceAccount)
class ServiceAccountAdmin(WithPages[ServiceAccount]):
    form = ServiceAccountForm
    list_display = (
        "name",
        "identity_to_grant",
        "owner",
        "enabled",
        "secret_set_on",
        "to_look_at",
    )
    pages = ("secrets", "switch_off", "switch_on", "revoke")
    list_filter = ("enabled",)
    list_select_related = ("owner",)
    search_fields = ("name", "client_id", "purpose")
    readonly_fields = (
        "enabled",
        "disabled_reason",
        "created_at",
    )
    inlines = (RoleInline,)
    actions = None
    delete_confirmation_template = "admin/accounts/serviceaccount/delete.html"

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = staff_or(ServiceAccount, "owner")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # Columns

    @admin.display(description="identity to grant access to")
    def identity_to_grant(self, account: ServiceAccount) -> str:
        return account.identity_username if account.client_id else "–"

    @admin.display(description="secret set on")
    def secret_set_on(self, account: ServiceAccount) -> str:
        active = _active(account)
        if active is None:
            return "not set"
        return timezone.localtime(active.created_at).strftime("%Y-%m-%d")

    @admin.display(description="to look at")
    def to_look_at(self, account: ServiceAccount) -> str:
        active = _active(account)
        return " ".join(warnings_about(active)) if active and account.enabled else ""

    # Who may do what

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        found = open_to(request, Role.VIEW, Role.MANAGE, Role.ROTATE)
        return found.exists() if obj is None else found.filter(pk=obj.pk).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and may(request, obj, Role.MANAGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and may(request, obj, Role.MANAGE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceAccount]:
        return open_to(request, Role.VIEW, Role.MANAGE, Role.ROTATE).prefetch_related(
            "secrets"
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = ["name", "client_id", "purpose", "owner", "allowed_servers"]
        if obj is None:
            return [*fields, "new_secret"]
        may_replace = may(request, obj, Role.ROTATE) and may(request, obj, Role.MANAGE)
        # What is typed with an old sign-in would be lost.
        if may_replace and is_fresh(request):
            fields.append("new_secret")
        shown = ["enabled", "created_at"]
        return [
            *fields,
            *shown,
            *([] if obj.enabled else ["disabled_reason"]),
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        # A field that a form class declares is taken in whether it is shown or not.
        if "new_secret" in self.get_fields(request, obj):
            kwargs["form"] = WithSecretForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        # Tokens and consents at Globus belong to the client of before.
        return (*self.readonly_fields, *(("client_id",) if obj else ()))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk}

    # Pages

    def secrets_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        return secrets_page(request, pk)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        # The page for a new account takes a secret; the other one can be looked at.
        if not is_fresh(request) and (object_id is None or request.method == "POST"):
            if object_id is None and not self.has_add_permission(request):
                raise PermissionDenied
            return sign_in_again(request)
        context = extra_context or {}
        account = self.get_object(request, object_id) if object_id else None
        if account is not None:
            active = _active(account)
            context |= {
                "warnings": warnings_about(active) if active else [],
                "uses": uses_of(account),
                "may_manage": may(request, account, Role.MANAGE),
                "may_rotate": may(request, account, Role.ROTATE),
                "may_test": may(request, account, Role.MANAGE),
                "is_fresh": is_fresh(request),
                "fresh_minutes": FRESH_MINUTES,
            }
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(
        self, request: HttpRequest, obj: ServiceAccount, form: Any, change: bool
    ) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            audit.record(
                f"service-account:self:{'change' if change else 'add'}",
                request=request,
                owner=obj,
                fields=[name for name in form.changed_data if name != "new_secret"],
                acts_at=obj.allowed_servers,
            )
            secret = form.cleaned_data.get("new_secret")
            if secret:
                replace_secret(obj, secret, by=user_of(request))
                audit.record(
                    "service-account:secret:replace",
                    request=request,
                    owner=obj,
                    credential_id=service_accounts.active_secret_id(obj),
                )

    def save_formset(
        self, request: HttpRequest, form: Any, formset: Any, change: bool
    ) -> None:
        """The roles; each change of a right is an entry of its own."""
        super().save_formset(request, form, formset, change)
        done = [("give", each) for each in formset.new_objects]
        done += [("change", each) for each, _ in formset.changed_objects]
        done += [("take", each) for each in formset.deleted_objects]
        for verb, role in done:
            audit.record(
                f"service-account:role:{verb}",
                request=request,
                owner=form.instance,
                holder=role.holder,
                roles=role.roles,
            )

    @needs_fresh_sign_in
    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        account = self.get_object(request, object_id)
        if account is None or not self.has_delete_permission(request, account):
            raise PermissionDenied
        uses = uses_of(account)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and not form.is_valid():
            # Shows the question again, with what is wrong.
            request.method, request.POST = "GET", QueryDict()
        context = {**(extra_context or {}), "uses": uses, "reason_form": form}
        return super().delete_view(request, object_id, context)

    def delete_model(self, request: HttpRequest, obj: ServiceAccount) -> None:
        with transaction.atomic():
            reason = request.POST.get("reason", "")[:500]
            revocation.revoke_all(obj, by=user_of(request), reason=reason)
            audit.record(
                "service-account:self:delete",
                request=request,
                owner=obj,
                reason=reason,
                client_id=str(obj.client_id),
            )
            super().delete_model(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Rows of its own go with it and need no permission of theirs.

        Their tokens are revoked before, which is what protects those rows.
        """
        deleted, counts, _, protected = super().get_deleted_objects(objs, request)
        tokens = {str(each) for each in Token.objects.filter(service_account__in=objs)}
        kept = [each for each in protected if not any(name in each for name in tokens)]
        return deleted, counts, set(), kept

    @needs_fresh_sign_in
    def switch_off_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        account = self._managed(request, pk)
        uses = uses_of(account)
        says = [
            f"“{account}” will do nothing any more: its tokens are taken back here and "
            "at Globus, and jobs that name it fail with the reason that you give.",
            "What Globus has already accepted goes on there until it ends.",
        ]
        return self._ask(
            request,
            account,
            service_accounts.switch_off,
            title=f"Switch off {account}?",
            says=says,
            button="Switch it off",
            done=f"{account} is switched off.",
            uses=uses,
        )

    @needs_fresh_sign_in
    def switch_on_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        account = self._managed(request, pk)
        return self._ask(
            request,
            account,
            service_accounts.switch_on,
            title=f"Switch {account} on again?",
            says=[f"It was switched off because: {account.disabled_reason}"],
            button="Switch it on",
            done=f"{account} is switched on.",
        )

    @needs_fresh_sign_in
    def revoke_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        account = self._managed(request, pk)
        says = [
            "All its tokens are taken back, here at once and at Globus as soon as it "
            "answers. The service account stays switched on: its next run gets a new "
            "token with its secret.",
            "If the secret has leaked, enter a new one instead and take the old one "
            "out at Globus as well.",
        ]
        return self._ask(
            request,
            account,
            revocation.revoke_all,
            title=f"Revoke all tokens of {account}?",
            says=says,
            button="Revoke them",
            done=f"The tokens of {account} are revoked.",
            uses=uses_of(account),
        )

    def _managed(self, request: HttpRequest, pk: Any) -> ServiceAccount:
        return get_object_or_404(open_to(request, Role.MANAGE), pk=pk)

    def _ask(
        self, request: HttpRequest, account: ServiceAccount, verb: Any, **page: Any
    ) -> HttpResponse:
        back = reverse("admin:accounts_serviceaccount_change", args=[account.pk])
        return ask(request, account, verb, back=back, **page)


def _active(account: ServiceAccount) -> ServiceAccountSecret | None:
    """Of the secrets that a list has fetched already."""
    active = ServiceAccountSecret.State.ACTIVE
    return next((each for each in account.secrets.all() if each.state == active), None)
