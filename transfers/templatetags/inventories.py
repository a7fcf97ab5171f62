"""Bars and words for inventories."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html

from portal.templatetags.page import icon
from transfers.jobs.chunks import CHANGED, GONE, NEW, Row
from transfers.models import Trial
from transfers.templatetags.places import TYPES

register = template.Library()

#: a drawing of an own needs no style attribute, which the content policy refuses
BAR = (
    '<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" '
    'aria-hidden="true"><rect class="bar-rail" width="100" height="1"/>'
    '<rect class="bar-part" width="{}" height="1"/></svg>'
)
CHANGE_TONES = {NEW: ("ok", "New"), CHANGED: ("warn", "Changed"), GONE: ("bad", "Gone")}


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


@register.filter
def change_word(row: Row) -> str:
    return CHANGE_TONES[row.change][1] if row.change in CHANGE_TONES else ""


@register.filter
def change_tone(row: Row) -> str:
    return CHANGE_TONES[row.change][0] if row.change in CHANGE_TONES else "none"


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
