"""The page on which people say how they are told, and what open pages ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts import audit, outbox, telling, webhooks
from accounts.models import OutboxMessage, Webhook, Wishes
from accounts.views import SignedInRequest, safe_next
from accounts.wishes_form import WishesForm
from portal.sessions import asked_by_page

#: a page that is opened does not tell of what happened long before
NEWS_FOR = timedelta(hours=1)
MOST_AT_ONCE = 5
LATEST = 15
_STATE = OutboxMessage.State


@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: SignedInRequest) -> HttpResponse:
    wishes = telling.of(request.user)
    form = WishesForm(request.POST or None, instance=wishes)
    if request.method == "POST" and form.is_valid():
        form.save_for(request.user)
        messages.success(request, "You are told in this way from now on.")
        return redirect("accounts:notifications")
    return _page(request, form)


def _page(request: SignedInRequest, form: WishesForm, **more: Any) -> HttpResponse:
    wishes = telling.of(request.user)
    mine = OutboxMessage.objects.filter(user=request.user)
    context = {
        "form": form,
        "webhook": wishes.webhook,
        "deliveries": _deliveries(wishes.webhook),
        "latest": mine.exclude(path="").defer("body", "payload")[:LATEST],
        **more,
    }
    return render(request, "accounts/notifications.html", context)


def _deliveries(webhook: Webhook | None) -> list[OutboxMessage]:
    if webhook is None:
        return []
    rows = OutboxMessage.objects.filter(webhook=webhook)
    return list(rows.defer("body", "payload")[:LATEST])


@require_POST
def webhook(request: SignedInRequest) -> HttpResponse:
    """Sets it, with a new key that is shown once; or tests it, or takes it away."""
    current = telling.of(request.user).webhook
    verb = request.POST.get("do", "")
    if verb == "set":
        return _set(request, current)
    if current is None:
        return redirect("accounts:notifications")
    if verb == "remove":
        _note("remove", request, current)
        current.delete()
        messages.success(request, "The webhook is gone.")
    elif verb == "test":
        _test(request, current)
    return redirect("accounts:notifications")


@require_POST
def webhook_on(request: SignedInRequest) -> HttpResponse:
    current = telling.of(request.user).webhook
    if current is not None:
        webhooks.switch_on(current)
        _note("switch-on", request, current)
        messages.success(request, "The webhook is told again from now on.")
    return redirect(
        safe_next(request.POST.get("next") or reverse("accounts:notifications"))
    )


def _set(request: SignedInRequest, current: Webhook | None) -> HttpResponse:
    url = request.POST.get("url", "").strip()
    form = WishesForm(instance=telling.of(request.user))
    try:
        with transaction.atomic():
            made, key = webhooks.make(url, by=request.user)
            Wishes.objects.update_or_create(
                user=request.user, defaults={"webhook": made}
            )
            if current is not None:
                current.delete()
            _note("set", request, made)
    except webhooks.BadAddress as err:
        return _page(request, form, url=url, problem=err.advice)
    return _page(request, form, key=key.reveal())


def _test(request: SignedInRequest, current: Webhook) -> None:
    """One at a time: an address that is slow is not asked again and again."""
    tests = OutboxMessage.objects.filter(
        webhook=current, state=_STATE.WAITING, key__startswith=f"test:{current.pk}:"
    )
    if tests.exists():
        messages.info(request, "A test is still on its way.")
        return
    outbox.put(
        [
            OutboxMessage(
                key=f"test:{current.pk}:{uuid4()}",
                webhook=current,
                subject="A test",
                payload={"event": "test", "says": "A test from Causeway"},
            )
        ]
    )
    messages.success(request, "A test is on its way; see below whether it arrives.")


def _note(verb: str, request: SignedInRequest, which: Webhook) -> None:
    audit.record(
        f"person:webhook:{verb}",
        request=request,
        owner=request.user,
        webhook=str(which.pk),
    )


@asked_by_page
@require_safe
def deliveries(request: SignedInRequest) -> HttpResponse:
    """The list of what the webhook was sent, for a page that is open."""
    context = {"deliveries": _deliveries(telling.of(request.user).webhook)}
    return render(request, "accounts/_deliveries.html", context)


@asked_by_page
@require_safe
def new(request: SignedInRequest) -> HttpResponse:
    """What no browser of the person has shown yet; one query."""
    rows = OutboxMessage.objects.filter(
        user=request.user,
        shown_at__isnull=True,
        created_at__gte=timezone.now() - NEWS_FOR,
    ).exclude(path="")
    found = list(
        rows.order_by("created_at").values("pk", "subject", "path")[:MOST_AT_ONCE]
    )
    if not found:
        return HttpResponse(status=204)
    news = [
        {"id": str(each["pk"]), "says": each["subject"], "path": each["path"]}
        for each in found
    ]
    return JsonResponse({"news": news})


@asked_by_page
@require_POST
def shown(request: SignedInRequest) -> HttpResponse:
    """A browser has shown these, so that no other one does."""
    found = []
    for text in request.POST.getlist("id")[:MOST_AT_ONCE]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    OutboxMessage.objects.filter(
        user=request.user, pk__in=found, shown_at__isnull=True
    ).update(shown_at=timezone.now())
    return HttpResponse(status=204)
