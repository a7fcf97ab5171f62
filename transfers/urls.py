"""Addresses of files, transfers and jobs (design section 8)."""

from django.urls import path

from transfers.views import (
    activity,
    collections,
    files,
    inventories,
    jobs,
    sending,
    trials,
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
    path("jobs/new/", jobs.job_new, name="job_new"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/run/", jobs.run_now, name="run_now"),
    path("jobs/<uuid:pk>/preflight/", trials.preflight, name="preflight"),
    path("jobs/<uuid:pk>/dry-run/", trials.dry_run, name="dry_run"),
    path("jobs/trials/<uuid:pk>/progress/", trials.progress, name="trial_progress"),
    path("jobs/trials/<uuid:pk>/cancel/", trials.cancel, name="trial_cancel"),
    path(
        "jobs/trials/<uuid:pk>/entries.csv",
        trials.download,
        {"form": "csv"},
        name="trial_csv",
    ),
    path(
        "jobs/trials/<uuid:pk>/entries.jsonl",
        trials.download,
        {"form": "jsonl"},
        name="trial_jsonl",
    ),
    path("jobs/<uuid:pk>/inventories/", inventories.of_job, name="inventories"),
    path("jobs/runs/<uuid:pk>/", jobs.run, name="run"),
    path("jobs/runs/<uuid:pk>/inventory/", inventories.of_run, name="inventory"),
    path(
        "jobs/runs/<uuid:pk>/inventory/entries.csv",
        inventories.download,
        {"form": "csv"},
        name="inventory_csv",
    ),
    path(
        "jobs/runs/<uuid:pk>/inventory/entries.jsonl",
        inventories.download,
        {"form": "jsonl"},
        name="inventory_jsonl",
    ),
    path(
        "jobs/runs/<uuid:pk>/inventory/not-read.csv",
        inventories.unread,
        name="inventory_unread",
    ),
    path("jobs/runs/<uuid:pk>/progress/", jobs.run_progress, name="run_progress"),
    path("jobs/runs/<uuid:pk>/cancel/", jobs.run_cancel, name="run_cancel"),
]
