"""People in the admin: what is held for them, and taking it from them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from accounts import audit, revocation, standing
from accounts.admin.confirm import ask
from accounts.admin.fresh import (
    FRESH_MINUTES,
    is_fresh,
    needs_fresh_sign_in,
    sign_in_again,
)
from accounts.admin.pages import WithPages
from accounts.models import Token, User
from portal import sessions

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def ruled_by_globus() -> bool:
    """Whether staff and administrators are read from Globus groups at each sign-in."""
    return bool(settings.GROUP_STAFF or settings.GROUP_ADMINS)


@admin.register(User)
class PersonAdmin(WithPages[User]):
    """People come in by signing in; here one sees them and switches them off."""

    list_display = (
        "name",
        "preferred_username",
        "organization",
        "is_active",
        "is_staff",
        "is_superuser",
    )
    pages = ("switch_off", "switch_on", "revoke", "end_sessions")
    list_filter = ("is_active", "is_staff", "is_superuser")
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
        "groups",
        "user_permissions",
        "last_login",
        "created_at",
    )
    actions = None
    change_form_template = "admin/accounts/user/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """An administrator is changed by administrators only."""
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or bool(request.user.is_superuser or not obj.is_superuser)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> tuple[str, ...]:
        given: tuple[str, ...] = ()
        if request.user.is_superuser:
            # What Globus groups rule would be undone by the next sign-in.
            given = RIGHTS[2:] if ruled_by_globus() else RIGHTS
        return tuple(name for name in self.fields if name not in given)

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user_permissions":
            kwargs["queryset"] = db_field.remote_field.model.objects.select_related(
                "content_type"
            )
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method == "POST" and not is_fresh(request):
            return sign_in_again(request)
        context = extra_context or {}
        person = self.get_object(request, object_id) if object_id else None
        if person is not None:
            context |= {
                "tokens": Token.objects.held_for(person)
                .order_by("resource_server")
                .defer("sealed_access_token", "sealed_refresh_token"),
                "sessions_count": sessions.open_sessions(person).count(),
                "ruled_by_globus": ruled_by_globus(),
                "may_change": self.has_change_permission(request, person),
                "is_fresh": is_fresh(request),
                "fresh_minutes": FRESH_MINUTES,
            }
        return super().changeform_view(request, object_id, form_url, context)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            changed = [name for name in form.changed_data if name in RIGHTS]
            if changed:
                audit.record(
                    "person:rights:change",
                    request=request,
                    owner=form.instance,
                    **standing.rights_of(form.instance),
                )

    def save_model(
        self, request: HttpRequest, obj: User, form: Any, change: bool
    ) -> None:
        # Only what the form changed: a sign-in may be writing the rest.
        columns = [name for name in form.changed_data if name in RIGHTS[:2]]
        if columns:
            obj.save(update_fields=columns)

    @needs_fresh_sign_in
    def switch_off_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        person = self._person(request, pk)
        if person == request.user:
            self.message_user(
                request, "You cannot switch yourself off.", messages.ERROR
            )
            return redirect(self._page(person))
        return self._ask(
            request,
            person,
            standing.switch_off,
            title=f"Switch {person} off?",
            says=[
                "They are signed out everywhere and cannot sign in again, and their "
                "tokens are taken back here and at Globus.",
                "What Globus has accepted goes on there. Jobs that they own do not "
                "run; give those another owner.",
            ],
            button="Switch them off",
            done=f"{person} is switched off.",
        )

    @needs_fresh_sign_in
    def switch_on_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        person = self._person(request, pk)
        return self._ask(
            request,
            person,
            standing.switch_on,
            title=f"Let {person} in again?",
            says=["They can sign in, and the portal acts for them from then on."],
            button="Let them in",
            done=f"{person} may sign in again.",
        )

    @needs_fresh_sign_in
    def revoke_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        person = self._person(request, pk)
        return self._ask(
            request,
            person,
            revocation.revoke_all,
            title=f"Revoke all tokens of {person}?",
            says=[
                "They are taken back here at once, and at Globus as soon as it "
                "answers. The portal does nothing for them until they sign in again; "
                "transfers that wait to be sent wait for that."
            ],
            button="Revoke them",
            done=f"The tokens of {person} are revoked.",
        )

    @needs_fresh_sign_in
    def end_sessions_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        person = self._person(request, pk)
        return self._ask(
            request,
            person,
            standing.end_sessions,
            title=f"Sign {person} out everywhere?",
            says=["Every browser in which they are signed in asks for a sign-in."],
            button="Sign them out",
            done=f"{person} is signed out everywhere.",
        )

    def _person(self, request: HttpRequest, pk: Any) -> User:
        person = get_object_or_404(User, pk=pk)
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return person

    def _page(self, person: User) -> str:
        return reverse("admin:accounts_user_change", args=[person.pk])

    def _ask(
        self, request: HttpRequest, person: User, verb: Any, **page: Any
    ) -> HttpResponse:
        return ask(request, person, verb, back=self._page(person), **page)
