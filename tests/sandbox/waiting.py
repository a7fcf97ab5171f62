"""Waiting for a task, with a limit."""

import time
from collections.abc import Callable

import globus_sdk

LIMIT_SECONDS = 60


def until(is_true: Callable[[], bool], what: str) -> None:
    """Ask again and again; fails after a minute."""
    limit = time.monotonic() + LIMIT_SECONDS
    while not is_true():
        assert time.monotonic() < limit, f"It did not happen: {what}"
        time.sleep(0.01)


def finished(
    client: globus_sdk.TransferClient, task_id: str
) -> globus_sdk.GlobusHTTPResponse:
    """The task once it is SUCCEEDED or FAILED."""
    until(
        lambda: client.get_task(task_id)["status"] in ("SUCCEEDED", "FAILED"),
        f"end of {task_id}",
    )
    return client.get_task(task_id)


def has_nice_status(
    client: globus_sdk.TransferClient, task_id: str, wanted: str
) -> globus_sdk.GlobusHTTPResponse:
    """The task once its nice_status is this one."""
    until(
        lambda: client.get_task(task_id)["nice_status"] == wanted,
        f"{task_id} being {wanted}",
    )
    return client.get_task(task_id)
