"""Templates of transfers: the list of one's own, renaming and deleting.

They are saved on the form of a transfer, and filled into it.
"""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.views import SignedInRequest
from transfers import templates_kept
from transfers.forms import TemplateNameForm
from transfers.models import TransferTemplate
from transfers.templates_kept import NameTaken


@require_safe
def listed(request: SignedInRequest) -> HttpResponse:
    form = reverse("transfers:new")
    context = {
        "templates": [
            (each, f"{form}?{urlencode({'template': each.pk})}")
            for each in templates_kept.mine(request.user)
        ]
    }
    return render(request, "transfers/templates/list.html", context)


def _mine(request: SignedInRequest, pk: UUID) -> TransferTemplate:
    return get_object_or_404(TransferTemplate, pk=pk, user=request.user)


@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: SignedInRequest, pk: UUID) -> HttpResponse:
    template = _mine(request, pk)
    old = template.name
    form = TemplateNameForm(request.POST or None, initial={"name": old})
    if request.method == "POST" and form.is_valid():
        try:
            templates_kept.rename(template, form.cleaned_data["name"])
        except NameTaken as failure:
            form.add_error("name", f"{failure.title}. {failure.advice}")
        else:
            messages.success(request, "It has its new name.")
            return redirect("transfers:templates")
    context = {"old": old, "form": form}
    return render(request, "transfers/templates/rename.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest, pk: UUID) -> HttpResponse:
    template = _mine(request, pk)
    if request.method == "POST":
        template.delete()
        messages.success(request, "The template is deleted. No transfer is changed.")
        return redirect("transfers:templates")
    return render(request, "transfers/templates/delete.html", {"template": template})
