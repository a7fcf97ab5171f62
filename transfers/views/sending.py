"""The form of a new transfer.

It works in steps without any script: finding a collection and looking into a folder
are buttons of the same form, which comes back with everything that was in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import (
    NotFound,
    PermissionDenied,
    PortalError,
)
from portal.middleware import failure_context
from transfers import (
    browsing,
    collections,
    looking,
    picking,
    repeating,
    submission,
)
from transfers.forms import MOST_ITEMS, SWITCHES, TransferForm
from transfers.models import Transfer
from transfers.paths import parent
from transfers.picking import FolderChanged, NothingPicked, Picked
from transfers.views.collections import name_of
from transfers.views.panes import back

SIDES = ("origin", "destination")
ROWS = 12
FOLDERS = 200


@dataclass
class Place:
    """One side of the form, and what was found for it in this step."""

    side: str
    id: str = ""
    name: str = ""
    text: str = ""
    found: tuple[collections.Collection, ...] | None = None
    listing: browsing.Listing | None = None
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def folders(self) -> list[browsing.Entry]:
        entries = self.listing.entries if self.listing else ()
        return [entry for entry in entries if entry.is_folder and entry.path]


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    data = _data(request)
    places = {side: Place(side) for side in SIDES}
    action = _apply_choice(request, data)
    try:
        picked = _take_picked(request, data)
    except FolderChanged as failure:
        messages.warning(request, failure.advice)
        return redirect(back(request))
    for place in places.values():
        _look_up(request.user, place, data)
    if action == "send":
        return _send(request, data, places, picked)
    _take_step(request, action, data, places)
    form = TransferForm(initial=_initial(data), items=_items(data, picked), names={})
    return shown(request, form, data, places, picked)


def _data(request: SignedInRequest) -> QueryDict:
    """What the form holds: sent with it, or of the address."""
    data = (request.POST if request.method == "POST" else request.GET).copy()
    if request.method != "POST" and "again_of" in data:
        earlier = _repeated(request.user, data)
        if earlier is not None:
            for name, values in repeating.form_data(earlier).items():
                data.setlistdefault(name, values)
    return data


def _repeated(user: User, data: QueryDict) -> Transfer | None:
    """What this form repeats, changed."""
    mine = Transfer.objects.owned_by(user)
    return repeating.original(mine, data.get("again_of", ""))


def _apply_choice(request: SignedInRequest, data: QueryDict) -> str:
    """Puts what a button chose into the data; the step that is still to be taken."""
    action, _, value = data.get("do", "").partition(":")
    verb, _, side = action.partition("-")
    if request.method != "POST" or side not in SIDES:
        return _default(data) if action == "enter" else action
    if verb == "choose":
        data[f"{side}_id"] = value
        data[f"{side}_path"] = ""
        data[f"{side}_find"] = ""
        if side == "origin":
            _pick_nothing(data)
    elif verb == "change":
        data[f"{side}_id"] = ""
    elif verb == "go":
        data[f"{side}_path"] = value
        return f"list-{side}"
    elif verb == "clear":
        _pick_nothing(data)
    return action


def _pick_nothing(data: QueryDict) -> None:
    for name in ("item", *picking.FIELDS):
        data.setlist(name, [])


def _take_picked(request: SignedInRequest, data: QueryDict) -> Picked | None:
    """What was picked on the files page becomes items of the form.

    More than a form has room for stay a selection, which goes with the form.

    :raises FolderChanged: the folder holds other names by now
    """
    if request.method != "POST" or not any(data.get(name) for name in picking.FIELDS):
        return None
    try:
        collection_id = UUID(data.get("origin_id", ""))
        picked = picking.picked_in(request, data, collection_id)
    except (ValueError, NothingPicked):
        _pick_nothing(data)
        return None
    items = picked.items()
    if len(items) < picked.count:
        messages.warning(
            request,
            f"{picked.count - len(items)} of what you picked cannot be sent: there are "
            "control characters or invalid text in the name. Rename it first.",
        )
    _pick_nothing(data)
    if len(items) <= MOST_ITEMS:
        data.setlist("item", items)
        return None
    data["selection"] = picked.selection
    data["stamp"] = picked.folder.about.stamp
    return picked


def _default(data: QueryDict) -> str:
    """Enter was pressed: a search if there are words to search for."""
    for side in SIDES:
        if data.get(f"{side}_find", "").strip():
            return f"find-{side}"
    return "send"


def _look_up(user: User, place: Place, data: QueryDict) -> None:
    """The collection's name; without one it cannot be sent to."""
    place.text = data.get(f"{place.side}_find", "").strip()
    place.id = data.get(f"{place.side}_id", "").strip()
    if not place.id:
        return
    try:
        place.name = name_of(user, UUID(place.id))
    except (ValueError, NotFound, PermissionDenied):
        return  # said at the field, when the form is sent


