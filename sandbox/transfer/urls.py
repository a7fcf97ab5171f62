"""Routes below ``/transfer/v0.10/``."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox.transfer import (
    collections,
    files,
    hosting,
    managing,
    sharing,
    submission,
    tasks,
)
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure, transfer_view
from sandbox.wire import UNEXPECTED

View = Callable[..., HttpResponse]


@transfer_view
def unknown(request: HttpRequest, caller: Caller, **parts: str) -> dict[str, Any]:
    """Anything else, answered as the service answers a wrong path."""
    request.META[UNEXPECTED] = True
    raise TransferFailure(
        404,
        "ClientError.NotFound",
        f"No resource {request.method} {request.path}",
    )


def by_method(**views: View) -> View:
    """One route, a view per HTTP method."""

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return views.get(request.method or "", unknown)(request, **parts)

    view.methods = tuple(views)  # type: ignore[attr-defined] # for the list of routes
    return view


_COLLECTION = "endpoint/<str:collection_id>"
_FILES = "operation/endpoint/<str:collection_id>"
_TASK = "task/<str:task_id>"
_MANAGED = "endpoint_manager/endpoint/<str:collection_id>"
_WATCHED = "endpoint_manager/task/<str:task_id>"

urlpatterns = [
    path("endpoint_search", by_method(GET=collections.endpoint_search)),
    path("shared_endpoint", by_method(POST=hosting.create_guest)),
    path(
        _COLLECTION,
        by_method(GET=collections.endpoint, PUT=hosting.update, DELETE=hosting.delete),
    ),
    path(
        f"{_COLLECTION}/my_shared_endpoint_list",
        by_method(GET=collections.my_shared_endpoint_list),
    ),
    path(f"{_COLLECTION}/shared_endpoint_list", by_method(GET=hosting.guests)),
    path(
        f"{_COLLECTION}/my_effective_pause_rule_list",
        by_method(GET=hosting.pause_rules),
    ),
    path(f"{_COLLECTION}/server_list", by_method(GET=hosting.servers)),
    path(f"{_COLLECTION}/server/<str:number>", by_method(GET=hosting.server)),
    path(f"{_COLLECTION}/subscription", by_method(PUT=hosting.subscription)),
    path(
        f"{_COLLECTION}/subscription_admin_verified",
        by_method(PUT=hosting.subscription),
    ),
    path(f"{_COLLECTION}/access_list", by_method(GET=sharing.access_list)),
    path(f"{_COLLECTION}/access", by_method(POST=sharing.create_access)),
    path(
        f"{_COLLECTION}/access/<str:rule_id>",
        by_method(
            GET=sharing.access,
            PUT=sharing.update_access,
            DELETE=sharing.delete_access,
        ),
    ),
    path(f"{_COLLECTION}/role_list", by_method(GET=sharing.role_list)),
    path(f"{_COLLECTION}/role", by_method(POST=sharing.create_role)),
    path(
        f"{_COLLECTION}/role/<str:role_id>",
        by_method(GET=sharing.role, DELETE=sharing.delete_role),
    ),
    path("bookmark_list", by_method(GET=sharing.bookmark_list)),
    path("bookmark", by_method(POST=sharing.create_bookmark)),
    path(
        "bookmark/<str:bookmark_id>",
        by_method(
            GET=sharing.bookmark,
            PUT=sharing.update_bookmark,
            DELETE=sharing.delete_bookmark,
        ),
    ),
    path(f"{_FILES}/ls", by_method(GET=files.ls)),
    path(f"{_FILES}/stat", by_method(GET=files.stat)),
    path(f"{_FILES}/mkdir", by_method(POST=files.mkdir)),
    path(f"{_FILES}/rename", by_method(POST=files.rename)),
    path(f"{_FILES}/symlink", by_method(POST=files.symlink)),
    path("submission_id", by_method(GET=submission.submission_id)),
    path("transfer", by_method(POST=submission.transfer)),
    path("delete", by_method(POST=submission.delete)),
    path("task_list", by_method(GET=tasks.task_list)),
    path(_TASK, by_method(GET=tasks.task, PUT=tasks.update)),
    path(f"{_TASK}/cancel", by_method(POST=tasks.cancel)),
    path(f"{_TASK}/event_list", by_method(GET=tasks.event_list)),
    path(f"{_TASK}/successful_transfers", by_method(GET=tasks.successful_transfers)),
    path(f"{_TASK}/skipped_errors", by_method(GET=tasks.skipped_errors)),
    path(f"{_TASK}/pause_info", by_method(GET=tasks.pause_info)),
    path(
        "endpoint_manager/monitored_endpoints",
        by_method(GET=managing.monitored_endpoints),
    ),
    path(f"{_MANAGED}", by_method(GET=managing.endpoint)),
    path(
        f"{_MANAGED}/hosted_endpoint_list",
        by_method(GET=managing.hosted_endpoint_list),
    ),
    path(f"{_MANAGED}/access_list", by_method(GET=managing.access_list)),
    path("endpoint_manager/task_list", by_method(GET=managing.task_list)),
    path(_WATCHED, by_method(GET=managing.task)),
    path(f"{_WATCHED}/event_list", by_method(GET=managing.event_list)),
    path(
        f"{_WATCHED}/successful_transfers",
        by_method(GET=managing.successful_transfers),
    ),
    path(f"{_WATCHED}/skipped_errors", by_method(GET=managing.skipped_errors)),
    path(f"{_WATCHED}/pause_info", by_method(GET=managing.pause_info)),
    path("endpoint_manager/admin_cancel", by_method(POST=managing.admin_cancel)),
    path(
        "endpoint_manager/admin_cancel/<str:order_id>",
        by_method(GET=managing.admin_cancel_status),
    ),
    path("endpoint_manager/admin_pause", by_method(POST=managing.admin_pause)),
    path("endpoint_manager/admin_resume", by_method(POST=managing.admin_resume)),
    path("endpoint_manager/pause_rule_list", by_method(GET=managing.pause_rule_list)),
    path("endpoint_manager/pause_rule", by_method(POST=managing.create_pause_rule)),
    path(
        "endpoint_manager/pause_rule/<str:rule_id>",
        by_method(
            GET=managing.pause_rule,
            PUT=managing.update_pause_rule,
            DELETE=managing.delete_pause_rule,
        ),
    ),
    re_path("", unknown),
]
