"""One page for everything that asks “are you sure, and why?” in the admin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from portal.globus.errors import PortalError


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        help_text="It stays in the audit, for whoever asks later.",
        widget=forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
    )


def ask(
    request: HttpRequest,
    target: Any,
    verb: Callable[..., Any],
    *,
    back: str,
    done: str,
    **page: Any,
) -> HttpResponse:
    """A question with a reason, and what happens after “yes”.

    :param verb: ``verb(target, by=…, reason=…)``; may raise a ``PortalError``
    :param back: where both answers lead
    """
    form = ReasonForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return confirm_page(request, form, back=back, **page)
    try:
        verb(target, by=request.user, reason=form.cleaned_data["reason"])
    except PortalError as err:
        messages.error(request, err.advice)
    else:
        messages.success(request, done)
    return redirect(back)


def confirm_page(
    request: HttpRequest,
    form: forms.Form,
    *,
    title: str,
    says: Sequence[str],
    button: str,
    back: str,
    **context: Any,
) -> HttpResponse:
    """
    :param says: sentences about what will happen
    :param back: where “no” leads
    """
    return TemplateResponse(
        request,
        "admin/confirm.html",
        {
            **admin.site.each_context(request),
            "title": title,
            "form": form,
            "says": says,
            "button": button,
            "back": back,
            **context,
        },
    )
