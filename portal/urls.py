"""The portal's addresses (design section 8)."""

from django.contrib import admin
from django.urls import include, path

from portal import health, metrics

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("transfers.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]
handler400 = "portal.views.bad_request"
handler403 = "portal.views.permission_denied"
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"
