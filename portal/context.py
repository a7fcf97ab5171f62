"""What every page needs to know."""

from typing import Any

from django.http import HttpRequest


def everywhere(request: HttpRequest) -> dict[str, Any]:
    return {"request_id": getattr(request, "request_id", "")}
