"""What every page needs to know."""

from typing import Any

from django.http import HttpRequest

from portal import VERSION


def everywhere(request: HttpRequest) -> dict[str, Any]:
    return {
        "request_id": getattr(request, "request_id", ""),
        "portal_version": VERSION,
    }
