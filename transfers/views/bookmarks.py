"""Bookmarks: shown beside the collections, added in a folder."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.globus.errors import Conflict
from transfers import bookmarks, collections
from transfers.forms import LookMixin, PathField
from transfers.paths import name_of
from transfers.templatetags.places import files_url
from transfers.views.choosing import Choosing
from transfers.views.collections import names_of


class BookmarkForm(LookMixin, forms.Form):
    collection_id = forms.UUIDField(widget=forms.HiddenInput)
    path = PathField(label="Folder", folder=True, max_length=8192)
    name = forms.CharField(
        max_length=bookmarks.LONGEST_NAME,
        error_messages={"required": "Give it a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()


class RenameForm(LookMixin, forms.Form):
    name = BookmarkForm.base_fields["name"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()


@require_safe
def listed(request: SignedInRequest) -> HttpResponse:
    found = bookmarks.mine(transfer_client(request.user))
    names = names_of(request.user, (each.collection_id for each in found))
    choosing = Choosing.of(request)
    to = choosing.to if choosing else files_url
    context = {
        "choosing": choosing,
        "bookmarks": [
            (
                each,
                names.get(each.collection_id, ""),
                to(each.collection_id, each.path) if each.can_be_opened else "",
            )
            for each in found
        ],
        "tabs": collections.SCOPES,
    }
    return render(request, "transfers/bookmarks/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    if request.method == "POST":
        form = BookmarkForm(request.POST)
        if form.is_valid() and _add(request, form):
            messages.success(
                request, "The bookmark is there, also in the Globus web app."
            )
            return redirect("transfers:bookmarks")
    else:
        path = request.GET.get("path", "")
        initial = {
            "collection_id": request.GET.get("collection_id", ""),
            "path": path,
            "name": name_of(path) if name_of(path) != "~" else "",
        }
        form = BookmarkForm(initial=initial)
    return render(request, "transfers/bookmarks/new.html", {"form": form})


def _add(request: SignedInRequest, form: BookmarkForm) -> bool:
    data = form.cleaned_data
    try:
        bookmarks.add(
            transfer_client(request.user),
            data["name"],
            data["collection_id"],
            data["path"],
        )
    except Conflict as err:
        form.add_error("name", ValidationError(err.advice))
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: SignedInRequest, bookmark_id: UUID) -> HttpResponse:
    client = transfer_client(request.user)
    bookmark = bookmarks.one(client, bookmark_id)
    form = RenameForm(request.POST or None, initial={"name": bookmark.name})
    if request.method == "POST" and form.is_valid():
        try:
            bookmarks.rename(client, bookmark_id, form.cleaned_data["name"])
        except Conflict as err:
            form.add_error("name", ValidationError(err.advice))
        else:
            messages.success(request, "The bookmark has its new name.")
            return redirect("transfers:bookmarks")
    context = {"form": form, "bookmark": bookmark}
    return render(request, "transfers/bookmarks/rename.html", context)


@require_POST
def remove(request: SignedInRequest, bookmark_id: UUID) -> HttpResponse:
    """Without a question: nothing but the bookmark is gone, and the message says how to
    have it again.
    """
    client = transfer_client(request.user)
    bookmark = bookmarks.one(client, bookmark_id)
    bookmarks.remove(client, bookmark_id)
    return render(request, "transfers/bookmarks/removed.html", {"bookmark": bookmark})
