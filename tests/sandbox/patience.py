"""How long a timer's tick waits for the run before it: run by ``test_timers.py``.

A program of its own, since it takes the sandbox's settings and turns real time.

    DJANGO_SETTINGS_MODULE=sandbox.settings python tests/sandbox/patience.py FOLDER
"""

import sys
import time
from pathlib import Path
from unittest import mock

import django

django.setup()

from sandbox import planting, seed  # noqa: E402 - after setup()
from sandbox.models import Task, Timer  # noqa: E402 - after setup()
from sandbox.schema import open_database  # noqa: E402 - after setup()
from sandbox.timers.runner import PATIENCE, Runner  # noqa: E402 - after setup()

open_database(Path(sys.argv[1]) / "sandbox.sqlite3")
planting._people()
planting._clients()
owner = {"owner_id": seed.HARVEST_CLIENT_ID, "client_id": seed.HARVEST_CLIENT_ID}
body = {"document": {}, "fingerprint": "", "submission_id": "s", "source_id": "c"}
moments = {"requested_at": 0.0, "deadline_at": 1.0}
task = Task.objects.create(id="task", type="TRANSFER", **owner, **body, **moments)
schedule = {"type": "recurring", "interval_seconds": 3_600, "start": "2026-01-01"}
timer = Timer.objects.create(
    id="timer",
    name="t",
    schedule=schedule,
    body={},
    submitted_at=0,
    first_run_at=0,
    next_run_at=0,
    **owner,
)

runner = Runner()
began = time.monotonic()
with (
    mock.patch("sandbox.timers.runner.missing", return_value={}),
    mock.patch("sandbox.timers.runner._submit", return_value=(task.pk, "")),
):
    runner._run(timer)
# The run began an hour ago, in real time, when its timer's next tick becomes due.
for later, expected in (
    (3_600.0, "running"),
    (3_600.0 + PATIENCE / 2, "running"),
    (3_600.0 + PATIENCE, "stuck"),
):
    with mock.patch("time.monotonic", return_value=began + later):
        print(runner._last_run(timer), expected)
# One with which nothing happens is not waited for.
for what in ({"is_paused": True}, {"status": "INACTIVE", "is_paused": False}):
    Task.objects.update(**what)
    print(runner._last_run(timer), "stuck")
Task.objects.update(completed_at=1.0)
print(runner._last_run(timer) or "ended", "ended")
