"""How a transfer or a run stands: a drawing, a word and a colour, in this order."""

from __future__ import annotations

from typing import NamedTuple

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from portal.templatetags.page import icon
from transfers.models import Run, Transfer
from transfers.timers import Timer

register = template.Library()


class Look(NamedTuple):
    """:ivar tone: the end of a class: ok, run, warn, bad, or nothing"""

    sign: str
    word: str
    tone: str = ""


STATUS = Transfer.Status
TRANSFERS = {
    STATUS.NEW: Look("clock", "About to be sent", "run"),
    STATUS.WAITING: Look("alert", "Waits for you", "warn"),
    STATUS.ACTIVE: Look("moving", "Active", "run"),
    STATUS.INACTIVE: Look("pause", "Inactive", "warn"),
    STATUS.UNKNOWN: Look("unknown", "Unknown", "warn"),
    STATUS.SUCCEEDED: Look("check-circle", "Succeeded", "ok"),
    STATUS.FAILED: Look("cross-circle", "Failed", "bad"),
}
STATE = Run.State
RUNS = {
    STATE.WAITING: Look("clock", "Waiting", "run"),
    STATE.PREPARING: Look("gear", "Preparing", "run"),
    STATE.SUBMITTED: Look("arrow-up", "Submitted", "run"),
    STATE.MOVING: Look("moving", "Moving", "run"),
    STATE.STALLED: Look("alert", "Stalled", "warn"),
    STATE.SUCCEEDED: Look("check-circle", "Succeeded", "ok"),
    STATE.SUCCEEDED_WITH_SKIPS: Look("alert", "Succeeded with skips", "warn"),
    STATE.FAILED: Look("cross-circle", "Failed", "bad"),
    STATE.SKIPPED: Look("arrow-right", "Skipped"),
    STATE.CANCELLED: Look("stop", "Cancelled"),
}


def transfer_look(transfer: Transfer) -> Look:
    if transfer.was_cancelled:
        return Look("stop", "Cancelled")
    if transfer.cancel_asked_at and not transfer.is_finished:
        return Look("stop", "Stopping", "warn")
    if transfer.could_not_be_stopped:
        return Look("alert", "Could not be stopped", "warn")
    if transfer.status == STATUS.SUCCEEDED and transfer.has_skips:
        return Look("alert", "Succeeded with skips", "warn")
    if transfer.status == STATUS.ACTIVE:
        return _active_look(transfer)
    return TRANSFERS[STATUS(transfer.status)]


def _active_look(transfer: Transfer) -> Look:
    if transfer.is_stalled(timezone.now()):
        return Look("alert", "Stalled", "warn")
    if transfer.is_ok is False:
        return Look("alert", "Has trouble", "warn")
    if transfer.nice_status == "Queued":
        return Look("clock", "Queued", "run")
    return TRANSFERS[STATUS.ACTIVE]


def run_look(run: Run) -> Look:
    return RUNS[STATE(run.state)]


@register.filter
def tone(transfer: Transfer) -> str:
    return transfer_look(transfer).tone


@register.filter
def state_word(transfer: Transfer) -> str:
    return transfer_look(transfer).word


@register.simple_tag
def transfer_state(transfer: Transfer) -> str:
    return _pill(transfer_look(transfer))


@register.simple_tag
def timer_state(timer: Timer) -> str:
    return _pill(timer_look(timer))


def timer_look(timer: Timer) -> Look:
    if timer.waits_for_owner:
        return Look("alert", "Waits for you", "warn")
    if timer.is_paused:
        return Look("pause", "Paused", "warn")
    if timer.has_ended:
        return Look("check-circle", "Ended")
    if timer.is_running:
        return Look("moving", "A run is going on", "run")
    if timer.status in ("new", "loaded", "active"):
        return Look("clock", "Waits for its next run", "run")
    return Look("unknown", "Unknown", "warn")


@register.simple_tag
def run_state(run: Run) -> str:
    return _pill(run_look(run))


@register.simple_tag
def run_mark(run: Run) -> str:
    """A small square for a row of runs; the word is there for who cannot see it."""
    look = run_look(run)
    return format_html(
        '<a class="mark mark-{}" href="{}" title="{}">{}</a>',
        look.tone or "none",
        reverse("transfers:run", args=[run.pk]),
        f"{look.word}, {timezone.localtime(run.created_at):%-d %b %H:%M} UTC",
        icon(look.sign, look.word),
    )


def _pill(look: Look) -> str:
    return format_html(
        '<span class="state state-{}">{}{}</span>',
        look.tone or "none",
        icon(look.sign),
        look.word,
    )
