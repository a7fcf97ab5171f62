"""Who sends the forms of ``bench.submissions``, and a loop as scripts have it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests

if TYPE_CHECKING:
    from sandbox.testing import Sandbox


def without_stored_ids(
    client: Any, lose_replies: Callable[[], None], count: int
) -> tuple[int, int, int]:
    """``(twice, missing, how many)`` of a loop that tries again with a new document.

    :param lose_replies: the answers to the next four POSTs; the SDK tries four times
    """
    from globus_sdk import GlobusError

    how_many = min(10, count)
    for number in range(how_many):
        lose_replies()
        for _ in range(5):
            with suppress(GlobusError):
                document = document_of(f"naive {number}", number + count)
                document["submission_id"] = str(uuid4())
                client.submit_transfer(document)
                break
    page = client.task_list(limit=1000).data["DATA"]
    labels = Counter(
        str(each["label"]) for each in page if str(each["label"]).startswith("naive")
    )
    twice = sum(1 for number in labels.values() if number > 1)
    return twice, how_many - len(labels), how_many


def document_of(label: str, number: int) -> dict[str, Any]:
    from sandbox import seed

    return {
        "DATA_TYPE": "transfer",
        "label": label,
        "source_endpoint": seed.LAPTOP,
        "destination_endpoint": seed.LAPTOP,
        "DATA": [
            {
                "DATA_TYPE": "transfer_item",
                "source_path": "/Documents/paper.tex",
                "destination_path": f"/copies/{number}/paper.tex",
            }
        ],
    }


class Browser:
    """Ada's, signed in once; it sends a form until it has an answer."""

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        from django.conf import settings
        from django.test import Client

        from tests.flows import sign_in

        signed_in = Client(SERVER_NAME="localhost")
        answer = sign_in(signed_in, sandbox, "ada")
        assert answer.status_code == 302, answer
        page = signed_in.get("/transfers/new/").content.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        self.token = token[1]
        names = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
        self.cookies = {name: signed_in.cookies[name].value for name in names}
        self.address = f"http://127.0.0.1:{port}/transfers/new/"

    def form(self, number: int, label: str) -> dict[str, Any]:
        from sandbox import seed

        return {
            "csrfmiddlewaretoken": self.token,
            "form": "transfer",
            "do": "send",
            "transfer_id": str(uuid4()),
            "origin_id": seed.LAPTOP,
            "item": "/Documents/paper.tex",
            "destination_id": seed.LAPTOP,
            "destination_path": f"/copies/{number}/",
            "label": label,
            "verify_checksum": "on",
        }

    def send(self, form: dict[str, Any]) -> bool:
        """Whether the portal said that it is stored."""
        try:
            answer = requests.post(
                self.address,
                data=form,
                cookies=self.cookies,
                headers={"Host": "localhost:8000"},
                allow_redirects=False,
                timeout=30,
            )
        except requests.RequestException:
            return False
        return answer.status_code == 302 and "/transfers/" in answer.headers["Location"]

    def send_until_stored(self, form: dict[str, Any]) -> None:
        limit = time.monotonic() + 120
        while not self.send(form):
            if time.monotonic() > limit:
                raise RuntimeError("The portal does not take the form any more")
            time.sleep(0.2)


def wait_for_web(port: int) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        with suppress(requests.RequestException):
            requests.get(
                f"http://127.0.0.1:{port}/healthz",
                headers={"Host": "localhost:8000"},
                timeout=5,
            )
            return
        time.sleep(0.1)
    raise RuntimeError("The web process does not answer")


def kill(process: subprocess.Popen[bytes]) -> None:
    """-9, with all that it started."""
    import signal

    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def agrees(task: dict[str, Any], row: Any) -> bool:
    """Whether the portal's row says what Globus's task says."""
    return (
        row is not None
        and row.status == task["status"] == "SUCCEEDED"
        and row.label == task["label"]
        and row.bytes_transferred == task["bytes_transferred"]
    )


def tasks_of(client: Any) -> list[dict[str, Any]]:
    """All that came of the forms."""
    found: list[dict[str, Any]] = []
    seen = 0
    while True:
        page = client.task_list(limit=1000, offset=seen).data["DATA"]
        seen += len(page)
        found += [each for each in page if str(each["label"]).startswith("fault")]
        if len(page) < 1000:
            return found


def client_of_ada() -> Any:
    from accounts.clients import transfer_client
    from portal.globus.transport import WORKER
    from tests.flows import person

    return transfer_client(person("ada"), WORKER)
