"""Routes below ``/timer/``."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox.timers import views

View = Callable[..., HttpResponse]


def by_method(**served: View) -> View:
    """One route, a view per HTTP method."""

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return served.get(request.method or "", views.unknown)(request, **parts)

    return view


_JOB = "jobs/<str:timer_id>"

urlpatterns = [
    path("v2/timer", by_method(POST=views.create)),
    path("jobs/", by_method(GET=views.jobs, POST=views.create_job)),
    path(_JOB, by_method(GET=views.job, PATCH=views.rename, DELETE=views.delete)),
    path(f"{_JOB}/pause", by_method(POST=views.pause)),
    path(f"{_JOB}/resume", by_method(POST=views.resume)),
    re_path("", views.unknown),
]
