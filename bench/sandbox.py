"""How quick the sandbox is (issue targets: start, ls, task_list, copying)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from bench.figures import Figure, Timing, interleaved
from sandbox import seed
from sandbox.testing import Sandbox

GIBIBYTE = 1024**3
SMALL_FILES = 10_000
ENTRIES = 100_000
TASKS = 10_000
LIMIT_SECONDS = 300


def sandbox_figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="cw-sandbox-") as name:
        folder = Path(name)
        began = time.perf_counter()
        sandbox = Sandbox.start(folder / "data")
        started = time.perf_counter() - began
        try:
            yield Figure(
                "sandbox: start until it answers",
                f"{started:.2f} s",
                "goal 2 s",
                started / 2,
                "< 2 s",
                started < 2,
            )
            yield from Measurement(sandbox, folder).figures()
        finally:
            sandbox.stop()


class Measurement:
    """One running sandbox, and the service account that asks it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self._token()}"
        self.base = f"{sandbox.url}/transfer/v0.10"
        self.collection = folder / "data" / "collections" / seed.HARVEST

    def _token(self) -> str:
        answer = self.session.post(
            f"{self.sandbox.url}/auth/v2/oauth2/token",
            auth=(seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET),
            data={
                "grant_type": "client_credentials",
                "scope": "urn:globus:auth:scope:transfer.api.globus.org:all",
            },
            timeout=30,
        )
        return str(answer.json()["access_token"])

    def figures(self) -> Iterator[Figure]:
        yield self.small_listing()
        yield self.large_listing()
        yield self.reset()
        yield self.task_list()
        # What the large one leaves to be written back would slow the small ones.
        yield self.small_files()
        yield self.large_file()

    def ask(self, route: str, **parameters: Any) -> Any:
        answer = self.session.get(
            f"{self.base}/{route}", params=parameters, timeout=LIMIT_SECONDS
        )
        answer.raise_for_status()
        return answer.content

    def ls(self, path: str) -> Any:
        return self.ask(f"operation/endpoint/{seed.HARVEST}/ls", path=path)

    def small_listing(self) -> Figure:
        """Requests per second of one client after the other: one core's worth."""
        for _ in range(100):
            self.ls("/sensors")
        rounds = 1000
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            self.ls("/sensors")
        seconds = time.perf_counter() - began
        asking = time.process_time() - worked
        rate = rounds / (seconds - asking)
        return Figure(
            "sandbox: ls of a small directory",
            f"{rate:.0f}/s",
            f"{rounds / seconds:.0f}/s with the asking side's own {asking:.2f} s",
            rate / 300,
            ">= 300/s",
            rate >= 300,
        )

    def large_listing(self) -> Figure:
        self.sandbox.generate(seed.HARVEST, "/large", ENTRIES)

        def scan() -> None:
            with os.scandir(self.collection / "large") as found:
                for one in found:
                    one.stat(follow_symlinks=False)

        timings = interleaved(
            {"ls": lambda: self.ls("/large"), "scandir": scan}, rounds=3, slice_length=3
        )
        ours = timings["ls"]
        return Figure(
            f"sandbox: ls of {ENTRIES:,} entries",
            str(ours),
            f"scandir and stat {timings['scandir']}",
            ours.median / timings["scandir"].median,
            "<= 1500 ms",
            ours.median <= 1500,
        )

    def reset(self) -> Figure:
        def after_a_change() -> None:
            (self.collection / "new").touch()
            self.sandbox.reset()

        timings = interleaved({"reset": after_a_change}, rounds=2, slice_length=10)
        self.session.headers["Authorization"] = f"Bearer {self._token()}"
        return Figure(
            "sandbox: reset after a small change",
            str(timings["reset"]),
            "70–300 ms before",
            timings["reset"].median / 70,
            "< 30 ms",
            timings["reset"].median < 30,
        )

    def task_list(self) -> Figure:
        """A page of 1,000: of 10,000 tasks beside a page of all 100."""
        few = self._page_seconds(100)
        many = self._page_seconds(TASKS)
        ratio = (many.median / 1000) / (few.median / 100)
        self.sandbox.reset()
        self.session.headers["Authorization"] = f"Bearer {self._token()}"
        return Figure(
            f"sandbox: task_list, 1,000 of {TASKS:,} tasks, per task shown",
            f"{many}",
            f"100 of 100: {few}",
            ratio,
            "<= 1.2",
            ratio <= 1.2,
        )

    def _page_seconds(self, tasks: int) -> Timing:
        self.sandbox.reset()
        self.session.headers["Authorization"] = f"Bearer {self._token()}"
        self._plant_tasks(tasks)
        page = interleaved(
            {"page": lambda: self.ask("task_list", limit=1000)},
            rounds=2,
            slice_length=6,
        )
        return page["page"]

    def _plant_tasks(self, count: int) -> None:
        """One real task, then copies of its row."""
        (self.collection / "one").write_bytes(b"1")
        self.copy("/one", "/two")
        database = self.folder / "data" / "sandbox.sqlite3"
        with closing(sqlite3.connect(database, timeout=30)) as rows, rows:
            rows.row_factory = sqlite3.Row
            known = dict(rows.execute("SELECT * FROM sandbox_task").fetchone())
            names = ", ".join(known)
            marks = ", ".join("?" * len(known))
            for number in range(count - 1):
                new = {
                    "id": f"5eed0000-0000-4000-9000-{number:012d}",
                    "submission_id": f"5eed0000-0000-4000-a000-{number:012d}",
                    "requested_at": known["requested_at"] - number,
                }
                rows.execute(
                    f"INSERT INTO sandbox_task ({names}) VALUES ({marks})",
                    tuple({**known, **new}.values()),
                )

    def copy(self, source: str, destination: str) -> float:
        """Seconds from the submission to the task's end, as a client sees it."""
        number = self.session.get(f"{self.base}/submission_id", timeout=30).json()
        began = time.perf_counter()
        accepted = self.session.post(
            f"{self.base}/transfer",
            json={
                "DATA_TYPE": "transfer",
                "submission_id": number["value"],
                "source_endpoint": seed.HARVEST,
                "destination_endpoint": seed.HARVEST,
                "DATA": [{"source_path": source, "destination_path": destination}],
            },
            timeout=30,
        )
        accepted.raise_for_status()
        task_id = accepted.json()["task_id"]
        while time.perf_counter() - began < LIMIT_SECONDS:
            task = self.session.get(f"{self.base}/task/{task_id}", timeout=30).json()
            if task["status"] == "SUCCEEDED":
                return time.perf_counter() - began
            time.sleep(0.01)
        raise TimeoutError(f"{source} was not copied: {task['nice_status']}")

    def large_file(self) -> Figure:
        content = os.urandom(16 * 1024 * 1024)
        with (self.collection / "gib").open("wb") as file:
            for _ in range(GIBIBYTE // len(content)):
                file.write(content)
        ours, beside = self._side_by_side("/gib", ["cp"], rounds=3)
        (self.collection / "gib").unlink()
        return _copy_figure("sandbox: copy of 1 GiB", ours, "cp", beside, 1.5)

    def small_files(self) -> Figure:
        self.sandbox.generate(seed.HARVEST, "/many", SMALL_FILES, 1000)
        ours, beside = self._side_by_side("/many", ["cp", "-r"], rounds=5)
        name = f"sandbox: copy of {SMALL_FILES:,} files of 1 kB"
        return _copy_figure(name, ours, "cp -r", beside, 5)

    def _side_by_side(
        self, path: str, command: list[str], *, rounds: int
    ) -> tuple[list[float], list[float]]:
        """In turn, each into a place that is removed again before the next."""
        ours: list[float] = []
        beside: list[float] = []
        source = f"{self.collection}{path}"
        for _ in range(rounds):
            beside.append(_seconds([*command, source, f"{source}-cp"]))
            _remove(Path(f"{source}-cp"))
            ours.append(self.copy(path, f"{path}-copy"))
            _remove(Path(f"{source}-copy"))
        return sorted(ours), sorted(beside)


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _copy_figure(
    name: str, ours: list[float], what: str, beside: list[float], goal: float
) -> Figure:
    middle = len(ours) // 2
    ratio = ours[middle] / beside[middle]
    return Figure(
        name,
        f"{ours[middle]:.2f} s ({ours[0]:.2f}–{ours[-1]:.2f})",
        f"{what} {beside[middle]:.2f} s ({beside[0]:.2f}–{beside[-1]:.2f})",
        ratio,
        f"<= {goal} x",
        ratio <= goal,
    )
