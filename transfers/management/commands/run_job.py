"""``manage.py run_job NAME``: a staff job from a shell."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transfers.jobs import runs
from transfers.jobs.models import Job, Run
from transfers.jobs.settling import rows_in
from transfers.models import Inventory

POLL_SECONDS = 0.2
#: entries of a listing that are printed for a person
SHOWN_ENTRIES = 20


class Command(BaseCommand):
    help = (
        "Runs a job through the queue. Exit status: 0 the run was queued (with --wait: "
        "it succeeded), 1 it did not, 2 there is no such job or it is switched off."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--wait", action="store_true", help="until the run has ended"
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=3600,
            metavar="SECONDS",
            help="wait no longer than this (3600); the run goes on without you",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--reason", default="From a shell")

    def handle(self, *args: Any, **options: Any) -> None:
        run = self._start(options["name"], options["reason"])
        if not options["wait"]:
            self._report(run, as_json=options["json"])
            return
        ended = self._wait(run, options["timeout"])
        self._report(run, as_json=options["json"])
        if not ended:
            raise CommandError(
                f"The run has not ended after {options['timeout']:g} seconds; it goes "
                f"on. It is {run.state}: {run.says}"
            )
        if not run.succeeded:
            raise CommandError(f"The run {run.pk} is {run.state}: {run.says}")

    def _start(self, name: str, reason: str) -> Run:
        job = Job.objects.select_related("service_account").filter(name=name).first()
        if job is None:
            raise CommandError(f"There is no job “{name}”.", returncode=2)
        try:
            return runs.run_now(job, by=None, reason=reason)
        except runs.JobSwitchedOff as err:
            raise CommandError(f"{job}: {err.advice}", returncode=2) from err

    def _wait(self, run: Run, timeout_seconds: float) -> bool:
        limit = time.monotonic() + timeout_seconds
        while True:
            run.refresh_from_db()
            if run.is_finished:
                return True
            if time.monotonic() > limit:
                return False
            time.sleep(POLL_SECONDS)

    def _report(self, run: Run, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(facts(run)))
            return
        inventory = Inventory.objects.filter(run=run, state="ready").first()
        rows = rows_in(inventory) if inventory else iter(())
        for row in islice(rows, SHOWN_ENTRIES):
            self.stdout.write(f"  {shown(row.path)}")
        self.stdout.write(f"{run.job}: {run.get_state_display()}. {run.says}")


def shown(text: str) -> str:
    """For a terminal: what is not printable becomes visible."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def facts(run: Run) -> dict[str, Any]:
    transfer = run.transfer
    return {
        "id": str(run.pk),
        "job": run.inputs["job"],
        "state": run.state,
        "says": run.says,
        "task_id": str(transfer.task_id) if transfer and transfer.task_id else None,
        "error_code": run.error_code,
        "result": run.result,
    }
