"""The page on which a transfer is put together and sent."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import PortalError
from portal.middleware import failure_context
from transfers import (
    batch,
    batch_form,
    browsing,
    collections,
    filters,
    looking,
    submission,
    templates_kept,
    trying,
)
from transfers.folders import Asked
from transfers.forms import TemplateNameForm
from transfers.models import Transfer
from transfers.paths import parent
from transfers.picking import FolderChanged
from transfers.send_form import MOST_ITEMS
from transfers.views.filter_previews import preview_of
from transfers.views.panes import back
from transfers.views.send_draft import Draft, Place, draft, name_or_id

__all__ = ["Draft", "draft", "judged", "name_or_id", "new", "recent_places", "shown"]

ROWS = 12
FOLDERS = 200


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    try:
        made = draft(request)
    except FolderChanged as failure:
        messages.warning(request, failure.advice)
        return redirect(back(request))
    if made.action == "send":
        return _send(made)
    if made.action == "try":
        return _try(made)
    if made.action == "template-save":
        _save_template(made)
    verb, _, side = made.action.partition("-")
    if side in made.places and verb in ("find", "list"):
        _take_step(made, verb, made.places[side])
    made.fill_in()
    return shown(made)


def judged(request: SignedInRequest, data: QueryDict) -> Draft:
    """The form with what was sent, for a page that does something else with it.

    :raises FolderChanged: see ``draft``
    """
    made = draft(request, data)
    made.judge()
    return made


def _take_step(made: Draft, verb: str, place: Place) -> None:
    client = transfer_client(made.request.user)
    try:
        if verb == "find":
            found = collections.search(client, place.text, limit=ROWS)
            place.found = found.collections
        elif place.name:
            name = f"{place.side}_path"
            place.listing = browsing.listing(
                client, UUID(place.id), made.data.get(name, ""), limit=FOLDERS
            )
            made.data[name] = place.listing.path
    except PortalError as failure:
        place.failure = failure_context(made.request, failure)


def _send(made: Draft) -> HttpResponse:
    made.judge()
    form = made.form
    if not form.is_valid() or is_misnamed(made):
        return shown(made)
    user = made.request.user
    transfer = submission.ask(
        user,
        form.document,
        asked_by=user,
        source_name=form.names["origin_id"],
        destination_name=form.names["destination_id"],
        transfer_id=made.transfer_id,
        again_of=made.repeats,
        cancel_if_stalled=form.cleaned_data["cancel_if_stalled"],
    )
    messages.success(
        made.request,
        "Your transfer is stored and goes to Globus now. You can leave.",
    )
    return redirect("transfers:detail", transfer.pk)


def _try(made: Draft) -> HttpResponse:
    """A dry run of what would be sent; the form goes along."""
    made.judge()
    if not made.form.is_valid() or is_misnamed(made):
        return shown(made)
    user, document = made.request.user, made.form.document
    trying.check_access(user, document)
    trial = trying.ask(user, trying.inputs_of(document), made.data)
    return redirect("transfers:own_dry_run", trial.pk)


def is_misnamed(made: Draft) -> bool:
    """Whether Globus knows better what is at the paths that were written."""
    form = made.form
    if form.sheet.is_on:
        return _has_misnamed_lines(made)
    if form.items:
        return False  # picked in their folder
    says = looking.trouble_with(
        transfer_client(made.request.user),
        form.cleaned_data["origin_id"],
        form.cleaned_data["origin_path"],
    )
    if says:
        form.add_error("origin_path", says)
    return bool(says)


def _has_misnamed_lines(made: Draft) -> bool:
    form, sheet = made.form, made.form.sheet
    data = form.cleaned_data
    items = sheet.items(data["origin_path"], data["destination_path"])
    user, key = made.request.user, made.request.session.session_key or ""

    def asked_in(path: str) -> Asked:
        return Asked(user, key, data["origin_id"], path, hidden=True)

    problems = [
        batch.Problem(sheet.numbers[place], f"{items[place].source_path[:60]}: {says}")
        for place, says in looking.troubles_in_folders(asked_in, items)
    ]
    if problems:
        form.add_error("batch", batch.problems_in_words(problems))
    return bool(problems)


def _save_template(made: Draft) -> None:
    """Keeps the options under a name, or says at the name why not."""
    data = made.data
    form = TemplateNameForm({"name": data.get("template_name", "")})
    trouble = filters.trouble_with_all(made.rules)
    if trouble or not form.is_valid():
        data["template_error"] = trouble or str(form.errors["name"][0])
        return
    name = form.cleaned_data["name"]
    try:
        templates_kept.save(
            made.request.user,
            name,
            data,
            with_places="template_places" in data,
            replace="template_replace" in data,
        )
    except PortalError as failure:
        data["template_error"] = f"{failure.title}. {failure.advice}"
        return
    data["template_name"] = ""
    messages.success(made.request, f"The template “{name}” is kept.")


# --- the page


def shown(made: Draft) -> HttpResponse:
    form, data = made.form, made.data
    wants_preview = made.action == "preview"
    context = {
        "draft": made,
        "form": form,
        "items": form.items[:MOST_ITEMS],
        "items_count": len(form.items),
        "items_field": data.get("items", ""),
        "picked": made.picked,
        "again_of": data.get("again_of", ""),
        "transfer_id": made.transfer_id,
        "picked_in": made.picked.path if made.picked else common_folder(form.items),
        "origin": made.places["origin"],
        "destination": made.places["destination"],
        "recent": recent_places(made.request.user),
        "pick_query": urlencode(_pick_query(data)),
        "sheet": form.sheet,
        "sheet_kinds": batch_form.KINDS,
        "rules": form.rules,
        "rule_choices": filters.CHOICES,
        "templates": templates_kept.mine(made.request.user),
        "template": data,
        **(preview_of(made) if wants_preview else {}),
    }
    return render(made.request, "transfers/new.html", context)


def common_folder(items: list[str]) -> str:
    """The folder that all were picked in, if it is one."""
    folders = {parent(item) for item in items}
    return (folders.pop() or "") if len(folders) == 1 else ""


def _pick_query(data: QueryDict) -> dict[str, str]:
    names = ("origin_id", "origin_path", "destination_id", "destination_path")
    return {name: str(data[name]) for name in names if data.get(name)}


def recent_places(user: User, most: int = 6) -> list[tuple[UUID, str]]:
    """Collections of this person's last transfers, the latest first."""
    rows = (
        Transfer.objects.owned_by(user)
        .order_by("-created_at")
        .values_list("source_id", "source_name", "destination_id", "destination_name")
    )[:50]
    places: dict[UUID, str] = {}
    for source_id, source_name, destination_id, destination_name in rows:
        places.setdefault(source_id, source_name)
        if destination_id:
            places.setdefault(destination_id, destination_name)
    return [(pk, name or str(pk)) for pk, name in places.items()][:most]