def name_or_id(user: User, collection_id: UUID) -> str:
    try:
        return name_of(user, collection_id)
    except (NotFound, PermissionDenied):
        return str(collection_id)


def _take_step(
    request: SignedInRequest, action: str, data: QueryDict, places: dict[str, Place]
) -> None:
    verb, _, side = action.partition("-")
    place = places.get(side)
    if place is None or verb not in ("find", "list"):
        return
    try:
        if verb == "find":
            place.found = collections.search(
                transfer_client(request.user), place.text, limit=ROWS
            ).collections
        elif place.name:
            place.listing = browsing.listing(
                transfer_client(request.user),
                UUID(place.id),
                data.get(f"{side}_path", ""),
                limit=FOLDERS,
            )
            data[f"{side}_path"] = place.listing.path
    except PortalError as failure:
        place.failure = failure_context(request, failure)


def _send(
    request: SignedInRequest,
    data: QueryDict,
    places: dict[str, Place],
    picked: Picked | None,
) -> HttpResponse:
    form = _form(data, places, picked)
    if not form.is_valid() or _is_misnamed(request.user, form):
        return shown(request, form, data, places, picked)
    names = form.names
    transfer = submission.ask(
        request.user,
        form.document,
        asked_by=request.user,
        source_name=names["origin_id"],
        destination_name=names["destination_id"],
        transfer_id=_transfer_id(data),
        again_of=_repeated(request.user, data),
        cancel_if_stalled=form.cleaned_data["cancel_if_stalled"],
    )
    messages.success(
        request,
        "Your transfer is stored and goes to Globus now. You can leave.",
    )
    return redirect("transfers:detail", transfer.pk)


def _is_misnamed(user: User, form: TransferForm) -> bool:
    """Whether Globus knows better what is at the path that was written."""
    if form.items:
        return False  # picked in their folder
    says = looking.trouble_with(
        transfer_client(user),
        form.cleaned_data["origin_id"],
        form.cleaned_data["origin_path"],
    )
    if says:
        form.add_error("origin_path", says)
    return bool(says)


def judged(
    request: SignedInRequest, data: QueryDict
) -> tuple[TransferForm, dict[str, Place], Picked | None]:
    """The form with what was sent, for a page that does something else with it.

    :raises FolderChanged: see ``_take_picked``
    """
    picked = _take_picked(request, data)
    places = {side: Place(side) for side in SIDES}
    for place in places.values():
        _look_up(request.user, place, data)
    return _form(data, places, picked), places, picked


def _form(
    data: QueryDict, places: dict[str, Place], picked: Picked | None
) -> TransferForm:
    names = {f"{side}_id": place.name for side, place in places.items()}
    items = _items(data, picked)
    return TransferForm(data, items=items, names=names, is_selection=picked is not None)


def _transfer_id(data: QueryDict) -> UUID:
    """Made with the form: a second click, or a reload, is the same transfer."""
    try:
        return UUID(data.get("transfer_id", ""))
    except ValueError:
        return uuid4()


def _items(data: QueryDict, picked: Picked | None) -> list[str]:
    return picked.items() if picked else data.getlist("item")


def _initial(data: QueryDict) -> dict[str, Any]:
    """Values for a form that is not judged yet."""
    values: dict[str, Any] = data.dict()
    if data.get("form") == "transfer":
        # A box of a form that was sent and is missing was not ticked.
        boxes = ("verify_checksum", "cancel_if_stalled", *SWITCHES)
        values |= {name: name in data for name in boxes}
    return values


def shown(
    request: SignedInRequest,
    form: TransferForm,
    data: QueryDict,
    places: dict[str, Place],
    picked: Picked | None,
) -> HttpResponse:
    context = {
        "form": form,
        "items": form.items[:MOST_ITEMS],
        "items_count": len(form.items),
        "picked": picked,
        "again_of": data.get("again_of", ""),
        "transfer_id": _transfer_id(data),
        "picked_in": picked.path if picked else common_folder(form.items),
        "origin": places["origin"],
        "destination": places["destination"],
        "recent": recent_places(request.user),
        "pick_query": urlencode(_pick_query(data)),
    }
    return render(request, "transfers/new.html", context)


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
