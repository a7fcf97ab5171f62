"""The files that a task has copied or left out, a page at a time, and as CSV.

Globus is asked when somebody opens such a page, as when a folder is opened; nothing
here asks again by itself. Of a finished task the answer never changes, so it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from globus_sdk import MISSING, TransferClient

from accounts.clients import transfer_client
from accounts.views import SignedInRequest
from portal.downloads import csv_response
from portal.globus.errors import UnexpectedAnswer, globus_errors
from transfers.models import Transfer
from transfers.views.transfer import found

KEPT_SECONDS = 600
#: pages of a hundred that one CSV file holds
MOST_PAGES = 1000
LONGEST_MARKER = 200
DONE, SKIPPED = "done", "skipped"


@dataclass(frozen=True)
class Row:
    """:ivar error: the code, of what was left out"""

    source: str
    destination: str
    size_bytes: int | None
    checksum: str
    error: str
    details: str
    at: str


@require_safe
def page(request: SignedInRequest, pk: UUID) -> HttpResponse:
    transfer, which = _asked(request, pk)
    marker = request.GET.get("marker", "")[:LONGEST_MARKER]
    rows, following = _rows(
        transfer_client(transfer.principal), transfer, which, marker
    )
    context = {
        "transfer": transfer,
        "which": which,
        "rows": rows,
        "marker": marker,
        "following": following,
    }
    return render(request, "transfers/task_files.html", context)


@require_safe
def as_csv(request: SignedInRequest, pk: UUID) -> StreamingHttpResponse:
    transfer, which = _asked(request, pk)
    client = transfer_client(transfer.principal)
    # The first page before the answer begins, so that a failure is still a page.
    first = _rows(client, transfer, which, "")
    header = ["Source", "Destination", "Bytes", "Checksum"]
    if which == SKIPPED:
        header = ["Source", "Destination", "Error", "Details", "Time"]
    name = f"{which}-{transfer.task_id}.csv"
    return csv_response(name, header, _cells(client, transfer, which, first))


def _asked(request: SignedInRequest, pk: UUID) -> tuple[Transfer, str]:
    """:raises Http404: there is no such list, for this person"""
    transfer = found(request, pk)
    which = request.GET.get("which", DONE)
    if transfer.task_id is None or which not in (DONE, SKIPPED):
        raise Http404
    if which == DONE and not transfer.has_file_list:
        raise Http404
    return transfer, which


def _cells(
    client: TransferClient,
    transfer: Transfer,
    which: str,
    answer: tuple[list[Row], str],
) -> Iterator[list[str]]:
    for _ in range(MOST_PAGES):
        rows, following = answer
        for each in rows:
            ends = [each.source, each.destination]
            if which == SKIPPED:
                yield [*ends, each.error, each.details, each.at]
            else:
                yield [*ends, str(each.size_bytes or 0), each.checksum]
        if not following:
            return
        answer = _rows(client, transfer, which, following)


def _rows(
    client: TransferClient, transfer: Transfer, which: str, marker: str
) -> tuple[list[Row], str]:
    """One page, and the marker of the next; none after the last.

    https://docs.globus.org/api/transfer/task/#get_task_successful_transfers
    """
    asked = f"{transfer.task_id} {which} {marker}"
    key = f"task-files:{hashlib.sha256(asked.encode()).hexdigest()}"
    kept: tuple[list[Row], str] | None = cache.get(key)
    if kept is not None:
        return kept
    assert transfer.task_id is not None
    ask = (
        client.task_successful_transfers
        if which == DONE
        else client.task_skipped_errors
    )
    with globus_errors():
        answer = ask(transfer.task_id, marker=marker or MISSING)
        data = answer.data if isinstance(answer.data, dict) else {}
    listed = data.get("DATA")
    if not isinstance(listed, list):
        raise UnexpectedAnswer(code="TaskFiles")
    rows = [_row(each) for each in listed if isinstance(each, Mapping)]
    following = data.get("next_marker")
    found_now = rows, "" if following is None else str(following)[:LONGEST_MARKER]
    if transfer.is_finished:
        cache.set(key, found_now, KEPT_SECONDS)
    return found_now


def _row(row: Mapping[str, Any]) -> Row:
    size = row.get("size")
    return Row(
        source=_text(row, "source_path"),
        destination=_text(row, "destination_path"),
        size_bytes=size if type(size) is int and size >= 0 else None,
        checksum=_text(row, "checksum"),
        error=_text(row, "error_code"),
        details=_text(row, "error_details"),
        at=_text(row, "error_time"),
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""
