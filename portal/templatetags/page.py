"""What every page writes: icons, moments, sizes."""

from datetime import datetime
from functools import lru_cache

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode

register = template.Library()

BINARY_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
UNIT_STEP = 1024


@register.simple_tag
def querystring_of(**values: str | None) -> str:
    """An address's query of what has a value; unlike ``querystring``, of that only."""
    given = {name: value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else "?"


@register.simple_tag
@lru_cache(maxsize=256)  # a page has forty of them, and looks each up in a manifest
def icon(name: str, label: str = "") -> str:
    """A drawing of the sprite; without a label it says nothing to a screen reader."""
    address = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>',
            label,
            address,
        )
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address
    )


@register.filter
def when(moment: datetime | None) -> str:
    """“5 minutes ago”, with the exact moment for machines and in the title."""
    if moment is None:
        return "–"
    return _time(moment, str(naturaltime(moment)))


@register.filter
def exactly(moment: datetime | None) -> str:
    """“21 Nov 2026, 03:20 UTC”."""
    if moment is None:
        return "–"
    return _time(moment, _exact(moment))


@register.filter
def precisely(moment: datetime) -> str:
    """“03:20:05 UTC”, for moments that lie close together."""
    local = timezone.localtime(moment)
    return _time(moment, f"{local:%H:%M:%S} {local.tzname()}")


def _exact(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{local:%-d %b %Y, %H:%M} {local.tzname()}"


def _time(moment: datetime, text: str) -> str:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        _exact(moment),
        text.replace("\xa0", " "),
    )


@register.filter
def size(size_bytes: int | None) -> str:
    """“3.4 GiB”; bytes below one KiB."""
    if size_bytes is None:
        return "–"
    if size_bytes < UNIT_STEP:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    value = float(size_bytes)
    for unit in BINARY_UNITS:
        value /= UNIT_STEP
        # 1023.95 would be shown as 1024.0
        if round(value, 1) < UNIT_STEP or unit == BINARY_UNITS[-1]:
            break
    digits = 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


@register.filter
def exact_size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes:,} bytes"
