"""Jobs as files to take along, taken in again, and their webhooks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit, webhooks
from accounts.views import SignedInRequest
from transfers.jobs import exporting, importing, incoming
from transfers.jobs.exporting import FORMATS
from transfers.jobs.permissions import Action
from transfers.views.staff import for_staff, open_job


@require_safe
@for_staff
def export(request: SignedInRequest, pk: UUID, form: str) -> HttpResponse:
    """As text on a page; with ``?download`` as a file."""
    job = open_job(request, pk)
    if form not in FORMATS:
        raise Http404
    _, title, write = FORMATS[form]
    text = write(job)
    if "download" in request.GET:
        header = content_disposition_header(True, exporting.file_name(job, form))
        kind = "application/json" if form == "json" else "text/plain"
        headers = {"Content-Disposition": header or "attachment"}
        return HttpResponse(text, f"{kind}; charset=utf-8", headers=headers)
    context = {"job": job, "title": title, "text": text, "form": form}
    return render(request, "transfers/jobs/export.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def take_in(request: SignedInRequest) -> HttpResponse:
    """A document becomes a job; everything that is wrong with it is said at once."""
    text, name = request.POST.get("document", ""), request.POST.get("name", "").strip()
    problems: list[str] = []
    if request.method == "POST":
        file = request.FILES.get("file")
        given: Any = text
        if file is not None:
            too_long = (file.size or 0) > incoming.LARGEST_DOCUMENT
            given = b"x" * (incoming.LARGEST_DOCUMENT + 1) if too_long else file.read()
        try:
            job = importing.take_in(given, by=request.user, name=name[:100])
        except incoming.CannotImport as err:
            problems = err.problems
            if isinstance(given, bytes) and len(given) <= incoming.LARGEST_DOCUMENT:
                text = given.decode(errors="replace")
        else:
            messages.success(request, f"The job “{job.name}” is here, switched off.")
            return redirect("transfers:job", job.pk)
    context = {"text": text, "name": name, "problems": problems}
    return render(request, "transfers/jobs/import.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def webhook(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Gives a job a webhook, or takes it away; the key is shown once, right here."""
    job = open_job(request, pk, Action.EDIT)
    url, problem, key = request.POST.get("url", "").strip(), "", ""
    verb = request.POST.get("do", "") if request.method == "POST" else ""
    if verb == "remove":
        if job.webhook is not None:
            job.webhook.delete()
            _note("remove", request, job)
        messages.success(request, "The webhook is gone.")
        return redirect("transfers:job", pk)
    if verb == "set":
        try:
            with transaction.atomic():
                old = job.webhook
                job.webhook, secret = webhooks.make(url, by=request.user)
                job.save(update_fields=["webhook"])
                if old is not None:
                    old.delete()
                _note("set", request, job)
            key = secret.reveal()
        except webhooks.BadAddress as err:
            problem = err.advice
    context = {"job": job, "url": url, "problem": problem, "key": key}
    return render(request, "transfers/jobs/webhook.html", context)


def _note(verb: str, request: SignedInRequest, job: Any) -> None:
    audit.record(
        f"job:webhook:{verb}",
        request=request,
        owner=job.service_account,
        job=str(job.pk),
        name=job.name,
    )
