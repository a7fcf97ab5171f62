"""Which pages the browser tests look at; ``test_every_page`` holds it to the routes.

An address is looked at as the person in whose list it stands. ``{job}`` and the like
stand for what a test makes first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from urllib.parse import urlsplit

from sandbox import seed
from tests import routes
from transfers.collections import SCOPES

RUN = "/projects/spring-campaign/runs/2026-03-01/"
_PANES = f"/files/?origin_id={seed.RESEARCH}&origin_path={RUN}"
_OTHER = f"destination_id={seed.RESEARCH}&destination_path=/projects/"
_OF_RESEARCH = f"/collections/{seed.RESEARCH}"
_OF_SHARED = f"/collections/{seed.SHARED}"

ANYBODY = ("/login/", "/complete/globus/?state=wrong&code=x")
RESEARCHER = (
    "/",
    *(f"/collections/?scope={scope}" for scope in SCOPES),
    "/collections/?q=tutorial&scope=all",
    "/collections/?q=nosuchthing&scope=all",
    "/collections/?q=tutorial&into=destination&beside=origin_id%3D1",
    f"{_OF_RESEARCH}/",
    f"/collections/{seed.CLINICAL}/",
    f"/collections/{seed.LAPTOP}/upload/",
    f"{_OF_RESEARCH}/upload/?path=/home/ada/",
    f"{_OF_RESEARCH}/preview/?path=/projects/spring-campaign/README.md",
    f"{_OF_RESEARCH}/preview/?path={RUN}quality.csv",
    f"{_OF_RESEARCH}/preview/?path={RUN}reads.fastq.gz",
    f"{_OF_RESEARCH}/preview/?path=/nowhere",
    "/bookmarks/",
    f"/bookmarks/new/?collection_id={seed.RESEARCH}&path={RUN}",
    "/bookmarks/{bookmark}/",
    "/files/",
    f"{_PANES}&panes=2",
    f"{_PANES}&{_OTHER}",
    f"{_PANES}&columns=bytes,rights,user,group&origin_hidden=1",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/odd names/",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/telescope/",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/nowhere/",
    f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={RUN}&{_OTHER}",
    f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={RUN}"
    f"&destination_id={seed.TUTORIAL_2}&destination_path=/home/ada/",
    "/transfers/templates/",
    "/transfers/",
    "/transfers/?status=failed&q=nothing",
    "/timers/",
    "/groups/",
    "/attention/",
    "/account/",
    "/account/consents/",
    "/notifications/",
    "/account/take-back/",
    "/account/delete/",
    "/jobs/",
    "/nothing-here/",
)
#: which staff see as well, below a longer header
OF_BOTH = (
    "/",
    "/collections/?q=tutorial",
    f"{_OF_RESEARCH}/",
    "/files/",
    f"/files/?origin_id={seed.RESEARCH}&origin_path={RUN}",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/telescope/",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/nowhere/",
    f"/files/?origin_id={seed.RESEARCH}&origin_path=/projects/odd names/",
    f"/transfers/new/?origin_id={seed.RESEARCH}&origin_path={RUN}"
    f"&destination_id={seed.TUTORIAL_2}&destination_path=/home/ada/",
    "/transfers/templates/",
    "/transfers/",
    "/transfers/?status=failed&q=nothing",
    "/attention/",
    "/notifications/",
    "/timers/",
    "/groups/",
    "/account/",
    "/account/consents/",
    "/account/take-back/",
    "/account/delete/",
    "/nothing-here/",
)
#: pages that a form of the files page leads to
WITH_PICKS = ("copy", "delete", "download", "new-folder", "rename", "size")
#: who manages a guest collection
MANAGER = (
    f"{_OF_SHARED}/",
    f"{_OF_SHARED}/sharing/",
    _OF_SHARED + "/sharing/{rule}/",
    _OF_SHARED + "/sharing/{rule}/remove/",
)
#: of a job that has run, and of a run that goes on
OF_STAFF = (
    "/jobs/",
    "/jobs/new/",
    "/jobs/import/",
    "/jobs/waiting/",
    "/jobs/calendar/",
    "/jobs/calendar/?span=month",
    "/jobs/figures/",
    *(f"/jobs/{{job}}/{end}" for end in ("", "edit/", "duplicate/", "webhook/")),
    *(f"/jobs/{{job}}/{end}" for end in ("export/globus/", "preflight/", "dry-run/")),
    "/jobs/{job}/inventories/",
    *(f"/jobs/runs/{{run}}/{end}" for end in ("", "again/", "inventory/")),
    "/jobs/runs/{running}/cancel/",
)
#: of a transfer that is under way
OF_TRANSFERS = (
    *(f"/transfers/{{transfer}}/{end}" for end in ("", "edit/", "again/", "cancel/")),
    *("/transfers/", "/transfers/?status=failed"),
)
OF_ENDED_TRANSFERS = ("/transfers/{ended}/", "/transfers/{ended}/files/")
OF_SENDING = (
    "/transfers/templates/{template}/",
    "/transfers/templates/{template}/delete/",
    "/transfers/dry-runs/{trial}/",
)
OF_TIMERS = ("/timers/?show=1", "/timers/{timer}/", "/timers/{timer}/delete/")
#: what only a form leads to
ASKED_BY_FORMS = ("/transfers/cancel/", "/timers/new/")

#: no page: a file, a part of a page, data for a script, or an answer that leads on
NO_PAGES = {
    *("accounts:begin", "accounts:sign_out", "accounts:another", "accounts:pending"),
    *("accounts:download", "accounts:groups_csv", "accounts:answer_invitation"),
    *("accounts:end_session", "accounts:end_other_sessions"),
    *("accounts:notification_webhook", "accounts:notification_webhook_on"),
    *("accounts:notification_deliveries", "accounts:notifications_new"),
    "accounts:notifications_shown",
    *("healthz", "readyz", "metrics"),
    *("transfers:overview", "transfers:activity_rows", "transfers:csv"),
    *("transfers:rows", "transfers:numbers", "transfers:refresh"),
    *("transfers:download", "transfers:raw", "transfers:upload_file"),
    *("transfers:bookmark_remove", "transfers:progress", "transfers:instead"),
    *("transfers:way_on", "transfers:resume", "transfers:task_files_csv"),
    *("transfers:timer_pause", "transfers:timer_resume", "transfers:timer_rename"),
    "transfers:timer_once",
    *("transfers:jobs_bulk", "transfers:job_hold", "transfers:run_now"),
    *("transfers:job_remove", "transfers:run_progress"),
    *("transfers:trial_progress", "transfers:trial_cancel", "transfers:trial_csv"),
    *("transfers:trial_jsonl", "transfers:inventory_csv"),
    *("transfers:inventory_jsonl", "transfers:inventory_unread"),
    *("transfers:filter_preview", "transfers:own_dry_run_progress"),
    *("transfers:own_dry_run_cancel", "transfers:own_dry_run_csv"),
    "transfers:own_dry_run_jsonl",
}


def shown() -> set[str]:
    """Names of the routes that the lists are about."""
    of_people = (ANYBODY, RESEARCHER, MANAGER, OF_STAFF)
    of_work = (OF_TRANSFERS, OF_ENDED_TRANSFERS, OF_SENDING, OF_TIMERS, ASKED_BY_FORMS)
    lists = (*of_people, *of_work)
    forms = [f"/files/{name}/" for name in WITH_PICKS]
    return names_of([*(each for one in lists for each in one), *forms])


def names_of(addresses: Iterable[str]) -> set[str]:
    from django.urls import Resolver404, resolve

    some = str(uuid.UUID(int=1))
    of_jobs = ("job", "run", "running", "trial")
    of_work = ("transfer", "ended", "template", "timer")
    kinds = dict.fromkeys(("bookmark", "rule", *of_jobs, *of_work), some)
    found = set()
    for each in addresses:
        try:
            found.add(resolve(urlsplit(each.format(**kinds)).path).view_name)
        except Resolver404:
            continue  # the page for what is not there
    return found


def all_pages() -> set[str]:
    return routes.of_the_portal() - NO_PAGES
