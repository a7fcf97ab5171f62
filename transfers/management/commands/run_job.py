"""``manage.py run_job NAME``: a staff job from a shell."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from portal.globus.errors import PortalError
from transfers.jobs import runs
from transfers.jobs.models import Run
from transfers.jobs.permissions import Action
from transfers.jobs.settling import rows_in
from transfers.management.acting import (
    EXIT_CODES,
    NOT_FOUND,
    TIMED_OUT,
    acting_person,
    add_person,
    named_job,
    shown,
)
from transfers.models import Inventory

POLL_SECONDS = 0.2
#: entries of a listing that are printed for a person
SHOWN_ENTRIES = 20


class Command(BaseCommand):
    help = (
        "Runs a job through the queue; done is when the run is queued, or with --wait "
        f"when it has succeeded. {EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--wait", action="store_true", help="until the run has ended"
        )
        parser.add_argument(
            "--timeout",
            type=_seconds,
            default=3600,
            metavar="SECONDS",
            help="wait no longer than this (3600); the run goes on without you",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--reason", default="From a shell")
        add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        person = acting_person(options["as_person"])
        run = self._start(options["name"], options["reason"], person)
        if not options["wait"]:
            self._report(run, as_json=options["json"])
            return
        ended = self._wait(run, options["timeout"])
        self._report(run, as_json=options["json"])
        if not ended:
            raise CommandError(
                f"The run has not ended after {options['timeout']:g} seconds; it goes "
                f"on. It is {run.state}: {shown(run.says)}",
                returncode=TIMED_OUT,
            )
        if not run.succeeded:
            raise CommandError(f"The run {run.pk} is {run.state}: {shown(run.says)}")

    def _start(self, name: str, reason: str, person: User | None) -> Run:
        job = named_job(name, person, Action.RUN)
        try:
            return runs.run_now(job, by=person, reason=reason)
        except PortalError as err:
            raise CommandError(
                shown(f"{job}: {err.advice}"), returncode=NOT_FOUND
            ) from err

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
        self.stdout.write(shown(f"{run.job}: {run.get_state_display()}. {run.says}"))


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):  # nor is nan
        raise ValueError
    return value


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
