"""The rows of a listing.

A template takes 20 ms of the processor for 150 of them, a ``format_html`` per cell 12.
Here all of them are one: cells bring markup, and the texts that are escaped into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html

from portal.templatetags.page import exact_size, icon, size
from transfers.folders import Row
from transfers.templatetags.names import inert, inert_text, is_plain

register = template.Library()

TYPES = {
    "dir": "Folder",
    "file": "File",
    "invalid_symlink": "Broken link",
    "chr": "Device",
    "blk": "Device",
    "pipe": "Pipe",
}
#: ``strftime`` takes six times as long
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
#: markup, and the texts that are escaped into its places; what is in the markup itself
#: was made here of numbers, so it has nothing to escape and no braces
Cell = tuple[str, tuple[str, ...]]

_PICK = (
    '<tr><td class="pick"><input type="checkbox" name="pick" value="%d" data-pick'
    ' aria-label="Select {}"></td><td class="c-name"><div class="entry%s">%s<span>'
)
_END_OF_NAME = "</span></div></td>"
_NOTHING: Cell = ("–", ())


@register.simple_tag
def entry_rows(shown: Iterable[tuple[Row, str]], columns: Sequence[str]) -> str:
    """:param shown: rows, and the address that each leads to, if any"""
    icons = {name: icon(name) for name in ("folder", "link", "file", "unknown")}
    cells = [(f'<td class="c-{key}">', _CELLS[key]) for key in columns]
    markup: list[str] = []
    texts: list[str] = [""]  # a place for format_html even when there is no row
    for row, address in shown:
        is_dir = " entry-dir" if row.is_folder else ""
        markup.append(_PICK % (row.number, is_dir, icons[type_icon(row)]))
        texts.append(inert_text(row.name))
        for piece, its_texts in (_named(row.name, address), _leads(row.link_target)):
            markup.append(piece)
            texts += its_texts
        markup.append(_END_OF_NAME)
        for begin, cell in cells:
            piece, its_texts = cell(row)
            markup += begin, piece, "</td>"
            texts += its_texts
        markup.append("</tr>")
    return format_html("{}" + "".join(markup), *texts)


def _named(name: str, address: str) -> Cell:
    shown = ('<bdi class="name">{}</bdi>', (name,))
    if not is_plain(name):
        shown = ("{}", (inert(name),))
    if not address:
        return shown
    return f'<a href="{{}}">{shown[0]}</a>', (address, *shown[1])


def _leads(target: str) -> Cell:
    if not target:
        return "", ()
    return '<span class="leads">leads to {}</span>', (inert(target),)


def type_words(row: Row) -> str:
    words = TYPES.get(row.type, "Other")
    is_followed = row.is_link and row.type != "invalid_symlink"
    return f"Link to a {words.lower()}" if is_followed else words


def type_icon(row: Row) -> str:
    if row.is_folder:
        return "folder"
    if row.is_link or row.type == "invalid_symlink":
        return "link"
    return "file" if row.type == "file" else "unknown"


def _size_cell(row: Row) -> Cell:
    if row.is_folder or row.size_bytes is None:
        return _NOTHING
    exact, human = exact_size(row.size_bytes), size(row.size_bytes)
    return f'<span title="{exact}">{human}</span>', ()


def _bytes_cell(row: Row) -> Cell:
    if row.is_folder or row.size_bytes is None:
        return _NOTHING
    return f"{row.size_bytes:,}", ()


def _time_cell(moment: datetime | None) -> Cell:
    """The hour apart, for a pane without room for it."""
    if moment is None:
        return _NOTHING
    local = timezone.localtime(moment)
    day, zone = f"{local.day} {MONTHS[local.month - 1]} {local.year}", local.tzname()
    minute = f"{local.hour:02}:{local.minute:02}"
    exact = moment.isoformat(timespec="seconds")
    return (
        f'<time datetime="{exact}" title="{day}, {minute}:{local.second:02} {zone}">'
        f'{day}<span class="hour">, {minute} {zone}</span></time>',
        (),
    )


def _said(text: str) -> Cell:
    return ("{}", (inert(text),)) if text else _NOTHING


_CELLS: dict[str, Callable[[Row], Cell]] = {
    "type": lambda row: (type_words(row), ()),
    "size": _size_cell,
    "bytes": _bytes_cell,
    "time": lambda row: _time_cell(row.modified_at),
    "rights": lambda row: _said(row.permissions),
    "user": lambda row: _said(row.user),
    "group": lambda row: _said(row.group),
}
