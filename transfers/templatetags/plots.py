"""Small drawings, made on the server. What they show stands in a table as well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.html import format_html, format_html_join

from portal.templatetags.page import size
from transfers.volumes import Week

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
        '<svg class="plot plot-speed" viewBox="0 0 {w} {h}" '
        'preserveAspectRatio="none" role="img" '
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


#: of a plot with bars, and of what is around them
BARS_WIDTH, BARS_HEIGHT = 720, 160
_SIDE, _BELOW, _ABOVE = 4, 20, 8


@register.simple_tag
def bar_plot(
    values: Sequence[float],
    says: Sequence[str],
    label: str,
    begin: str,
    end: str,
    kind: str = "",
) -> str:
    """Upright bars, the highest of which fills the plot; nothing if all are nothing.

    :param says: what each bar tells when it is pointed at
    :param label: for whoever cannot see it
    :param begin: words below its left end; ``end``: below the right one
    :param kind: the end of a class, for another colour
    """
    highest = max(values, default=0)
    if not highest:
        return ""
    step = (BARS_WIDTH - 2 * _SIDE) / len(values)
    base = BARS_HEIGHT - _BELOW
    heights = [value / highest * (base - _ABOVE) for value in values]
    bars = (
        (
            round(_SIDE + (number + 0.1) * step, 2),
            round(base - height, 2),
            round(step * 0.8, 2),
            round(height, 2),
            words,
        )
        for number, (height, words) in enumerate(zip(heights, says, strict=True))
        if height
    )
    return format_html(
        '<svg class="plot plot-{kind}" viewBox="0 0 {w} {h}" role="img" '
        'aria-label="{label}"><line x1="0" y1="{y}" x2="{w}" y2="{y}"/>{bars}'
        '<text x="{left}" y="{words_y}">{begin}</text>'
        '<text x="{w}" y="{words_y}" text-anchor="end">{end}</text></svg>',
        kind=kind or "bars",
        w=BARS_WIDTH,
        h=BARS_HEIGHT,
        y=base + 0.5,
        left=_SIDE,
        words_y=BARS_HEIGHT - _SIDE,
        label=label,
        begin=begin,
        end=end,
        bars=format_html_join(
            "",
            '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            bars,
        ),
    )


@register.simple_tag
def volume_plot(weeks: Sequence[Week]) -> str:
    return bar_plot(
        [week.size_bytes for week in weeks],
        [f"Week of {week.day:%-d %b %Y}: {size(week.size_bytes)}" for week in weeks],
        label=f"How much was moved in each of {len(weeks)} weeks, "
        f"{size(max(week.size_bytes for week in weeks))} at most",
        begin=f"{weeks[0].day:%-d %b}",
        end="this week",
    )


@register.filter
def moved_in_all(weeks: Sequence[Week]) -> int:
    return sum(week.size_bytes for week in weeks)
