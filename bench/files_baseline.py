"""How a folder is shown without what the portal does about it, in a process of its own.

    python -m bench.files_baseline PATH ROUNDS [LIMIT]

The way of django-globus-portal-framework: a token out of ``extra_data``, an SDK client
made for this request, and all entries by a Django template with five columns. Reads
the token from its input; prints JSON: ``share_ms`` and ``cpu_ms`` of a page without the
call, ``page_ms`` with it, ``connections``, ``html_bytes``, and by how much the process
grew, ``grown_bytes``.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import requests

PAGE = """<!doctype html><html><head><title>Files</title></head><body><table>
<thead><tr><th scope="col">Name<th scope="col">Type<th scope="col">Size
<th scope="col">Changed<th scope="col">Permissions</tr></thead><tbody>
{% for entry in entries %}<tr>
<td><a href="?path={{ path|urlencode }}{{ entry.name|urlencode }}">
{{ entry.name }}</a></td>
<td>{{ entry.type }}</td><td>{{ entry.size|filesizeformat }}</td>
<td>{{ entry.last_modified }}</td><td>{{ entry.permissions }}</td></tr>{% endfor %}
</tbody></table></body></html>"""


class Clock:
    """How long Globus took: its calls, and reading what they brought.

    :ivar cpu_seconds: of them, what this thread worked
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self.calls = 0

    def __enter__(self) -> Clock:
        send = requests.Session.send

        def timed_send(session: Any, *args: Any, **kwargs: Any) -> Any:
            start, worked = time.perf_counter(), time.thread_time()
            answer = send(session, *args, **kwargs)
            self.seconds += time.perf_counter() - start
            self.cpu_seconds += time.thread_time() - worked
            self.calls += 1
            return answer

        self._patch = mock.patch.object(requests.Session, "send", timed_send)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


@contextmanager
def counted_connections() -> Iterator[list[int]]:
    """Counted by urllib3 itself; the list has an entry for each that was made."""
    from urllib3.connectionpool import HTTPConnectionPool

    made: list[int] = []
    new = HTTPConnectionPool._new_conn

    def counting(pool: Any) -> Any:
        made.append(1)
        return new(pool)

    with mock.patch.object(HTTPConnectionPool, "_new_conn", counting):
        yield made


def resident() -> int:
    """Bytes of memory that this process holds."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found
    return int(found[1]) * 1024


def listing(token: str, collection: str, path: str, limit: int | None) -> Any:
    from globus_sdk import AccessTokenAuthorizer, TransferClient

    with TransferClient(authorizer=AccessTokenAuthorizer(token)) as client:
        client.transport.http_timeout = 120
        return client.operation_ls(collection, path=path, limit=limit or 100_000).data


def shown(path: str, document: Any) -> str:
    from django.template import Context, Engine

    template = Engine.get_default().from_string(PAGE)
    return template.render(Context({"entries": document["DATA"], "path": path}))


def main(collection: str, path: str, rounds: int, limit: int | None) -> None:
    import django
    from django.conf import settings

    django_templates = "django.template.backends.django.DjangoTemplates"
    settings.configure(TEMPLATES=[{"BACKEND": django_templates}])
    django.setup()
    token = sys.stdin.readline().strip()
    listing(token, collection, "/", 1)  # imports are not what is measured
    before = resident()
    shares, cpu, pages, length = [], [], [], 0
    with counted_connections() as made:
        for _ in range(rounds):
            start, worked = time.perf_counter(), time.thread_time()
            with Clock() as clock:
                document = listing(token, collection, path, limit)
                length = len(shown(path, document))
            took = time.perf_counter() - start
            pages.append(took * 1000)
            shares.append((took - clock.seconds) * 1000)
            cpu.append((time.thread_time() - worked - clock.cpu_seconds) * 1000)
    print(
        json.dumps(
            {
                "share_ms": statistics.median(shares),
                "cpu_ms": statistics.median(cpu),
                "page_ms": statistics.median(pages),
                "connections": len(made) / rounds,
                "html_bytes": length,
                "grown_bytes": resident() - before,
            }
        )
    )


if __name__ == "__main__":
    limit = int(sys.argv[4]) if len(sys.argv) > 4 else None
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), limit)
