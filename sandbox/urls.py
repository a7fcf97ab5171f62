"""One port, one prefix per service."""

from django.urls import include, path, re_path

from sandbox.control import page as control
from sandbox.https.views import https
from sandbox.pages import not_found, style

urlpatterns = [
    path("", control.index),
    path("_sandbox/", include("sandbox.control.urls")),
    path("_sandbox/style.css", style),
    path("auth/", include("sandbox.auth.urls")),
    path("transfer/v0.10/", include("sandbox.transfer.urls")),
    path("groups/v2/", include("sandbox.groups.urls")),
    path("timer/", include("sandbox.timers.urls")),
    re_path("^https/", https),
]
handler404 = not_found
