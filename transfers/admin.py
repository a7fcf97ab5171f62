"""Jobs, their runs, and transfers in the Django admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.admin.choices import staff_or
from accounts.models import User
from transfers.jobs import permissions, runs, versions
from transfers.jobs.models import Job, Run, RunStep
from transfers.jobs.permissions import Action
from transfers.models import Transfer


class ReadOnly(admin.options.BaseModelAdmin[Model]):
    """What the portal writes by itself can be looked at, and no more."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class JobForm(forms.ModelForm[Job]):
    class Meta:
        model = Job
        fields: ClassVar = [
            "name",
            "kind",
            "service_account",
            "owner",
            "source_collection",
            "source_path",
            "recursive",
            "destination_collection",
            "destination_path",
            "label",
            "options",
            "enabled",
        ]
        widgets: ClassVar = {
            "source_path": forms.TextInput(attrs={"size": 60}),
            "destination_path": forms.TextInput(attrs={"size": 60}),
        }


@admin.register(Job)
class JobAdmin(admin.ModelAdmin[Job]):
    form = JobForm
    list_display = ("name", "kind", "service_account", "owner", "enabled")
    list_filter = ("kind", "enabled", "service_account")
    list_select_related = ("service_account", "owner")
    search_fields = ("name", "label")
    actions = ("run_now",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        assert isinstance(request.user, User)
        return obj is None or permissions.may(request.user, Action.EDIT, obj)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = staff_or(Job, "owner")
        if db_field.name == "service_account":
            assert isinstance(request.user, User)
            kwargs["queryset"] = permissions.accounts_open_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        assert isinstance(request.user, User)
        for job in jobs.select_related("service_account"):
            if not permissions.may(request.user, Action.RUN, job):
                self.message_user(
                    request,
                    f"{job}: you may not run this job.",
                    messages.ERROR,
                )
                continue
            try:
                runs.run_now(job, by=request.user, reason="Run now, in the admin")
            except (runs.JobSwitchedOff, runs.JobHeld, runs.JobDeleted) as err:
                self.message_user(request, f"{job}: {err.advice}", messages.ERROR)
            else:
                self.message_user(request, f"{job} is on its way.", messages.SUCCESS)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        assert isinstance(request.user, User)
        versions.record(form.instance, by=request.user)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk}


class RunStepInline(ReadOnly, admin.TabularInline[RunStep, Run]):
    model = RunStep
    fields = ("at", "state", "says")
    extra = 0


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin[Run]):
    list_display = ("job", "state", "says", "triggered_by", "created_at", "finished_at")
    list_filter = ("state", "job")
    list_select_related = ("job", "triggered_by")
    search_fields = ("job__name", "id")
    date_hierarchy = "created_at"
    inlines = (RunStepInline,)
    fields = (
        "job",
        "service_account",
        "state",
        "says",
        "triggered_by",
        "reason",
        "inputs",
        "transfer",
        "created_at",
        "started_at",
        "finished_at",
        "attempts",
        "takeovers",
        "last_error",
        "error_code",
        "error_detail",
        "result",
    )


@admin.register(Transfer)
class TransferAdmin(ReadOnly, admin.ModelAdmin[Transfer]):
    list_display = (
        "__str__",
        "status",
        "principal",
        "source_name",
        "destination_name",
        "created_at",
    )
    list_filter = ("status", "kind")
    list_select_related = ("user", "service_account")
    search_fields = ("label", "id", "task_id")
    date_hierarchy = "created_at"
