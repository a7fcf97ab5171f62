"""Bars and words for inventories."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html

from portal.templatetags.page import icon
from transfers.jobs.chunks import CHANGED, GONE, NEW, Row
from transfers.models import Inventory, Trial
from transfers.templatetags.rows import TYPES

register = template.Library()

#: a drawing of an own needs no style attribute, which the content policy refuses
BAR = (
    '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" '
    'aria-hidden="true"><rect class="bar-rail" width="100" height="1"/>'
    '<rect class="bar-part" width="{}" height="1"/></svg>'
)
CHANGE_WORDS = {NEW: ("ok", "New"), CHANGED: ("warn", "Changed"), GONE: ("bad", "Gone")}
TRIED_WORDS = {
    NEW: ("ok", "To be copied"),
    CHANGED: ("warn", "To be overwritten"),
    GONE: ("none", "Only at the destination"),
}


@register.simple_tag
def bar(part: int | None, whole: int) -> str:
    """How much of the whole; at least a line of it, if there is any."""
    share = min(100.0, 100 * (part or 0) / whole) if whole else 0.0
    if part and share < 0.5:
        share = 0.5
    return format_html(BAR, f"{share:.1f}")


@register.filter
def row_type(row: Row) -> str:
    words = TYPES.get(row.type, "Other")
    is_link = row.is_link and row.type != "invalid_symlink"
    return f"Link to a {words.lower()}" if is_link else words


@register.filter
def row_moment(row: Row) -> datetime | None:
    if row.modified is None:
        return None
    try:
        return datetime.fromtimestamp(row.modified, UTC)
    except (ValueError, OverflowError):
        return None


@register.simple_tag
def change_mark(row: Row, inventory: Inventory) -> str:
    """What became of it, or with a dry run what would; nothing if nothing did."""
    words = CHANGE_WORDS if inventory.part == Inventory.Part.RUN else TRIED_WORDS
    if row.change not in words:
        return ""
    tone, word = words[row.change]
    return format_html('<span class="state state-{}">{}</span>', tone, word)


@register.filter
def type_name(extension: str) -> str:
    if extension == "*":
        return "Other types"
    return extension or "Without an extension"


CHECKS = {
    "ok": ("check-circle", "Fine", "ok"),
    "warn": ("alert", "Take care", "warn"),
    "bad": ("cross-circle", "In the way", "bad"),
    "unknown": ("unknown", "Not known", "none"),
}
TRIALS = {
    "waiting": ("clock", "Waiting", "run"),
    "working": ("gear", "Under way", "run"),
    "done": ("check-circle", "Done", "ok"),
    "failed": ("cross-circle", "Failed", "bad"),
    "cancelled": ("stop", "Stopped", "none"),
}


@register.simple_tag
def check_state(state: str) -> str:
    return _pill(*CHECKS.get(state, CHECKS["unknown"]))


@register.simple_tag
def trial_state(trial: Trial) -> str:
    return _pill(*TRIALS[trial.state])


def _pill(sign: str, word: str, tone: str) -> str:
    return format_html(
        '<span class="state state-{}">{}{}</span>', tone, icon(sign), word
    )
