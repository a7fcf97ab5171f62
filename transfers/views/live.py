"""Partials that ask for themselves again, and answer cheaply while nothing changed."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag

from transfers.models import Transfer

#: htmx stops asking when it hears this.
STOP_POLLING = 286


def live(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | Callable[[], dict[str, Any]],
    version: str,
    *,
    ends: bool,
) -> HttpResponse:
    """``304`` while the version is the one that the page has.

    :param context: or what makes it, where that costs something
    :param ends: nothing will change any more, so the page need not ask again
    """
    etag = quote_etag(version)
    unchanged = get_conditional_response(request, etag=etag)
    if unchanged is not None:
        return unchanged
    facts = context() if callable(context) else context
    response = render(
        request,
        template,
        facts | {"version": version},
        status=STOP_POLLING if ends else 200,
    )
    response["ETag"] = etag
    return response


#: all that ``version_of`` looks at; ``says`` and ``is_stalled`` are made of these
VERSION_COLUMNS = (
    "status",
    "waiting_reason",
    "last_error",
    "error_code",
    "cancel_asked_at",
    "cancel_wanted_at",
    "cancel_failed_at",
    "nice_status",
    "is_ok",
    "is_paused",
    "fault_since",
    "moved_at",
    "sent_at",
    "missed_polls",
    "files",
    "files_transferred",
    "files_skipped",
    "subtasks_skipped_errors",
    "bytes_transferred",
    "bytes_per_second",
    "faults",
    "deadline",
    "label",
    "blocked_by",
    "checked_at",
)


def version_of(transfers: Iterable[Transfer]) -> str:
    """Changes whenever something changes that a page shows of these."""
    now = timezone.now()
    return version_of_facts(
        *(
            (
                each.pk,
                each.status,
                each.says,
                each.nice_status,
                each.files,
                each.files_transferred,
                each.files_skipped,
                each.subtasks_skipped_errors,
                each.bytes_transferred,
                each.bytes_per_second,
                each.faults,
                each.is_stalled(now),
                each.is_paused,
                each.deadline,
                each.label,
                each.blocked_by,
                # shown, but once a minute is often enough
                each.checked_at and each.checked_at.replace(second=0, microsecond=0),
            )
            for each in transfers
        )
    )


def version_of_facts(*facts: Any) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:20]
