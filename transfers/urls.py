"""Addresses of files, transfers and jobs (design section 8)."""

from django.urls import path

from transfers.views import (
    activity,
    collections,
    files,
    job_exchange,
    job_forms,
    job_plans,
    job_reruns,
    jobs,
    sending,
)

app_name = "transfers"
urlpatterns = [
    path("", activity.home, name="home"),
    path("overview/", activity.overview, name="overview"),
    path("attention/", activity.needs_me, name="attention"),
    path("collections/", collections.search, name="collections"),
    path("collections/<uuid:collection_id>/", collections.about, name="collection"),
    path("files/", files.files, name="files"),
    path("transfers/", activity.activity, name="list"),
    path("transfers/new/", sending.new, name="new"),
    path("transfers/<uuid:pk>/", activity.detail, name="detail"),
    path("transfers/<uuid:pk>/progress/", activity.progress, name="progress"),
    path("transfers/<uuid:pk>/cancel/", activity.cancel, name="cancel"),
    path("transfers/<uuid:pk>/way-on/", activity.way_on, name="way_on"),
    path("transfers/<uuid:pk>/resume/", activity.resume, name="resume"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/bulk/", jobs.bulk, name="jobs_bulk"),
    path("jobs/waiting/", jobs.waiting, name="jobs_waiting"),
    path("jobs/calendar/", job_plans.due, name="jobs_calendar"),
    path("jobs/figures/", job_plans.numbers, name="jobs_figures"),
    path("jobs/import/", job_exchange.take_in, name="job_import"),
    path("jobs/new/", job_forms.new, name="job_new"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/edit/", job_forms.edit, name="job_edit"),
    path("jobs/<uuid:pk>/duplicate/", job_forms.duplicate, name="job_duplicate"),
    path("jobs/<uuid:pk>/remove/", job_forms.remove, name="job_remove"),
    path("jobs/<uuid:pk>/hold/", jobs.hold, name="job_hold"),
    path("jobs/<uuid:pk>/export/<slug:form>/", job_exchange.export, name="job_export"),
    path("jobs/<uuid:pk>/webhook/", job_exchange.webhook, name="job_webhook"),
    path("jobs/<uuid:pk>/run/", jobs.run_now, name="run_now"),
    path("jobs/runs/<uuid:pk>/", jobs.run, name="run"),
    path("jobs/runs/<uuid:pk>/progress/", jobs.run_progress, name="run_progress"),
    path("jobs/runs/<uuid:pk>/again/", job_reruns.rerun, name="run_again"),
    path("jobs/runs/<uuid:pk>/cancel/", jobs.run_cancel, name="run_cancel"),
]
