"""Sharing folders of a guest collection: list, add, change, remove."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from globus_sdk import TransferClient

from accounts import groups, people
from accounts.clients import groups_client, transfer_client
from accounts.models import User
from accounts.views import SignedInRequest
from portal.globus.errors import (
    Conflict,
    GlobusUnreachable,
    NotFound,
    PermissionDenied,
)
from transfers import collections, sharing
from transfers.collections import Collection
from transfers.forms import LookMixin, PathField
from transfers.sharing import May, Rule, Whom
from transfers.templatetags.names import inert_text

MAYS = [(May.READ, "read"), (May.WRITE, "read and write")]
EVERYONE = {
    Whom.SIGNED_IN: "Everyone who is signed in at Globus",
    Whom.ANONYMOUS: "Everyone, also without signing in",
}


class ChangeForm(LookMixin, forms.Form):
    may = forms.ChoiceField(label="They may", choices=MAYS, initial=May.READ)
    until = forms.DateField(
        label="Last day",
        required=False,
        help_text="Afterwards the rule is gone. Empty: until it is removed.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()

    def clean_until(self) -> datetime | None:
        """The end of that day, UTC."""
        day = self.cleaned_data["until"]
        if day is None:
            return None
        end = datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
        if end <= timezone.now():
            raise ValidationError("This day has passed.")
        return end


class ShareForm(ChangeForm):
    """Whom a folder is shared with.

    :ivar principal: the identity or group that was named
    """

    path = PathField(label="Folder", folder=True, max_length=8192, initial="/")
    whom = forms.ChoiceField(
        label="With",
        choices=[
            (Whom.IDENTITY, "a person"),
            (Whom.GROUP, "a group of yours"),
            (Whom.SIGNED_IN, "everyone who is signed in"),
            (Whom.ANONYMOUS, "everyone, also without signing in"),
        ],
        initial=Whom.IDENTITY,
    )
    username = forms.CharField(
        label="Person",
        required=False,
        max_length=255,
        help_text="Their username at Globus, as in ada@university.example.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    group = forms.ChoiceField(label="Group", required=False)
    notify = forms.BooleanField(
        label="Let Globus write them an e-mail",
        required=False,
        help_text="To the address that they have at Globus. For a person only.",
    )
    message = forms.CharField(
        label="What to tell them",
        required=False,
        max_length=sharing.LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, mine: list[groups.Group], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.principal: UUID | None = None
        self.notify_email = ""
        field = self.fields["group"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", "Choose…"),
            *((each.id, inert_text(each.name)) for each in mine),
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        whom = data.get("whom")
        if whom == Whom.IDENTITY:
            self._find_person(data)
        elif whom == Whom.GROUP:
            self._take_group(data)
        elif whom == Whom.ANONYMOUS and data.get("may") == May.WRITE:
            self.add_error("may", "Who is not signed in may read only.")
        if data.get("notify") and whom != Whom.IDENTITY:
            self.add_error("notify", "An e-mail can go to a person only.")
        return data

    def _find_person(self, data: dict[str, Any]) -> None:
        username = data.get("username", "").strip()
        if "username" in self.errors:
            return
        if not username or "," in username:
            self.add_error("username", "Say who it is.")
            return
        person = people.by_username(username)
        if person is None:
            self.add_error(
                "username",
                "Globus knows nobody of this name. Ask them with which identity they "
                "sign in.",
            )
            return
        self.principal = person.identity_id
        if data.get("notify"):
            self._take_address(person)

    def _take_address(self, person: people.Person) -> None:
        if person.email:
            self.notify_email = person.email
        else:
            self.add_error("notify", "Globus knows no address of theirs.")

    def _take_group(self, data: dict[str, Any]) -> None:
        if "group" in self.errors:
            return
        if not data.get("group"):
            self.add_error("group", "Choose a group.")
        else:
            self.principal = UUID(data["group"])


@require_http_methods(["GET", "HEAD", "POST"])
def shared(request: SignedInRequest, collection_id: UUID) -> HttpResponse:
    """The rules of a collection, and the form for one more."""
    client = transfer_client(request.user)
    collection = _managed(client, collection_id)
    mine = groups.my_groups(groups_client(request.user))
    if request.method == "POST":
        form = ShareForm(request.POST, mine=mine)
        if form.is_valid() and _add(client, collection_id, form):
            messages.success(request, "It is shared.")
            return redirect("transfers:sharing", collection_id)
    else:
        form = ShareForm(mine=mine, initial={"path": request.GET.get("path", "/")})
    found = sharing.rules(client, collection_id)
    context = {
        "collection": collection,
        "rules": _named(found, mine),
        "form": form,
    }
    return render(request, "transfers/sharing/list.html", context)


def _managed(client: TransferClient, collection_id: UUID) -> Collection:
    found = collections.collection(client, collection_id)
    if not sharing.can_share(found):
        raise PermissionDenied(
            "Only guest collections are shared by rules, and only who manages one can "
            "change them.",
            code="NotManaged",
        )
    return found


def _add(client: TransferClient, collection_id: UUID, form: ShareForm) -> bool:
    data = form.cleaned_data
    try:
        sharing.share(
            client,
            collection_id,
            whom=Whom(data["whom"]),
            principal=form.principal,
            path=data["path"],
            may=May(data["may"]),
            expires_at=data["until"],
            notify_email=form.notify_email,
            message=data["message"],
        )
    except Conflict as err:
        form.add_error("path", ValidationError(err.advice))
        return False
    return True


def _named(found: list[Rule], mine: list[groups.Group]) -> list[tuple[Rule, str]]:
    """Each rule with whom it is about, in words."""
    wanted = [
        each.principal
        for each in found
        if each.whom == Whom.IDENTITY and each.principal
    ]
    try:
        persons = people.by_ids(wanted) if wanted else {}
    except GlobusUnreachable:
        persons = {}  # the rules are there; names are a courtesy
    group_names = {each.id: each.name for each in mine}
    return [(each, _who(each, persons, group_names)) for each in found]


def _who(
    found: Rule, persons: dict[UUID, people.Person], group_names: dict[str, str]
) -> str:
    for whom, words in EVERYONE.items():
        if found.whom == whom:
            return words
    if found.principal is None:
        return f"Somebody that this portal does not know ({found.whom})"
    if found.whom == Whom.GROUP:
        name = group_names.get(str(found.principal), str(found.principal))
        return f"The group {name}"
    return str(persons.get(found.principal, found.principal))


@require_http_methods(["GET", "HEAD", "POST"])
def change(
    request: SignedInRequest, collection_id: UUID, rule_id: UUID
) -> HttpResponse:
    client = transfer_client(request.user)
    collection = _managed(client, collection_id)
    found = sharing.rule(client, collection_id, rule_id)
    initial = {"may": found.may, "until": found.expires_at and found.expires_at.date()}
    form = ChangeForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        sharing.change(
            client,
            collection_id,
            rule_id,
            may=May(form.cleaned_data["may"]),
            expires_at=form.cleaned_data["until"],
        )
        messages.success(request, "The rule is changed.")
        return redirect("transfers:sharing", collection_id)
    return _about_rule(request, "change", collection, found, form)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(
    request: SignedInRequest, collection_id: UUID, rule_id: UUID
) -> HttpResponse:
    client = transfer_client(request.user)
    collection = _managed(client, collection_id)
    try:
        found = sharing.rule(client, collection_id, rule_id)
        if request.method == "POST":
            sharing.remove(client, collection_id, rule_id)
    except NotFound:
        messages.info(request, "This rule is gone already.")
        return redirect("transfers:sharing", collection_id)
    if request.method == "POST":
        messages.success(request, "It is not shared by this rule any more.")
        return redirect("transfers:sharing", collection_id)
    return _about_rule(request, "remove", collection, found)


def _about_rule(
    request: SignedInRequest,
    what: str,
    collection: Collection,
    found: Rule,
    form: ChangeForm | None = None,
) -> HttpResponse:
    [(_, who)] = _named([found], _groups_for(request.user, found))
    context = {"collection": collection, "rule": found, "who": who, "form": form}
    return render(request, f"transfers/sharing/{what}.html", context)


def _groups_for(user: User, found: Rule) -> list[groups.Group]:
    if found.whom != Whom.GROUP:
        return []
    return groups.my_groups(groups_client(user))
