"""The form of a transfer as it is filled in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.cache import cache
from django.http import QueryDict

from accounts.clients import transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import NotFound, PermissionDenied
from transfers import (
    batch_form,
    browsing,
    collections,
    filters,
    picking,
    refilling,
    repeating,
    templates_kept,
)
from transfers.batch_form import Sheet
from transfers.contradictions import Policy
from transfers.filters import Rule
from transfers.models import Transfer
from transfers.picking import NoneCanBeSent, NothingPicked, Picked
from transfers.send_form import MOST_ITEMS, TransferForm
from transfers.send_options import BOXES
from transfers.views.send_steps import SIDES, pick_nothing, press

#: more items than these go as one field, since a form has room for 200 (W08)
MOST_FIELDS = 60
POLICY_KEPT_SECONDS = 300


@dataclass
class Place:
    """One side of the form, and what was found for it in this step."""

    side: str
    id: str = ""
    text: str = ""
    policy: Policy | None = None
    found: tuple[collections.Collection, ...] | None = None
    listing: browsing.Listing | None = None
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.policy.name if self.policy else ""

    @property
    def folders(self) -> list[browsing.Entry]:
        entries = self.listing.entries if self.listing else ()
        return [entry for entry in entries if entry.is_folder and entry.path]


@dataclass
class Draft:
    """
    :ivar form: judged, once somebody asked for it; else only filled in
    :ivar action: what the button wants, after ``press``; empty if it is done
    """

    request: SignedInRequest
    data: QueryDict
    places: dict[str, Place]
    picked: Picked | None
    action: str = ""
    form: TransferForm = field(init=False)

    @property
    def sheet(self) -> Sheet:
        return batch_form.in_form(self.data)

    @property
    def rules(self) -> list[Rule]:
        return filters.in_form(self.data)

    def items(self) -> list[str]:
        return self.picked.items() if self.picked else items_in(self.data)

    def judge(self) -> None:
        self.form = TransferForm(self.data, **self._beside())

    def fill_in(self) -> None:
        self.form = TransferForm(initial=self._initial(), **self._beside())

    def _beside(self) -> dict[str, Any]:
        policies = [place.policy for place in self.places.values() if place.policy]
        return {
            "items": self.items(),
            "names": {f"{side}_id": each.name for side, each in self.places.items()},
            "is_selection": self.picked is not None,
            "rules": self.rules,
            "sheet": self.sheet,
            "policies": policies if len(policies) == len(SIDES) else (),
        }

    def _initial(self) -> dict[str, Any]:
        """Values for a form that is not judged yet."""
        values: dict[str, Any] = self.data.dict()
        values.pop("globus_mail", None)
        if self.data.get("form") == "transfer":
            # A box of a form that was sent and is missing was not ticked.
            values |= {name: name in self.data for name in BOXES}
            values["globus_mail"] = self.data.getlist("globus_mail")
        return values

    @property
    def transfer_id(self) -> UUID:
        """Made with the form: a second click, or a reload, is the same transfer."""
        try:
            return UUID(self.data.get("transfer_id", ""))
        except ValueError:
            return uuid4()

    @property
    def repeats(self) -> Transfer | None:
        """What this form repeats, changed."""
        mine = Transfer.objects.owned_by(self.request.user)
        return repeating.original(mine, self.data.get("again_of", ""))


def draft(request: SignedInRequest, data: QueryDict | None = None) -> Draft:
    """The form that was sent, or that an address describes.

    :param data: of the form; nothing for what the request holds
    :raises FolderChanged: it was filled from a folder that holds other names by now
    """
    data = _data(request) if data is None else data
    action = press(request, data)
    picked = _take_picked(request, data)
    places = {side: Place(side) for side in SIDES}
    for place in places.values():
        _look_up(request.user, place, data)
    made = Draft(request, data, places, picked, action)
    made.fill_in()
    return made


def _data(request: SignedInRequest) -> QueryDict:
    """What the form holds: sent with it, or of the address."""
    if request.method == "POST":
        return request.POST.copy()
    data = request.GET.copy()
    mine = Transfer.objects.owned_by(request.user)
    earlier = repeating.original(mine, data.get("again_of", ""))
    if earlier is not None:
        for name, values in refilling.form_data(earlier).items():
            data.setlistdefault(name, values)
    template = templates_kept.of(request.user, data.get("template", ""))
    if template is not None:
        templates_kept.put(data, template)
    return data


def items_in(data: QueryDict) -> list[str]:
    """What was picked one by one: a field each, or many as JSON in ``items``."""
    many = data.get("items", "")
    if not many:
        return data.getlist("item")
    try:
        found = json.loads(many)
    except ValueError:
        return []
    is_list = isinstance(found, list) and all(isinstance(each, str) for each in found)
    return found if is_list else []


def _keep_items(data: QueryDict, items: list[str]) -> None:
    if len(items) > MOST_FIELDS:
        data["items"], items = json.dumps(items), []
    data.setlist("item", items)


def _take_picked(request: SignedInRequest, data: QueryDict) -> Picked | None:
    """What was picked on the files page becomes items of the form.

    More than a form has room for, and names that none can hold, stay a selection,
    which goes with the form.

    :raises FolderChanged: the folder holds other names by now, or none can be sent
    """
    if request.method != "POST" or not any(data.get(name) for name in picking.FIELDS):
        _keep_items(data, items_in(data))
        return None
    try:
        collection_id = UUID(data.get("origin_id", ""))
        picked = picking.picked_in(request, data, collection_id)
    except (ValueError, NothingPicked):
        pick_nothing(data)
        return None
    items = picked.items()
    if len(items) < picked.count:
        messages.warning(
            request,
            f"{picked.count - len(items)} of what you picked cannot be sent: the name "
            "is not valid text. Rename it first.",
        )
    if not items:
        raise NoneCanBeSent  # and not the whole folder instead
    pick_nothing(data)
    if len(items) <= MOST_ITEMS and not picked.has_odd_names:
        _keep_items(data, items)
        return None
    data["selection"] = picked.selection
    data["stamp"] = picked.folder.about.stamp
    return picked


def _look_up(user: User, place: Place, data: QueryDict) -> None:
    """The collection's name and rules; without them nothing can be sent to it."""
    place.text = data.get(f"{place.side}_find", "").strip()
    place.id = data.get(f"{place.side}_id", "").strip()
    if not place.id:
        return
    try:
        place.policy = policy_of(user, UUID(place.id))
    except (ValueError, NotFound, PermissionDenied):
        return  # said at the field, when the form is sent


def policy_of(user: User, collection_id: UUID) -> Policy:
    """What a collection is called and wants; asked once in a few minutes.

    :raises GlobusFailure: it does not exist for them, or Globus did not say
    """
    key = f"collection-policy:{user.pk}:{collection_id}"
    kept = cache.get(key)
    if kept is None:
        found = collections.collection(transfer_client(user), collection_id)
        kept = asdict(Policy.of(found))
        cache.set(key, kept, POLICY_KEPT_SECONDS)
    return Policy(**kept)


def name_or_id(user: User, collection_id: UUID) -> str:
    try:
        return policy_of(user, collection_id).name
    except (NotFound, PermissionDenied):
        return str(collection_id)
