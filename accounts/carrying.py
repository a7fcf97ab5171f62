"""A form that nobody can be found for goes back to its person, in a page.

Without any cookie there is neither a session, nor a mark of who signed in last, nor the
cookie that the token of a form is held against. Nothing is done and nothing is stored
then: the page that says so carries what was filled in, as a form to be opened again
after signing in. ``docs/decisions.md`` says why no other way was safe.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import pending

STATUS = 403
#: fields that are shown; all of them are carried
MOST_SHOWN = 20
#: said along, since the button itself is left out: without it the form only opens
OPENS = "opens"


def page(request: HttpRequest) -> HttpResponse | None:
    """The page with what was filled in; nothing if it may not be carried.

    Only what a page of ours sent, by the browser's own word (``Origin``, which no other
    site can set): else anybody could fill in a form and have our page show it. And only
    forms that would be kept (``pending.keeps_body``), so no secrets.
    """
    is_part = bool(getattr(request, "htmx", False))
    if is_part or not _is_from_here(request) or not pending.keeps_body(request):
        return None
    fields = pending.fields_of(request)
    if not fields:
        return None
    opens = request.POST.get(pending.REOPEN) == OPENS or any(
        name == pending.BUTTON for name, _ in fields
    )
    context = {
        "action": request.get_full_path(),
        "fields": [each for each in fields if each[0] != pending.BUTTON],
        "shown": _shown(fields),
        "opens": opens,
        "says_so": OPENS if opens else "sends",
        "has_files": bool(request.FILES),
    }
    return render(request, "accounts/carried.html", context, status=STATUS)


def _is_from_here(request: HttpRequest) -> bool:
    ours = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("Origin") == ours


def _shown(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Some fields in words, so that nobody sends what they did not fill in."""
    said = [
        (name.replace("_", " ").capitalize(), value)
        for name, value in fields
        if value.strip() and name != pending.BUTTON
    ]
    return said[:MOST_SHOWN]
