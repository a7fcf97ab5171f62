"""The page with the secrets of one service account: enter, test, promote, go back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from accounts import audit, credential_check, service_accounts
from accounts.admin.fresh import FRESH_MINUTES, is_fresh, is_local, sign_in_again
from accounts.admin.roles import may, open_to, user_of
from accounts.admin.service_account_forms import AddSecretForm, TestForm
from accounts.models import Role, ServiceAccount, ServiceAccountSecret
from accounts.service_accounts import uses_of, warnings_about
from portal.globus.errors import PortalError

STEP_WORDS = {
    "add": "entered. Nothing uses it before you promote it; test it first.",
    "promote": "in use from now on. The one before can be gone back to.",
    "forget": "taken out here. Delete it at Globus as well.",
}


def secrets_page(request: HttpRequest, pk: Any) -> HttpResponse:
    """The slots: add, test, promote, go back, take out."""
    account = get_object_or_404(open_to(request, Role.MANAGE, Role.ROTATE), pk=pk)
    may_rotate = may(request, account, Role.ROTATE)
    add_form = AddSecretForm()
    sent: TestForm | None = None
    do = request.POST.get("do", "") if request.method == "POST" else ""
    if do == "test":
        sent = TestForm(request.POST, auto_id=_field_ids(request.POST.get("secret")))
        if sent.is_valid():
            _test(request, account, sent)
            # The same folder is likely to be tried with the other secret as well.
            return redirect(f"{request.path}{sent.as_query()}")
    elif do:
        if not may_rotate:
            raise PermissionDenied
        if not is_fresh(request):
            return sign_in_again(request)
        if do == "add":
            add_form = AddSecretForm(request.POST)
        if do != "add" or add_form.is_valid():
            _rotate(request, account, do, add_form)
            return redirect(request.path)
    folder = _folder_to_test(request, account)
    rows = [
        {
            "secret": secret,
            "warnings": warnings_about(secret),
            "says": credential_check.SENTENCES.get(
                secret.last_test_result,  # type: ignore[call-overload]
                "",
            ),
            "test_form": (
                sent
                if sent is not None and request.POST.get("secret") == str(secret.pk)
                else TestForm(initial=folder, auto_id=_field_ids(secret.pk))
            ),
        }
        for secret in account.secrets.select_related("created_by")
    ]
    context = {
        **admin.site.each_context(request),
        "title": f"Secrets of {account}",
        "account": account,
        "rows": rows,
        "add_form": add_form,
        "may_rotate": may_rotate,
        "may_test": may(request, account, Role.MANAGE),
        "is_fresh": is_fresh(request),
        "fresh_minutes": FRESH_MINUTES,
        "is_local": is_local(request),
        "uses": uses_of(account),
    }
    template = "admin/accounts/serviceaccount/secrets.html"
    return TemplateResponse(request, template, context)


def _test(request: HttpRequest, account: ServiceAccount, form: TestForm) -> None:
    row = _named_secret(request, account)
    finding = credential_check.check(row, form.folder(), request=request)
    level = messages.SUCCESS if finding.is_fine else messages.ERROR
    says = f"{row.label}: {finding.says}"
    if finding.detail and not finding.is_fine:
        says = f"{says} ({finding.detail})"
    messages.add_message(request, level, says)


def _rotate(request: HttpRequest, account: ServiceAccount, do: str, form: Any) -> None:
    """One step of a rotation, and its entry in the audit."""
    try:
        with transaction.atomic():
            row = _step(request, account, do, form)
            audit.record(
                f"service-account:secret:{do}",
                request=request,
                owner=account,
                credential_id=row.pk,
                label=row.label,
            )
    except PortalError as err:
        messages.error(request, err.advice)
        return
    messages.success(request, f"{row.label}: {STEP_WORDS[do]}")


def _step(
    request: HttpRequest, account: ServiceAccount, do: str, form: Any
) -> ServiceAccountSecret:
    if do == "add":
        return service_accounts.add_secret(
            account,
            form.cleaned_data["secret"],
            label=form.cleaned_data["label"],
            by=user_of(request),
        )
    row = _named_secret(request, account)
    if do == "promote":
        service_accounts.promote(row)
    elif do == "forget":
        kept = row.pk
        service_accounts.forget(row)
        row.pk = kept
    else:
        raise PermissionDenied
    return row


def _named_secret(
    request: HttpRequest, account: ServiceAccount
) -> ServiceAccountSecret:
    try:
        pk = forms.UUIDField().clean(request.POST.get("secret", ""))
    except forms.ValidationError as err:
        raise PermissionDenied from err
    return get_object_or_404(account.secrets.select_related("service_account"), pk=pk)


def _folder_to_test(request: HttpRequest, account: ServiceAccount) -> dict[str, str]:
    """What was tested last, else what the first of its jobs reads."""
    if request.GET.get("collection"):
        return {name: request.GET.get(name, "") for name in ("collection", "path")}
    job = account.jobs.order_by("name").first()
    if job is None:
        return {"path": "/"}
    return {"collection": str(job.source_collection), "path": job.source_path}


def _field_ids(secret: object) -> str:
    """Of one slot's fields; a label must not lead to another slot's."""
    return f"id_{secret}_%s"
