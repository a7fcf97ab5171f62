"""What is due, and what was: the calendar and the figures of jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.views import SignedInRequest
from portal.templatetags.page import size
from transfers.jobs import figures
from transfers.jobs.calendar import SPANS, calendar, usual_zone
from transfers.jobs.clocks import NoSuchZone, zone_named
from transfers.jobs.form_schedule import ZONES
from transfers.jobs.searching import choices
from transfers.templatetags.jobs import seconds_words
from transfers.views.staff import for_staff

#: how far from today the calendar goes
FARTHEST = timedelta(days=366)
#: of a session: the zone that the calendar was last looked at in
ZONE_KEY = "jobs_calendar_zone"


@require_safe
@for_staff
def due(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    zone, unknown = _zone(request)
    today = now.astimezone(zone).date()
    span = request.GET.get("span", "")
    span = span if span in SPANS else "week"
    first = _first(request, today, span)
    days = SPANS[span]
    if span == "month":
        days = (_next_month(first) - first).days
    context = {
        "calendar": calendar(request.user, first, days, now=now, zone=zone),
        "span": span,
        "zone": zone.key,
        "zones": ZONES,
        "unknown_zone": unknown,
        "first": first,
        "last": first + timedelta(days=days - 1),
        "before": _clamped(first - timedelta(days=1), today, span),
        "after": _clamped(first + timedelta(days=days), today, span),
    }
    return render(request, "transfers/jobs/calendar.html", context)


def _zone(request: SignedInRequest) -> tuple[ZoneInfo, str]:
    """In which the days are, and what was asked for if there is no such zone.

    What was chosen stays for the session; before, it is what most schedules have.
    """
    asked = request.GET.get("zone", "").strip()[:64]
    chosen = asked if asked in available_timezones() else ""
    if chosen and chosen != request.session.get(ZONE_KEY):
        request.session[ZONE_KEY] = chosen
    kept = chosen or request.session.get(ZONE_KEY) or usual_zone(request.user)
    try:
        zone = zone_named(kept)
    except NoSuchZone:  # of a schedule that was made where it was known
        zone = zone_named("UTC")
    return zone, "" if chosen else asked


def _first(request: HttpRequest, today: date, span: str) -> date:
    try:
        asked = date.fromisoformat(request.GET.get("from", ""))
    except ValueError:
        asked = today
    return _clamped(asked, today, span)


def _clamped(day: date, today: date, span: str) -> date:
    day = min(max(day, today - FARTHEST), today + FARTHEST)
    return (
        day.replace(day=1) if span == "month" else day - timedelta(days=day.weekday())
    )


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


@require_safe
@for_staff
def numbers(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    text = request.GET.get("days", "")
    days = int(text) if text in map(str, figures.SPANS) else 30
    account, collection = _id(request, "account"), _id(request, "collection")
    rows = figures.runs_of(
        request.user,
        now - timedelta(days=days),
        account=account,
        collection=collection,
    )
    points = figures.over_time(rows, days=days, now=now)
    context = {
        "days": days,
        "spans": figures.SPANS.items(),
        "account": str(account or ""),
        "collection": str(collection or ""),
        "choices": choices(request.user),
        "points": points,
        "total": sum(point.runs for point in points),
        "plots": _plots(points),
        "groups": (
            _group("account", "By service account", figures.by_account(rows), days),
            _group(
                "collection",
                "By collection",
                figures.by_collection(rows, request.user),
                days,
            ),
        ),
    }
    return render(request, "transfers/jobs/figures.html", context)


def _group(
    key: str, title: str, rows: list[dict[str, Any]], days: int
) -> tuple[str, str, list[dict[str, Any]]]:
    """Each row with the address that narrows the page down to it."""
    for row in rows:
        row["query"] = f"?{urlencode({'days': days, key: row['id']})}"
    return key, title, rows


def _plots(points: list[figures.Point]) -> list[dict[str, Any]]:
    kinds: tuple[tuple[str, str, Sequence[float], Callable[[float], str]], ...] = (
        (
            "moved",
            "Moved",
            [p.size_bytes for p in points],
            lambda value: size(int(value)),
        ),
        (
            "took",
            "Average duration",
            [p.seconds for p in points],
            seconds_words,
        ),
        ("failed", "Failures", [p.failed for p in points], lambda value: f"{value:,}"),
    )
    return [
        {
            "key": key,
            "title": title,
            "highest": words(max(values, default=0)),
            "values": values,
            "says": [
                f"{point.day:%-d %b %Y}: {words(value)}"
                for point, value in zip(points, values, strict=True)
            ],
            "label": f"{title} over time; the numbers are in the table below",
            "begin": f"{points[0].day:%-d %b %Y}",
            "is_drawn": any(values),
        }
        for key, title, values, words in kinds
    ]


def _id(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None
