"""Routes below ``/transfer/v0.10/``."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox.transfer import collections, files, sharing, submission, tasks
from sandbox.transfer.callers import Caller
from sandbox.transfer.errors import TransferFailure, transfer_view

View = Callable[..., HttpResponse]


@transfer_view
def unknown(request: HttpRequest, caller: Caller, **parts: str) -> dict[str, Any]:
    """Anything else, answered as the service answers a wrong path."""
    raise TransferFailure(
        404,
        "ClientError.NotFound",
        f"No resource {request.method} {request.path}",
    )


def by_method(**views: View) -> View:
    """One route, a view per HTTP method."""

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return views.get(request.method or "", unknown)(request, **parts)

    return view


_COLLECTION = "endpoint/<str:collection_id>"
_FILES = "operation/endpoint/<str:collection_id>"
_TASK = "task/<str:task_id>"

urlpatterns = [
    path("endpoint_search", by_method(GET=collections.endpoint_search)),
    path("endpoint/<str:collection_id>", by_method(GET=collections.endpoint)),
    path(
        "endpoint/<str:collection_id>/my_shared_endpoint_list",
        by_method(GET=collections.my_shared_endpoint_list),
    ),
    path(
        "endpoint/<str:collection_id>/access_list",
        by_method(GET=sharing.access_list),
    ),
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
    re_path("", unknown),
]
