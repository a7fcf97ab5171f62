"""The page about one's Globus groups, and answers to invitations."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts import groups
from accounts.clients import groups_client
from accounts.groups import Answer, Group
from accounts.views import SignedInRequest
from portal.downloads import csv_response

ROWS = 50
#: What the filters offer, in this order
ROLES = ("admin", "manager", "member")


@require_safe
def my_groups(request: SignedInRequest) -> HttpResponse:
    found = groups.my_groups(groups_client(request.user), groups.CURRENT)
    shown = _filtered(request, found)
    context = {
        "page": Paginator(shown, ROWS).get_page(request.GET.get("page")),
        "count": len(found),
        "invitations": [
            (group, membership) for group in found for membership in group.invitations
        ],
        "text": request.GET.get("q", ""),
        "role": request.GET.get("role", ""),
        "status": request.GET.get("status", ""),
        "roles": ROLES,
        "statuses": groups.CURRENT,
    }
    return render(request, "accounts/groups.html", context)


@require_safe
def my_groups_csv(request: SignedInRequest) -> HttpResponseBase:
    """Groups in which the person is an active member, with the page's filters."""
    found = _filtered(request, groups.my_groups(groups_client(request.user)))
    rows = ((group.id, group.name, group.joined_roles) for group in found)
    return csv_response("groups.csv", ("ID", "Name", "Roles"), rows)


@require_POST
def answer_invitation(request: SignedInRequest, group_id: UUID) -> HttpResponse:
    try:
        identity_id = UUID(request.POST.get("identity", ""))
        answer = Answer(request.POST.get("answer", ""))
    except ValueError as err:
        raise BadRequest("answer") from err
    client = groups_client(request.user, changes=True)
    groups.answer_invitation(client, group_id, identity_id, answer)
    if answer is Answer.ACCEPT:
        messages.success(request, "You are a member now.")
    else:
        messages.info(request, "You declined the invitation.")
    return redirect("accounts:groups")


def _filtered(request: SignedInRequest, found: list[Group]) -> list[Group]:
    text = request.GET.get("q", "").strip().casefold()
    role = request.GET.get("role", "")
    status = request.GET.get("status", "")
    return [
        group
        for group in found
        if (not text or text in f"{group.name}\n{group.description}".casefold())
        and (not role or role in group.roles)
        and (not status or status in group.statuses)
    ]
