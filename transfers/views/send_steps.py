"""What the buttons of the form of a transfer do to what is in it.

It works in steps without any script: each button sends the whole form, which comes
back with everything that was in it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict

from accounts.views import SignedInRequest
from transfers import batch_form, filters, picking, templates_kept
from transfers.batch_form import Sheet

SIDES = ("origin", "destination")


def press(request: SignedInRequest, data: QueryDict) -> str:
    """Does what the pressed button wants of the data; what is still to be done."""
    action, _, value = data.get("do", "").partition(":")
    if request.method != "POST" or action == "enter":
        return _default(data) if action == "enter" else ""
    verb, _, what = action.partition("-")
    if what in SIDES:
        return _press_of_side(data, verb, what, value)
    number = int(value) if value.isdecimal() and len(value) < 4 else -1
    if verb == "rule":
        filters.put(data, filters.changed(filters.in_form(data), what, number))
        return "preview"
    if verb == "row":
        changed = batch_form.changed(batch_form.in_form(data), what, number)
        batch_form.put(data, changed)
        return ""
    if verb == "mode":
        _change_mode(request, data, what)
        return ""
    if action == "template-use":
        template = templates_kept.of(request.user, data.get("template", ""))
        if template is not None:
            templates_kept.put(data, template)
        return ""
    return action


def _press_of_side(data: QueryDict, verb: str, side: str, value: str) -> str:
    if verb == "choose":
        data[f"{side}_id"] = value
        data[f"{side}_path"] = ""
        data[f"{side}_find"] = ""
        if side == "origin":
            pick_nothing(data)
    elif verb == "change":
        data[f"{side}_id"] = ""
    elif verb == "go":
        data[f"{side}_path"] = value
        return f"list-{side}"
    elif verb == "clear":
        pick_nothing(data)
    return f"{verb}-{side}"


def _default(data: QueryDict) -> str:
    """Enter was pressed: a search if there are words to search for."""
    for side in SIDES:
        if data.get(f"{side}_find", "").strip():
            return f"find-{side}"
    return "send"


def _change_mode(request: SignedInRequest, data: QueryDict, mode: str) -> None:
    """Another way to say what goes where; nothing that was written is dropped."""
    sheet = batch_form.in_form(data)
    given = request.FILES.get("batch_file")
    if mode == "file":
        if isinstance(given, UploadedFile):
            batch_form.put(data, _read(request, given))
        else:
            messages.warning(request, "Choose a file first.")
    elif mode == "text":
        batch_form.put(data, batch_form.as_text(sheet) if sheet.is_on else _started())
    elif mode == "table":
        table = batch_form.as_table(sheet)
        if table is None:
            messages.warning(
                request,
                "A table has no room for these: at most "
                f"{batch_form.MOST_ROWS} lines, all of them in order and without "
                "checksums.",
            )
        else:
            batch_form.put(data, table)
    elif mode == "one":
        data["mode"] = ""


def _started() -> Sheet:
    return batch_form.of_text("")


def _read(request: SignedInRequest, given: UploadedFile[Any]) -> Sheet:
    """A file as the text of a batch; what is no UTF-8 is shown and marked."""
    content = given.read(batch_form.LONGEST_TEXT * 4 + 1)
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if "\N{REPLACEMENT CHARACTER}" in text:
        messages.warning(
            request,
            "The file is not all UTF-8. Characters that could not be read are shown "
            "as �; correct them before sending.",
        )
    return batch_form.of_text(text)


def pick_nothing(data: QueryDict) -> None:
    for name in ("item", "items", *picking.FIELDS):
        data.setlist(name, [])
