"""Routes below ``/_sandbox/``."""

from django.urls import path

from sandbox.control import page, views

urlpatterns = [
    path("", page.index),
    path("health", views.health),
    path("knobs", views.knobs_view),
    path("clock", views.clock_view),
    path("faults", views.faults),
    path("latency", views.latency),
    path("requests", views.requests),
    path("reset", views.reset),
    path("tokens", views.wipe_tokens),
    path("consents", views.withdraw_consents),
    path("redirect-uris", views.redirect_uris),
    path("generate", views.generate),
    path("collections/<str:collection_id>", views.collection),
    path("pause-rules", views.pause_rules),
    *(
        path(f"form/{name}", page.form, {"name": name}, name=f"form-{name}")
        for name in page.FORMS
    ),
    path("keys", views.rotate_key),
    path("policies/<str:policy_id>", views.policy),
]
