"""Routes below ``/_sandbox/``."""

from django.urls import path

from sandbox.control import views

urlpatterns = [
    path("", views.index),
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
    path("form/knobs", views.form_knobs, name="form-knobs"),
    path("form/clock", views.form_clock, name="form-clock"),
    path("form/latency", views.form_latency, name="form-latency"),
    path("form/fault", views.form_fault, name="form-fault"),
    path("form/no-faults", views.form_no_faults, name="form-no-faults"),
    path("form/generate", views.form_generate, name="form-generate"),
    path("form/collection", views.form_collection, name="form-collection"),
    path("form/wipe", views.form_wipe, name="form-wipe"),
    path("form/reset", views.form_reset, name="form-reset"),
    path("form/rotate-key", views.form_rotate_key, name="form-rotate-key"),
    path("keys", views.rotate_key),
    path("policies/<str:policy_id>", views.policy),
]
