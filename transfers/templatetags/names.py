"""Names that others chose, shown so that they cannot act or mislead.

What a name does to a page, a line of text or a direction of reading stands there as a
mark; links and forms keep the raw name (security.md W01, W02).
"""

import unicodedata

from django import template
from django.utils.html import format_html, format_html_join

register = template.Library()

LONGEST_SHOWN = 255
#: Joiners that scripts and emoji need, and that move nothing.
HARMLESS_FORMATS = frozenset("\u200c\u200d")
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Zl", "Zp"})


@register.filter
def inert(name: str) -> str:
    """The name for a page, isolated from its surroundings, cut when it is long."""
    if is_plain(name):
        return format_html('<bdi class="name">{}</bdi>', name)  # nearly all of them
    cut = len(name) > LONGEST_SHOWN
    shown = name[:LONGEST_SHOWN] if cut else name
    pieces = format_html_join("", "{}", ((_piece(part),) for part in _parts(shown)))
    if cut or shown != inert_text(shown):
        return format_html(
            '<bdi class="name" title="{}">{}{}</bdi>',
            inert_text(name),
            pieces,
            "…" if cut else "",
        )
    return format_html('<bdi class="name">{}</bdi>', pieces)


def is_plain(name: str) -> bool:
    """Whether a name may stand as it is, once it is escaped."""
    return len(name) <= LONGEST_SHOWN and name.isascii() and name.isprintable()


@register.filter
def inert_text(name: str) -> str:
    """As ``inert``, uncut and as plain text: for titles and labels."""
    if name.isascii() and name.isprintable():
        return name
    return "".join(_mark(character) or character for character in name)


@register.filter
def inert_lines(text: str) -> str:
    """As ``inert_text``, for words of several lines: the line breaks stay."""
    return "\n".join(map(inert_text, text.splitlines()))


def _parts(name: str) -> list[tuple[str, bool]]:
    """Runs of plain text, and single characters that become marks."""
    parts: list[tuple[str, bool]] = []
    for character in name:
        mark = _mark(character)
        if mark:
            parts.append((mark, True))
        elif parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0] + character, False)
        else:
            parts.append((character, False))
    return parts


def _piece(part: tuple[str, bool]) -> str:
    text, is_mark = part
    if is_mark:
        return format_html('<span class="mark-char">{}</span>', text)
    return text


def _mark(character: str) -> str:
    """What stands for a character that cannot be shown; empty for all others."""
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category not in UNSEEN or character in HARMLESS_FORMATS:
        return ""
    return f"U+{ord(character):04X}"
