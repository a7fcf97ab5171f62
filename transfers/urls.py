"""Addresses of files, transfers and jobs (design section 8)."""

from django.urls import path

from transfers.views import (
    activity,
    collections,
    files,
    jobs,
    sending,
    task_files,
    transfer,
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
    path("transfers/rows/", activity.rows, name="rows"),
    path("transfers/csv/", activity.activity_csv, name="csv"),
    path("transfers/cancel/", activity.cancel_many, name="cancel_many"),
    path("transfers/new/", sending.new, name="new"),
    path("transfers/<uuid:pk>/", transfer.detail, name="detail"),
    path("transfers/<uuid:pk>/progress/", transfer.progress, name="progress"),
    path("transfers/<uuid:pk>/cancel/", transfer.cancel, name="cancel"),
    path("transfers/<uuid:pk>/edit/", transfer.edit, name="edit"),
    path("transfers/<uuid:pk>/again/", transfer.again, name="again"),
    path("transfers/<uuid:pk>/instead/", transfer.instead, name="instead"),
    path("transfers/<uuid:pk>/way-on/", transfer.way_on, name="way_on"),
    path("transfers/<uuid:pk>/resume/", transfer.resume, name="resume"),
    path("transfers/<uuid:pk>/files/", task_files.page, name="task_files"),
    path("transfers/<uuid:pk>/files/csv/", task_files.as_csv, name="task_files_csv"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/new/", jobs.job_new, name="job_new"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/run/", jobs.run_now, name="run_now"),
    path("jobs/runs/<uuid:pk>/", jobs.run, name="run"),
    path("jobs/runs/<uuid:pk>/progress/", jobs.run_progress, name="run_progress"),
    path("jobs/runs/<uuid:pk>/cancel/", jobs.run_cancel, name="run_cancel"),
]
