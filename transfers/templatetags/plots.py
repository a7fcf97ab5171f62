"""Small drawings, made on the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.html import format_html

from portal.templatetags.page import size

register = template.Library()

WIDTH, HEIGHT = 600, 96
#: rows of the table behind a plot
MOST_ROWS = 12

Speeds = Sequence[tuple[datetime, datetime, float]]


@register.simple_tag
def speed_plot(speeds: Speeds) -> str:
    """Speed over time as steps; the words for it are in its label."""
    begin, end = speeds[0][0], speeds[-1][1]
    whole = max(1.0, (end - begin).total_seconds())
    most = max(speed for *_, speed in speeds) or 1.0
    points = [f"0,{HEIGHT}"]
    for start, stop, speed in speeds:
        left = (start - begin).total_seconds() / whole * WIDTH
        right = (stop - begin).total_seconds() / whole * WIDTH
        height = HEIGHT - speed / most * (HEIGHT - 4)
        points += [f"{left:.1f},{height:.1f}", f"{right:.1f},{height:.1f}"]
    points.append(f"{WIDTH},{HEIGHT}")
    return format_html(
        '<svg class="plot" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" '
        'aria-label="{label}"><polygon class="plot-area" points="{points}"/></svg>',
        w=WIDTH,
        h=HEIGHT,
        label=f"Speed over time, {size(int(most))}/s at most",
        points=" ".join(points),
    )


@register.filter
def rows_of_speeds(speeds: Speeds) -> list[tuple[datetime, datetime, int]]:
    """At most twelve rows, each the mean of its share of the time."""
    step = -(-len(speeds) // MOST_ROWS)
    rows = []
    for first in range(0, len(speeds), step):
        part = speeds[first : first + step]
        seconds = sum((stop - start).total_seconds() for start, stop, _ in part)
        moved = sum(
            speed * (stop - start).total_seconds() for start, stop, speed in part
        )
        rows.append((part[0][0], part[-1][1], int(moved / max(seconds, 1e-9))))
    return rows


@register.filter
def fastest(speeds: Speeds) -> int:
    return int(max((speed for *_, speed in speeds), default=0))
