"""What was picked in a folder, as a download: one file as it is, several as an archive.

A browser keeps files and no folders, and only what a collection's HTTPS server gives.
What cannot come this way is named, and a transfer offered for it.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass

from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header

from accounts.views import SignedInRequest
from transfers import remote_files
from transfers.archives import MOST_BYTES, MOST_FILES, Archive
from transfers.paths import name_of
from transfers.picking import Picked
from transfers.remote_files import NoServer
from transfers.streams import Slot
from transfers.templatetags.places import download_url
from transfers.views.changes import about, about_picked
from transfers.views.downloading import inert, no_server


@dataclass(frozen=True)
class Share:
    """What of it a browser can keep.

    :ivar paths: of its files, in the collection
    :ivar left_out: how many entries are none, or have a name that no path can hold
    """

    paths: tuple[str, ...]
    left_out: int
    size_bytes: int

    @property
    def is_too_much(self) -> bool:
        return len(self.paths) > MOST_FILES or self.size_bytes > MOST_BYTES


@about_picked
def download_picked(request: SignedInRequest, picked: Picked) -> HttpResponseBase:
    """Asks first where something would be missing, and where it goes on by itself
    after a consent: a download that nobody pressed for leaves an empty page.
    """
    share = share_of(picked)
    try:
        collection = remote_files.with_server(request.user, picked.collection_id)
    except NoServer as failure:
        return no_server(request, failure, picked.path)
    remote_files.token_for(request.user, collection)
    goes_on = getattr(request, "pending_action", None) is not None
    is_sure = request.POST.get("do") == "download" or not share.left_out
    if not share.paths or share.is_too_much or not is_sure or goes_on:
        context = about(request, picked) | {
            "share": share,
            "most_files": MOST_FILES,
            "most_bytes": MOST_BYTES,
        }
        return render(request, "transfers/download_picked.html", context)
    if len(share.paths) == 1:
        # An address of its own: it can be asked for in parts, and resumed.
        return redirect(download_url(picked.collection_id, share.paths[0]))
    with ExitStack() as undone:
        slot = undone.enter_context(closing(Slot(request.user)))
        files = [
            remote_files.file_at(request.user, picked.collection_id, path)
            for path in share.paths
        ]
        archive = Archive(files, slot)
        undone.pop_all()
    response = StreamingHttpResponse(archive, content_type="application/zip")
    name = f"{name_of(picked.path).replace('~', '') or 'files'}.zip"
    disposition = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Disposition"] = disposition or "attachment"
    return inert(response)


def share_of(picked: Picked) -> Share:
    # Folders come first; of the rest, one more than the limit says that it is reached.
    first = picked.folders
    rows = picked.folder.rows(picked.numbers[first : first + MOST_FILES + 1])
    files = [row for row in rows if row.type == "file"]
    paths = tuple(filter(None, (picked.folder.path_of(row.name) for row in files)))
    left_out = first + len(rows) - len(paths)
    return Share(paths, left_out, sum(row.size_bytes or 0 for row in files))
