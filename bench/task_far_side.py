"""A Transfer for benchmarks that knows many tasks, and counts what it is asked.

    python -m bench.task_far_side

Prints its port. ``/tasks`` takes the ids it shall know, ``/calls`` says how often it
was asked since then. Each task moves on with each call.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

COLLECTION = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"


def document(task_id: str, moved: int) -> dict[str, Any]:
    """As long as Globus's own."""
    ends = {
        f"{side}_{name}": COLLECTION if name.endswith("id") else "A collection"
        for side in ("source", "destination")
        for name in ("endpoint", "endpoint_id", "endpoint_display_name")
    }
    nothing = dict.fromkeys(
        [
            f"{side}_{name}"
            for side in ("source", "destination")
            for name in ("host_endpoint", "host_path", "local_user", "base_path")
        ]
    )
    return {
        "DATA_TYPE": "task",
        "task_id": task_id,
        "type": "TRANSFER",
        "status": "ACTIVE",
        "label": "a task of a benchmark",
        "request_time": "2026-05-01T11:00:00+00:00",
        "completion_time": None,
        "deadline": "2026-05-02T11:00:00+00:00",
        **ends,
        **nothing,
        "sync_level": None,
        "encrypt_data": False,
        "verify_checksum": True,
        "is_ok": True,
        "is_paused": False,
        "nice_status": "OK",
        "nice_status_details": None,
        "fatal_error": None,
        "faults": 0,
        "files": 1_000_000,
        "directories": 3,
        "files_skipped": 0,
        "files_transferred": moved,
        "bytes_transferred": moved * 1000,
        "effective_bytes_per_second": 1000,
        "subtasks_total": 1_000_001,
        "subtasks_succeeded": moved,
        "subtasks_failed": 0,
        "subtasks_skipped_errors": 0,
        "history_deleted": False,
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    tasks: list[str] = []
    calls = 0

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        type(self).tasks = json.loads(self.rfile.read(size))
        type(self).calls = 0
        self.answer({})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/calls":
            self.answer({"calls": type(self).calls})
            return
        type(self).calls += 1
        if parts.path.endswith("/task_list"):
            self.answer(self.page(parse_qs(parts.query)))
        else:
            self.answer(document(parts.path.rpartition("/")[2], type(self).calls))

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        first = int(query.get("offset", ["0"])[0])
        ids = self.tasks[first : first + int(query["limit"][0])]
        rows = [document(each, type(self).calls) for each in ids]
        return {"DATA_TYPE": "task_list", "total": len(self.tasks), "DATA": rows}

    def answer(self, body: dict[str, Any]) -> None:
        text = orjson.dumps(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a line per request would be measured too."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    sys.stdout.flush()
    server.serve_forever()
