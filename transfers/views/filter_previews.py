"""What the filter rules of a form let through, while somebody writes them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.views import SignedInRequest
from portal.globus.errors import PortalError
from transfers import filters
from transfers.filter_preview import Preview, preview
from transfers.folders import Asked, open_folder
from transfers.picking import FolderChanged
from transfers.views.send_draft import Draft, draft


@require_POST
def filter_preview(request: SignedInRequest) -> HttpResponse:
    """The part of the page that says what matches, while somebody writes the rules."""
    try:
        made = draft(request)
        context = preview_of(made)
    except FolderChanged as failure:
        context = {"preview_says": failure.advice}
    return render(request, "transfers/_filter_preview.html", context)


def preview_of(made: Draft) -> dict[str, Preview | str | list[str]]:
    """For the folder that is sent, or the first of them; one listing at the most."""
    wrong = [
        f"Rule {number}: {rule.error}"
        for number, rule in enumerate(made.rules, start=1)
        if rule.error
    ]
    context: dict[str, Preview | str | list[str]] = {
        "hints": [*wrong, *filters.hints(made.rules)]
    }
    origin = made.places["origin"]
    path = _first_folder(made)
    if not path or not origin.name:
        says = (
            "Choose a folder to send first; then it stands here what of it goes along."
        )
        return context | {"preview_says": says}
    rules = [r.as_globus() for r in made.rules if not r.is_blank and not r.error]
    options = {
        "filter_rules": rules,
        "recursive_symlinks": made.data.get("recursive_symlinks", ""),
    }
    request = made.request
    key = request.session.session_key or ""
    asked = Asked(request.user, key, UUID(origin.id), path, hidden=True)
    try:
        return context | {"preview": preview(open_folder(asked), options)}
    except PortalError as failure:
        return context | {"preview_says": f"{failure.title}. {failure.advice}"}


def _first_folder(made: Draft) -> str:
    """A path of the form that names a folder; empty if there is none."""
    if made.sheet.is_on:
        paths = [
            f"{line.source_path.rstrip('/')}/"
            for line in made.sheet.lines
            if line.recursive or line.source_path.endswith("/")
        ][:1]
    else:
        paths = made.items() or [made.data.get("origin_path", "")]
    return next((path for path in paths if path.endswith("/")), "")
