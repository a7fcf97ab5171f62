"""One port, one prefix per service."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from sandbox.answers import json_answer
from sandbox.control import views as control
from sandbox.pages import not_found, style


def not_served(request: HttpRequest) -> HttpResponse:
    """A service that Globus has and the sandbox, knowingly, has not."""
    detail = f"The sandbox does not serve {request.path}"
    return json_answer(
        {
            "code": "NotImplemented",
            "message": detail,
            "error": {"code": "NOT_IMPLEMENTED", "detail": detail, "status": 501},
        },
        501,
    )


urlpatterns = [
    path("", control.index),
    path("_sandbox/", include("sandbox.control.urls")),
    path("_sandbox/style.css", style),
    path("auth/", include("sandbox.auth.urls")),
    path("transfer/v0.10/", include("sandbox.transfer.urls")),
    path("groups/v2/", include("sandbox.groups.urls")),
    re_path("^(?:timer|https)/", not_served),
]
handler404 = not_found
