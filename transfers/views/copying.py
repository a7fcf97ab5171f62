"""Paths of what was picked, and ``globus`` commands for it, to be taken elsewhere."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render

from accounts.views import SignedInRequest
from transfers import changing
from transfers.paths import BadPath, normalised
from transfers.picking import Picked
from transfers.shell_words import quoted
from transfers.views.changes import about, about_picked

#: paths that can be copied at once
MOST_COPIED = 1000


@about_picked
def copy(request: SignedInRequest, picked: Picked) -> HttpResponse:
    """Paths and ``globus`` commands, to be taken elsewhere."""
    names = picked.names(MOST_COPIED)
    paths = [
        (changing.place_of(picked.path, name), is_folder)
        for name, is_folder in names
        if name and "/" not in name and name not in (".", "..")
    ]
    context = about(request, picked) | {
        "paths": "\n".join(_plain(path) for path, _ in paths),
        "commands": "\n".join(
            _command(picked.collection_id, path, is_folder) for path, is_folder in paths
        ),
        "transfers": "\n".join(_transfer_commands(request, picked, paths)),
        "cut_off": picked.count - len(names),
    }
    return render(request, "transfers/copy.html", context)


def _command(collection_id: UUID, path: str, is_folder: bool) -> str:
    verb = "ls" if is_folder else "stat"
    end = "/" if is_folder else ""
    return f"globus {verb} {quoted(f'{collection_id}:{path}{end}')}"


def _transfer_commands(
    request: SignedInRequest, picked: Picked, paths: list[tuple[str, bool]]
) -> list[str]:
    """To the folder that the other pane shows, if there is one."""
    try:
        other = UUID(request.POST.get("destination_id", ""))
        folder = normalised(request.POST.get("destination_path", ""), folder=True)
    except (ValueError, BadPath):
        return []
    commands = []
    for path, is_folder in paths:
        source = quoted(f"{picked.collection_id}:{path}")
        arrives = quoted(f"{other}:{folder}{path.rpartition('/')[2]}")
        recursive = "--recursive " if is_folder else ""
        commands.append(f"globus transfer {recursive}{source} {arrives}")
    return commands


def _plain(path: str) -> str:
    """One line of plain text; odd characters as in a shell's word."""
    return path if path.isprintable() else quoted(path)
