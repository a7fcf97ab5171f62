"""The page between a request that Globus stopped and the same request going on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import pending
from accounts.models import PendingAction

GONE = 410


@never_cache
@require_safe
def going_on(request: HttpRequest, reference: str) -> HttpResponse:
    """Says what Globus wants; after that was done, lets the request go on."""
    action = pending.find(request, reference)
    if action.used_at:
        return _over(request, action, "It went on already")
    if pending.is_over(action):
        return _over(request, action, "This took too long")
    if not pending.check(request, action):
        return _page(request, action, status=403 if action.lacking else 200)
    if action.asked_again:
        return _page(request, action, status=403)
    if action.method == "GET":
        pending.use(action)
        return redirect(action.path)
    return _page(request, action)


def _page(
    request: HttpRequest, action: PendingAction, *, status: int = 200
) -> HttpResponse:
    is_done = bool(action.fulfilled_at) and not action.asked_again
    context = {
        "action": action,
        "question": pending.question(action),
        "is_done": is_done,
        "goes_on": pending.may_go_on(action),
    }
    return render(request, "accounts/pending.html", context, status=status)


def _over(request: HttpRequest, action: PendingAction, title: str) -> HttpResponse:
    """A used or expired action goes nowhere by itself any more."""
    context = {
        "action": action,
        "title": title,
        "reference": pending.reference(action),
        "reopens": not action.used_at and pending.can_reopen(action),
        "start": action.path if action.method == "GET" else action.came_from,
    }
    return render(request, "accounts/pending_over.html", context, status=GONE)
