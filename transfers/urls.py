"""Addresses of files, transfers and jobs (design section 8)."""

from django.urls import path

from transfers.views import (
    activity,
    bookmarks,
    collections,
    files,
    jobs,
    sending,
    sharing,
    timers,
)

app_name = "transfers"
urlpatterns = [
    path("", activity.home, name="home"),
    path("overview/", activity.overview, name="overview"),
    path("attention/", activity.needs_me, name="attention"),
    path("collections/", collections.search, name="collections"),
    path("bookmarks/", bookmarks.listed, name="bookmarks"),
    path("bookmarks/new/", bookmarks.new, name="bookmark_new"),
    path("bookmarks/<uuid:bookmark_id>/", bookmarks.rename, name="bookmark_rename"),
    path(
        "bookmarks/<uuid:bookmark_id>/remove/",
        bookmarks.remove,
        name="bookmark_remove",
    ),
    path("collections/<uuid:collection_id>/", collections.about, name="collection"),
    path("collections/<uuid:collection_id>/sharing/", sharing.shared, name="sharing"),
    path(
        "collections/<uuid:collection_id>/sharing/<uuid:rule_id>/",
        sharing.change,
        name="sharing_change",
    ),
    path(
        "collections/<uuid:collection_id>/sharing/<uuid:rule_id>/remove/",
        sharing.remove,
        name="sharing_remove",
    ),
    path("files/", files.files, name="files"),
    path("transfers/", activity.activity, name="list"),
    path("transfers/new/", sending.new, name="new"),
    path("transfers/<uuid:pk>/", activity.detail, name="detail"),
    path("transfers/<uuid:pk>/progress/", activity.progress, name="progress"),
    path("transfers/<uuid:pk>/cancel/", activity.cancel, name="cancel"),
    path("transfers/<uuid:pk>/way-on/", activity.way_on, name="way_on"),
    path("transfers/<uuid:pk>/resume/", activity.resume, name="resume"),
    path("timers/", timers.timer_list, name="timers"),
    path("timers/new/", timers.new, name="timer_new"),
    path("timers/<uuid:timer_id>/", timers.timer, name="timer"),
    path("timers/<uuid:timer_id>/pause/", timers.pause, name="timer_pause"),
    path("timers/<uuid:timer_id>/resume/", timers.resume, name="timer_resume"),
    path("timers/<uuid:timer_id>/name/", timers.rename, name="timer_rename"),
    path("timers/<uuid:timer_id>/delete/", timers.delete, name="timer_delete"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/new/", jobs.job_new, name="job_new"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/run/", jobs.run_now, name="run_now"),
    path("jobs/runs/<uuid:pk>/", jobs.run, name="run"),
    path("jobs/runs/<uuid:pk>/progress/", jobs.run_progress, name="run_progress"),
    path("jobs/runs/<uuid:pk>/cancel/", jobs.run_cancel, name="run_cancel"),
]
