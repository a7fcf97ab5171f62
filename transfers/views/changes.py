"""What is done with entries of a folder: new ones, other names, none at all, how much.

Each page works by itself. It gets what was picked from the files page
(``transfers.picking``), asks what it has to know, and leads back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.globus.errors import AlreadyThere
from transfers import changing, folders, keeping, measuring, picking, submission
from transfers.changing import BadName
from transfers.models import Transfer
from transfers.paths import BadPath, normalised
from transfers.picking import FolderChanged, NothingPicked, Picked
from transfers.views.collections import name_of
from transfers.views.files import asked_by_script
from transfers.views.panes import back
from transfers.views.reading import collection_id_of

#: from so many entries on, a deletion must be confirmed in writing
TYPED_FROM = 100
#: names that a page lists of what was picked
SHOWN = 20
#: calls to find out whether folders hold many entries
CALLS_BEFORE_DELETING = 8

View = Callable[[SignedInRequest], HttpResponseBase]


def about_picked(
    view: Callable[[SignedInRequest, Picked], HttpResponseBase],
) -> View:
    """A page about what was picked; leads back when that says nothing."""

    @require_POST
    @wraps(view)
    def page(request: HttpRequest) -> HttpResponseBase:
        assert isinstance(request, HttpRequest)
        signed_in: Any = request
        collection_id = collection_id_of(request.POST.get("origin_id", ""))
        try:
            picked = picking.picked_in(request, request.POST, collection_id)
        except (FolderChanged, NothingPicked) as failure:
            if asked_by_script(request):
                raise
            messages.warning(request, failure.advice)
            return redirect(back(request))
        return view(signed_in, picked)

    return page


@require_POST
def new_folder(request: SignedInRequest) -> HttpResponse:
    collection_id = collection_id_of(request.POST.get("origin_id", ""))
    folder = normalised(request.POST.get("origin_path", ""), folder=True)
    name = request.POST.get("name", "")
    error = ""
    if request.POST.get("do") == "make":
        try:
            changing.make_folder(
                transfer_client(request.user), collection_id, folder, name
            )
        except (AlreadyThere, BadName, BadPath) as failure:
            error = failure.advice
        else:
            _forget(request, collection_id, folder)
            messages.success(request, "The folder is made.")
            return redirect(back(request))
    context = {
        "collection_id": collection_id,
        "collection_name": name_of(request.user, collection_id),
        "folder": folder,
        "name": name,
        "error": error,
        "back": back(request),
    }
    return render(
        request, "transfers/new_folder.html", context, status=400 if error else 200
    )


@about_picked
def rename(request: SignedInRequest, picked: Picked) -> HttpResponse:
    if picked.count > 1:
        messages.warning(request, "Select one entry to rename it.")
        return redirect(back(request))
    [(old, is_folder)] = picked.names()
    name = request.POST.get("name", "")
    error = ""
    if request.POST.get("do") == "rename":
        try:
            if name != old:
                changing.rename(
                    transfer_client(request.user),
                    picked.collection_id,
                    picked.path,
                    old,
                    name,
                )
        except (AlreadyThere, BadName, BadPath) as failure:
            if asked_by_script(request):
                raise
            error = failure.advice
        else:
            _forget(request, picked.collection_id, picked.path, picked.folder)
            if asked_by_script(request):
                return HttpResponse(status=204)
            messages.success(request, "It has its new name.")
            return redirect(back(request))
    context = about(request, picked) | {
        "old": old,
        "name": name if error else folders_name(old),
        "is_folder": is_folder,
        "error": error,
    }
    return render(
        request, "transfers/rename.html", context, status=400 if error else 200
    )


def folders_name(name: str) -> str:
    """A name for a field of a form: what cannot stand in one is left out."""
    return name.encode("utf-8", "ignore").decode().replace("\0", "")


@about_picked
def delete(request: SignedInRequest, picked: Picked) -> HttpResponse:
    """Asks before it deletes; in writing when it is much, or may be."""
    typed = request.POST.get("typed", "").strip()
    error = ""
    if request.POST.get("do") == "delete":
        must_type = request.POST.get("must_type") == "1" or picked.count >= TYPED_FROM
        if not must_type or typed == str(picked.count):
            return _delete(request, picked)
        error = f"Write {picked.count} to say that you mean it."
        below = None
    else:
        below = _below(request, picked)
        must_type = (
            picked.count >= TYPED_FROM
            or not below.is_complete
            or picked.count + below.entries >= TYPED_FROM
        )
    context = about(request, picked) | {
        "below": below,
        "must_type": must_type,
        "typed": typed,
        "error": error,
        "transfer_id": request.POST.get("transfer_id") or uuid4(),
    }
    return render(
        request, "transfers/delete.html", context, status=400 if error else 200
    )


def _below(request: SignedInRequest, picked: Picked) -> measuring.Measured:
    """Whether the folders among them hold so much that writing is asked for."""
    return measuring.measure(
        transfer_client(request.user),
        picked.collection_id,
        _folder_paths(picked),
        most_calls=CALLS_BEFORE_DELETING,
        most_seconds=3,
        enough=TYPED_FROM,
    )


def _folder_paths(picked: Picked) -> list[str]:
    first = picked.folder.about.folders
    numbers = [number for number in picked.numbers if number < first]
    names = picked.folder.names(numbers)
    paths = (picked.folder.path_of(name) for name, _ in names)
    return [f"{path}/" for path in paths if path]


def _delete(request: SignedInRequest, picked: Picked) -> HttpResponse:
    document = submission.deletion_of_listed(
        collection=picked.collection_id,
        folder=picked.path,
        names=[name for name, _ in picked.names()],
        recursive=bool(picked.folders),
    )
    transfer = submission.ask(
        request.user,
        document,
        asked_by=request.user,
        source_name=name_of(request.user, picked.collection_id),
        transfer_id=_id_of(request.POST.get("transfer_id", "")),
    )
    _forget(request, picked.collection_id, picked.path, picked.folder)
    messages.success(request, "The deletion is stored and goes to Globus now.")
    return redirect("transfers:detail", transfer.pk)


def _id_of(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError:
        return uuid4()
    is_free = not Transfer.objects.filter(pk=found, kind="TRANSFER").exists()
    return found if is_free else uuid4()


@about_picked
def measure(request: SignedInRequest, picked: Picked) -> HttpResponse:
    """How much is in what was picked, with all folders below, as far as that goes."""
    found = measuring.measure(
        transfer_client(request.user), picked.collection_id, _folder_paths(picked)
    )
    found.size_bytes += picked.size_bytes
    found.files += picked.count - picked.folders
    found.folders += picked.folders
    context = about(request, picked) | {"measured": found}
    return render(request, "transfers/size.html", context)


def about(request: SignedInRequest, picked: Picked) -> dict[str, Any]:
    return {
        "picked": picked,
        "names": picked.names(SHOWN),
        "more": max(0, picked.count - SHOWN),
        "collection_name": name_of(request.user, picked.collection_id),
        "back": back(request),
    }


def _forget(
    request: SignedInRequest,
    collection_id: UUID,
    path: str,
    folder: folders.Folder | None = None,
) -> None:
    """What is kept of the folder is out of date, whatever it was called by."""
    absolute = folder.about.absolute_path if folder else ""
    if path.startswith("/~/") or (absolute and absolute != path):
        keeping.forget(request.user.pk, collection_id)
    else:
        folders.forget(request.user, collection_id, path)
